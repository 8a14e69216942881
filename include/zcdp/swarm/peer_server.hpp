// Answers other members: a dataset's news, as a long poll, and its pieces' bytes (docs/formats.md, "Between members").
// Who may ask is the server's affair, which this is the handler of.
//
// Thread rule: any thread; handlers run on the server's loops. Ownership: it outlives the server; the pool outlives
// both.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "zcdp/base/guarded.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/net/router.hpp"
#include "zcdp/swarm/share.hpp"

namespace zcdp::swarm {

struct PeerServerOptions {
    uint32_t slots = 6;              ///< pieces sent at once, to all members; what was sent least often is next
    uint64_t slot_wait_ms = 20'000;  ///< then 503: the asker goes elsewhere
    uint64_t news_wait_ms_most = 60'000;
    Counter* sent_bytes = nullptr;
};

class PeerServer {
  public:
    PeerServer(asio::thread_pool& disk, PeerServerOptions options);
    ~PeerServer();

    /// The dataset is given from now on; one of this name before it no more.
    void add(const std::string& swarm, std::shared_ptr<Share> share);
    /// What is being sent is sent to its end.
    void remove(const std::string& swarm);
    /// Gives nothing any more, and lets go whoever waits: before its server ends.
    void close();
    /// For net::server::Server::open.
    net::server::Handler handler();

  private:
    class Slot;
    std::shared_ptr<Share> find(std::string_view swarm) const;
    Task<net::server::Response> news(net::server::Request& request);
    Task<net::server::Response> piece(net::server::Request& request);
    Task<Result<>> send(std::shared_ptr<Share> share, uint64_t piece, net::server::BodySink& sink);
    class Waiting;
    Task<bool> take_slot(uint32_t times_sent);
    void give_slot();

    asio::thread_pool& disk_;
    const PeerServerOptions options_;
    net::server::Router router_;
    const std::unique_ptr<Bell> slot_free_;
    mutable Mutex mutex_;
    std::map<std::string, std::shared_ptr<Share>, std::less<>> shares_ ZCDP_GUARDED_BY(mutex_);
    uint32_t sending_ ZCDP_GUARDED_BY(mutex_) = 0;
    std::set<std::pair<uint32_t, uint64_t>> waiting_ ZCDP_GUARDED_BY(mutex_);  ///< how often sent; in the order asked
    uint64_t asked_ ZCDP_GUARDED_BY(mutex_) = 0;
    bool is_closed_ ZCDP_GUARDED_BY(mutex_) = false;
};

}  // namespace zcdp::swarm
