// This node's part in swarms: gives what is Ready here to other nodes, and says how syncs get theirs from them.
//
// It serves once a controller has signed its certificate and its address could be had; before that, and without it,
// syncs are ordinary ones. Both are tried again for ever.
//
// Thread rule: any thread; nothing is called back under a lock. Threads of its own ask for the certificate and make
// shares, which reads manifests. Ownership: it outlives the syncs that it makes peers for; what it is given outlives
// it.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "src/services/peers/node_identity.hpp"
#include "zcdp/api/types.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/net/server.hpp"
#include "zcdp/swarm/peer_server.hpp"
#include "zcdp/sync/peers.hpp"

namespace zcdp::services::agent {

struct PeerNodeOptions {
    std::string node;
    std::string listen;             ///< "0.0.0.0:7443"
    std::string address;            ///< as others are told: "10.0.0.7:7443"; port 0: the one it listens at
    uint32_t slots = 6;             ///< pieces sent at once
    uint64_t bytes_per_second = 0;  ///< sent, to all together; 0: no limit
    bool tls = true;                ///< false: HTTP, for networks whose every machine is trusted
};

class PeerNode {
  public:
    using Identity = std::shared_ptr<const peers::NodeIdentity::Held>;
    struct Parts {
        Machine machine;
        /// The certificate to be used now; blocks. Errors: any; it is asked again.
        std::function<Result<Identity>()> identity;
        std::function<std::unique_ptr<swarm::Introductions>(asio::any_io_executor, const api::NodeDataset&)>
            introductions;
        /// What is given to others of a snapshot that is Ready; blocks. Errors: those of the store.
        std::function<Result<std::shared_ptr<swarm::Share>>(const std::string& snapshot)> share_of;
        /// Told of a NodeDataset for which give() may say something else now.
        std::function<void(const std::string& name)> changed;
    };
    PeerNode(PeerNodeOptions options, Parts parts);
    ~PeerNode();

    /// For a sync of it; nullopt where it is to be an ordinary one. Within six seconds of its start it waits for
    /// the certificate, so that what an agent fetches first does not all come from the origin.
    std::optional<sync::Peers> peers_of(const api::NodeDataset& wanted);
    /// It is Ready: given to others from now on. Where they get it; "" while they do not.
    std::string give(const api::NodeDataset& object, const std::string& snapshot);
    /// Nobody is given it any more.
    void take_back(const std::string& name);

  private:
    struct Given {
        std::string swarm;
        std::string snapshot;  ///< "" while a sync gives what it has so far
        bool is_given = false;
    };
    void keep_serving(const std::stop_token& stop);
    Result<> serve();
    Result<> open_server(const Identity& identity);
    void make_share(const std::string& name, const std::string& snapshot);
    Result<> go_on_as(const Identity& identity);
    std::shared_ptr<const swarm::Identity> vouches() const;

    const PeerNodeOptions options_;
    const Parts parts_;
    asio::thread_pool disk_{2}, shares_{1};
    swarm::Bans bans_;
    swarm::PeerServer peer_server_;
    mutable Mutex mutex_;
    ConditionVariable serves_;
    std::string address_ ZCDP_GUARDED_BY(mutex_);                             ///< "" until it serves
    std::map<std::string, Given> given_ ZCDP_GUARDED_BY(mutex_);              ///< by the NodeDataset's name
    std::set<std::string> waiting_ ZCDP_GUARDED_BY(mutex_);                   ///< names that wait for it to serve
    Identity identity_ ZCDP_GUARDED_BY(mutex_);                               ///< that it serves and asks with
    std::shared_ptr<const swarm::Identity> vouches_ ZCDP_GUARDED_BY(mutex_);  ///< the same, for claims
    std::unique_ptr<net::server::Server> server_;  ///< of the thread below, and of the destructor
    const Deadline first_;                         ///< so long after its start syncs wait for it to serve
    std::jthread serving_;
};

}  // namespace zcdp::services::agent
