// One member's part in a swarm while it gets a dataset: it meets the others, hears their news, asks for pieces as the
// Chooser says, and gives what it has through its Share.
//
// Thread rule: run() blocks the calling thread, which is the session's loop; its interfaces are called there.
// Ownership: all that it is given outlives it. Everything it started has ended when run() returns.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/base/tasks.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/swarm/bans.hpp"
#include "zcdp/swarm/chooser.hpp"
#include "zcdp/swarm/introducer.hpp"
#include "zcdp/swarm/session_state.hpp"
#include "zcdp/swarm/share.hpp"

namespace zcdp::swarm {

/// Who knows the members: a controller.
class Introductions {
  public:
    virtual ~Introductions() = default;
    /// Errors: any; the session goes on with whom it knows, and asks again.
    virtual Task<Result<Introduction>> meet(MemberNews news) = 0;
};

/// What came of asking a member: nothing is wrong, or the member is at fault, or this machine.
struct Received {
    std::optional<Error> theirs;  ///< wrong bytes, a broken connection: a strike
    std::optional<Error> ours;    ///< a full disk: ends the session
};

/// Who keeps the bytes, and gets them.
class Keeper {
  public:
    virtual ~Keeper() = default;
    /// Gets the piece from the origin, verifies and keeps it. Errors end the session.
    virtual Task<Result<>> draw(uint64_t piece) = 0;
    /// Gets the piece from the member (PeerClient::piece), verifies and keeps it.
    virtual Task<Received> receive(uint64_t piece, net::Endpoint member) = 0;
    /// Gets the piece from the origin, and holds the claim that a member gave of it against that. `ours`: the piece is
    /// not what it says.
    virtual Task<Received> compare(uint64_t piece, std::string claim) = 0;
    /// Reads the manifest of `snapshot`, by which receive() judges from then on. False: it is of another list than this
    /// one, which is nobody's fault. Errors: corrupt: it is not that snapshot's; what reading and keeping it end with.
    virtual Task<Result<bool>> prove(std::string snapshot, std::unique_ptr<net::Response> manifest) = 0;
};

struct SessionOptions {
    std::string swarm;  ///< its name among the members; needs no percent-encoding
    Revision revision;
    std::string self, address, zone;  ///< as the others are told
    std::string scheme = "http";      ///< of the others
    uint64_t news_wait_ms = 30'000;
    uint64_t settle_ms = 0;       ///< wait so long for others before the first draw
    uint32_t settle_getters = 0;  ///< or until so many get it; 0: nobody knows how many will
    uint32_t strikes = 3;         ///< failures in a row; then the member is asked no more
    /// One in so many pieces that members have is got from the origin instead and compared: in the whole swarm, so a
    /// member of many does it more rarely.
    uint32_t compare_one_in = 100;
    ChooserOptions chooser = {};
    /// How it goes, about once a second and at its end; called on the session's loop.
    std::function<void(const SessionState&)> state = {};
};

/// What a session did; for messages and metrics.
struct SessionReport {
    std::string snapshot;                        ///< what others have made of the revision, as introductions said last
    uint64_t pieces_drawn = 0, bytes_drawn = 0;  ///< of the origin
    uint64_t pieces_received = 0, bytes_received = 0;  ///< of members
    uint64_t pieces_compared = 0;                      ///< of those drawn
    bool is_proven = false;                            ///< a manifest said what each piece is
    uint64_t failures = 0, banned = 0, asked_twice = 0, taken_over = 0, lost = 0;
    uint64_t over_budget = 0;  ///< of those drawn: more than the budget, but nobody gave them
};

class Session {
  public:
    /// For the session's loop.
    using MakeHttp = std::function<std::unique_ptr<net::HttpClient>(asio::any_io_executor)>;
    using MakeIntroductions = std::function<std::unique_ptr<Introductions>(asio::any_io_executor)>;
    /// `share` says what is here already; nothing is asked of who is in `bans`, and wrongs are counted there.
    Session(SessionOptions options, std::shared_ptr<Share> share, Keeper& keeper, Bans& bans, const MakeHttp& make_http,
            const MakeIntroductions& make_introductions, const Clock& clock, Random& random, Logger& log);
    ~Session();

    /// Until every piece is here. Errors: the first of Keeper::draw(); interrupted.
    Result<SessionReport> run(std::stop_token stop);

  private:
    class Running;
    const std::unique_ptr<Running> running_;
};

}  // namespace zcdp::swarm
