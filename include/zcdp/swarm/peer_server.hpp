// Answers other members: a dataset's news, as a long poll, and its pieces' bytes (docs/formats.md, "Between members").
// Who may ask is the server's affair, which this is the handler of.
//
// Thread rule: any thread; handlers run on the server's loops. Ownership: it outlives the server; the pool outlives
// both, and ends before what the shares' bytes are read from.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/net/router.hpp"
#include "zcdp/swarm/share.hpp"
#include "zcdp/transfer/rate_limiter.hpp"

namespace zcdp::swarm {

/// Of all pieces that are sent, together.
struct UploadRate {
    uint64_t bytes_per_second;
    const Clock& clock;
};

struct PeerServerOptions {
    uint32_t slots = 6;              ///< pieces sent at once, to all members; what was sent least often is next
    uint32_t slots_alone = 32;       ///< the same while one member alone asks: as much as an origin would send it
    uint64_t slot_wait_ms = 20'000;  ///< then 503: the asker goes elsewhere
    uint64_t news_wait_ms_most = 60'000;
    std::optional<UploadRate> rate = {};
    Counter* sent_bytes = nullptr;
    IdentityNow identity = {};  ///< signs for what came from the source; without one nothing is claimed
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
    class Asking;
    std::shared_ptr<Share> find(std::string_view swarm) const;
    Task<net::server::Response> news(net::server::Request& request);
    Task<net::server::Response> piece(net::server::Request& request);
    Task<net::server::Response> manifest(net::server::Request& request);
    Result<std::string> claim_of(const Share& share, std::string_view swarm, uint64_t piece) const;
    Task<Result<>> send(std::shared_ptr<PieceReader> reader, uint64_t size_bytes, net::server::BodySink& sink);
    std::optional<net::server::FileRange> file_to_send(const Share& share, uint64_t piece) const;
    void count_bytes(uint64_t size_bytes);
    class Waiting;
    Task<bool> take_slot(Asking& asking, uint32_t times_sent);

    asio::thread_pool& disk_;
    const PeerServerOptions options_;
    transfer::RateLimiter pace_;
    net::server::Router router_;
    const std::unique_ptr<Bell> slot_free_;
    mutable Mutex mutex_;
    std::map<std::string, std::shared_ptr<Share>, std::less<>> shares_ ZCDP_GUARDED_BY(mutex_);
    uint32_t sending_ ZCDP_GUARDED_BY(mutex_) = 0;
    std::map<std::string, uint32_t> asking_ ZCDP_GUARDED_BY(mutex_);           ///< by address, those with a slot, too
    std::set<std::pair<uint32_t, uint64_t>> waiting_ ZCDP_GUARDED_BY(mutex_);  ///< how often sent; in the order asked
    uint64_t asked_ ZCDP_GUARDED_BY(mutex_) = 0;
    uint64_t load_ ZCDP_GUARDED_BY(mutex_) = 0;  ///< those that ask
    bool is_closed_ ZCDP_GUARDED_BY(mutex_) = false;
};

}  // namespace zcdp::swarm
