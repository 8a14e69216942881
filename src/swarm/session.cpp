#include "zcdp/swarm/session.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "zcdp/base/faults.hpp"
#include "zcdp/swarm/peer_client.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::swarm {
namespace {

constexpr uint32_t kAwayFailures = 2;
/// Longer than that nobody waits for a manifest: claims do.
constexpr uint64_t kProveMs = 60'000;
constexpr size_t kManifestsMost = 3;
constexpr uint64_t kRetryMs = 500, kMeetAgainMs = 1'000, kForEverMs = 3'600'000, kStarvingMs = 3'000, kHearMs = 5'000,
                   kStateMs = 1'000;

}  // namespace

class Session::Running {
  public:
    Running(SessionOptions options, std::shared_ptr<Share> share, Keeper& keeper, Bans& bans, const MakeHttp& make_http,
            const MakeIntroductions& make_introductions, const Clock& clock, Random& random, Logger& log)
        : options_(std::move(options)),
          share_(std::move(share)),
          keeper_(keeper),
          bans_(bans),
          introductions_(make_introductions(loop_.executor())),
          http_(make_http(loop_.executor())),
          client_(*http_, options_.swarm, share_->table().pieces()),
          log_(log),
          chooser_(options_.self, share_->news().have, owners_of({}), clock, random, options_.chooser,
                   [share = share_](uint64_t piece) { return share->table().at(piece).size_bytes; }),
          wake_(loop_.executor()),
          meet_(loop_.executor()) {}

    Result<SessionReport> run(const std::stop_token& stop) {
        const std::stop_callback on_stop(stop, [this] { ending_.request_stop(); });
        loop_.spawn(introduce());
        loop_.spawn(choose());
        loop_.run(ending_.get_token());
        if (options_.state) options_.state(state());
        if (error_) return std::move(*error_);
        if (!chooser_.mine().full()) return Error(ErrorKind::interrupted, "stopped");
        report_.asked_twice = chooser_.asked_twice(), report_.taken_over = chooser_.draws().taken_over();
        report_.lost = chooser_.lost(), report_.over_budget = chooser_.drawn().over_budget;
        return report_;
    }

  private:
    struct Member {
        std::string name;
        net::Endpoint endpoint;
        bool is_holder;
        uint32_t failures = 0;  ///< in a row
        bool is_over = false;   ///< banned, or no member any more
        bool is_heard = false;  ///< has said its news, or failed to
        bool is_forgotten = false;
        bool is_away = false;           ///< owns nothing until it is heard again
        std::optional<News> news = {};  ///< the last
    };

    // --- who is there ---
    Task<> introduce() {
        while (true) {
            const uint64_t pieces_done = chooser_.mine().count();
            MemberNews news{.name = options_.self,
                            .address = options_.address,
                            .zone = options_.zone,
                            .pieces_done = pieces_done,
                            .neighbours = neighbours(),
                            .drawn_bytes = chooser_.budget().drawn_bytes(),
                            .extra = chooser_.budget().extra()};
            const uint64_t told_bytes = news.drawn_bytes;
            wanted_bytes_ = news.extra.wanted_bytes;
            // Who starves needs others than it has.
            if (std::exchange(is_starving_, false)) news.neighbours.resize(news.neighbours.size() / 4);
            auto met = co_await introductions_->meet(std::move(news));
            uint64_t again_ms = kMeetAgainMs;
            if (met) {
                again_ms = met->again_ms;
                take(*met);
                chooser_.budget().heard(met->drawn_bytes, told_bytes, met->granted_bytes);
            } else {
                log_.debug("nobody introduces", {{"swarm", options_.swarm}, {"error", met.error().line()}});
            }
            has_met_ = true;
            wake();
            meet_.expires_after(std::chrono::milliseconds(again_ms));
            co_await wait_on(meet_);
        }
    }

    std::shared_ptr<const Owners> owners_of(std::vector<std::string> names) const {
        return std::make_shared<const Owners>(options_.revision, std::move(names));
    }

    bool all_heard() const {
        return std::all_of(members_.begin(), members_.end(),
                           [](const auto& one) { return one.second.is_heard || one.second.is_over; });
    }

    std::vector<std::string> neighbours() const {
        std::vector<std::string> names;
        for (const auto& [id, member] : members_)
            if (!member.is_over && !member.is_forgotten) names.push_back(member.name);
        return names;
    }

    void take(const Introduction& met) {
        if (met.owners != owners_) {
            owners_ = met.owners;
            share_draws();
        }
        // Who is forgotten there and answers here is asked all the same; another comes beside it.
        for (auto& [id, member] : members_) {
            if (std::find(met.gone.begin(), met.gone.end(), member.name) == met.gone.end()) continue;
            member.is_forgotten = true;
            if (member.failures > 0) give_up(id);
        }
        for (const Introduction::Neighbour& neighbour : met.neighbours) add(neighbour);
        chooser_.heard_members(met.members);
        members_in_all_ = met.members, getters_in_all_ = met.members - std::min(met.members, met.holders);
        if (!met.snapshot.empty()) report_.snapshot = met.snapshot;
    }

    void add(const Introduction::Neighbour& neighbour) {
        auto endpoint = net::Endpoint::parse(options_.scheme + "://" + neighbour.address);
        if (!endpoint || neighbour.name == options_.self || bans_.is_banned(neighbour.name)) return;
        if (endpoint->tls) endpoint->tls_name = neighbour.name;
        // Who was given up may be back at another address: an agent that started again.
        const auto is_it = [&](const Member& member) {
            return member.name == neighbour.name && (!member.is_over || member.endpoint == *endpoint);
        };
        if (std::any_of(members_.begin(), members_.end(), [&](const auto& one) { return is_it(one.second); })) return;
        const Neighbour id = next_id_++;
        members_.emplace(id, Member{neighbour.name, *endpoint, neighbour.is_holder});
        loop_.spawn(listen(id));
    }

    void give_up(Neighbour id) {
        members_.at(id).is_over = true;
        chooser_.gone(id);
        share_draws();
        wake();
    }

    /// Whose parts would only be waited for: controllers notice it later.
    bool is_absent(const std::string& name) const {
        bool is_known = false;
        for (const auto& [id, member] : members_) {
            if (member.name != name) continue;
            if (!member.is_over && !member.is_away) return false;
            is_known = true;
        }
        return is_known;
    }

    /// Among the owners that can be reached.
    void share_draws() {
        if (!has_settled_) return;
        std::vector<std::string> present;
        for (const std::string& owner : owners_)
            if (!is_absent(owner)) present.push_back(owner);
        if (present.empty()) present.push_back(options_.self);
        if (std::exchange(present_owners_, present) != present) chooser_.set_owners(owners_of(std::move(present)));
    }

    /// Hears the member's news for as long as it is one.
    Task<> listen(Neighbour id) {
        Member& member = members_.at(id);
        uint64_t version = 0;
        while (!member.is_over) {
            auto news = co_await client_.news(member.endpoint, version, options_.news_wait_ms);
            if (member.is_over) co_return;
            member.is_heard = true;
            if (!news) {
                // A new connection was tried: nobody listens there.
                member.is_away |= news.error().kind() == ErrorKind::unreachable;
                const bool is_wrong = news.error().kind() == ErrorKind::corrupt;
                failed(id, news.error(), is_wrong && bans_.strike(member.name, Strike::wrong_bytes));
                co_await sleep_ms(kRetryMs);
                version = 0;
                continue;
            }
            if (!*news) continue;
            version = (*news)->version;
            member.news = std::move(**news);
            heard(id);
            if (std::exchange(member.is_away, false)) share_draws();
        }
    }

    void heard(Neighbour id) {
        const Member& member = members_.at(id);
        member.is_holder ? chooser_.has_all(id) : chooser_.has(id, *member.news);
        changed();
    }

    /// Who has failed once is asked again after a while, also when it has no other news.
    Task<> come_back(Neighbour id) {
        co_await sleep_ms(kRetryMs);
        const Member& member = members_.at(id);
        if (!member.is_over && member.news) heard(id);
    }

    /// A piece that it was asked for did not come, or was wrong.
    void failed(const Ask& ask, const Error& error) {
        const Neighbour id = *ask.of;
        if (error.kind() == ErrorKind::busy) return loop_.spawn(rest(ask));
        chooser_.failed(ask);
        const auto wrong = strike_of(error);
        failed(id, error, wrong && bans_.strike(members_.at(id).name, *wrong));
    }

    /// Too much to do is no failure, but it is asked again only after a while.
    Task<> rest(Ask ask) {
        co_await sleep_ms(kRetryMs);
        chooser_.failed(ask);
        wake();
    }

    /// So many in a row, and it is asked no more; at once when it is banned.
    void failed(Neighbour id, const Error& error, bool is_banned = false) {
        Member& member = members_.at(id);
        ++report_.failures;
        chooser_.gone(id);
        log_.debug("a member fails", {{"member", member.name}, {"error", error.line()}});
        member.is_away |= ++member.failures >= kAwayFailures;
        share_draws();
        if ((member.failures >= options_.strikes || is_banned) && !member.is_over) {
            ++report_.banned;
            give_up(id);
            meet_.cancel();  // another in its place
        } else if (!member.is_over) {
            loop_.spawn(come_back(id));
        }
        wake();
    }

    /// What is no wrong: to be away, to refuse, to have nothing any more.
    static std::optional<Strike> strike_of(const Error& error) {
        switch (error.kind()) {
            case ErrorKind::corrupt: return Strike::wrong_bytes;
            case ErrorKind::timeout:
            case ErrorKind::stalled:
                if (faults::broken("slow-piece")) return std::nullopt;
                return Strike::too_slow;
            default: return std::nullopt;
        }
    }

    bool all_are_here() const { return options_.settle_getters > 0 && getters_in_all_ >= options_.settle_getters; }

    SessionState state() const {
        SessionState out{.pieces = share_->table().pieces(), .drawn = chooser_.drawn()};
        for (const auto& [id, member] : members_) {
            out.neighbours += !member.is_over && !member.is_forgotten;
            if (member.is_over || member.failures > 0) out.troubled[member.name] = "unreachable";
            else if (chooser_.is_slow(id)) out.troubled[member.name] = "slow";
            else out.troubled.erase(member.name);  // it is back
        }
        for (const Bans::Banned& banned : bans_.banned()) out.troubled[banned.member] = name(banned.reason);
        return out;
    }

    // --- what is asked ---
    Task<> choose() {
        const Deadline settled = Deadline::in_ms(options_.settle_ms);
        while (!settled.passed() && !all_are_here()) co_await wait_ms(settled.left_ms() + 1);
        // Without a controller it gets on alone, until one answers.
        const Deadline met = Deadline::in_ms(kHearMs);
        while (!has_met_ && !met.passed()) co_await wait_ms(met.left_ms() + 1);
        // What neighbours have is not drawn: first all are heard, but for those that say nothing.
        const Deadline heard = Deadline::in_ms(kHearMs);
        while (!all_heard() && !heard.passed()) co_await wait_ms(heard.left_ms() + 1);
        co_await prove();
        has_settled_ = true;
        share_draws();
        while (!chooser_.mine().full()) {
            for (const Ask& ask : chooser_.next()) loop_.spawn(ask.of ? receive(ask) : draw(ask));
            if (chooser_.starving_ms() >= kStarvingMs && starved_.passed()) {
                is_starving_ = true, starved_ = Deadline::in_ms(kStarvingMs);
                meet_.cancel();
            }
            if (chooser_.budget().extra().wanted_bytes > wanted_bytes_) meet_.cancel();
            tell();
            if (options_.state && state_due_.passed()) options_.state(state()), state_due_ = Deadline::in_ms(kStateMs);
            co_await wait_ms(chooser_.wake_ms().value_or(kForEverMs));
        }
        ending_.request_stop();
    }

    /// Where others have made a snapshot of the revision, its manifest comes first, from whoever holds it: it says what
    /// each piece is, and nobody has to be believed.
    Task<> prove() {
        const Deadline until = Deadline::in_ms(kProveMs);
        std::set<Neighbour> asked;
        while (!report_.snapshot.empty() && !report_.is_proven && asked.size() < kManifestsMost && !until.passed()) {
            const auto holder = std::find_if(members_.begin(), members_.end(), [&](const auto& one) {
                return one.second.is_holder && !one.second.is_over && !asked.contains(one.first);
            });
            if (holder == members_.end()) co_return;
            asked.insert(holder->first);
            auto answer = co_await client_.manifest(holder->second.endpoint, until);
            if (!answer && answer.error().kind() == ErrorKind::not_found) continue;
            auto proven = answer ? co_await keeper_.prove(report_.snapshot, std::move(*answer)) : answer.error();
            if (!proven) {
                const auto wrong = strike_of(proven.error());
                failed(holder->first, proven.error(), wrong && bans_.strike(holder->second.name, *wrong));
                continue;
            }
            report_.is_proven = *proven;
            co_return;
        }
    }

    Task<> draw(Ask ask) {
        auto drawn = co_await keeper_.draw(ask.piece);
        if (!drawn) co_return end(std::move(drawn).error());
        came_of_origin(ask);
    }

    Task<> receive(Ask ask) {
        if (bans_.is_anybody_false())
            co_return end(Error(ErrorKind::corrupt, "another node has signed what is not so", options_.swarm));
        const net::Endpoint endpoint = members_.at(*ask.of).endpoint;
        if (is_to_compare(ask.piece)) co_return co_await compare(ask, endpoint);
        if (!came(ask, co_await keeper_.receive(ask.piece, endpoint))) co_return;
        members_.at(*ask.of).failures = 0;
        ++report_.pieces_received, report_.bytes_received += share_->table().at(ask.piece).size_bytes;
        arrived(ask);
    }

    /// What the snapshot's manifest proves is no question of what members say.
    bool is_to_compare(uint64_t piece) {
        if (report_.is_proven || faults::broken("compare")) return false;
        return chooser_.compares(piece, options_.compare_one_in * std::max<uint64_t>(1, members_in_all_));
    }

    /// Instead of receiving the piece: it comes from the origin, and what the member says of it is held against that.
    Task<> compare(Ask ask, net::Endpoint endpoint) {
        // As if to receive it: who lies must not know which pieces are compared.
        auto answer = co_await client_.piece(endpoint, ask.piece, share_->table().at(ask.piece).size_bytes);
        if (!answer) co_return failed(ask, answer.error());
        answer->body.reset();
        if (!came(ask, co_await keeper_.compare(ask.piece, std::move(answer->claim)))) co_return;
        ++report_.pieces_compared;
        came_of_origin(ask);
    }

    /// Whether it did; else whoever is at fault has been dealt with.
    bool came(const Ask& ask, Received received) {
        if (received.ours) end(std::move(*received.ours));
        else if (received.theirs) failed(ask, *received.theirs);
        else return true;
        return false;
    }

    void came_of_origin(const Ask& ask) {
        ++report_.pieces_drawn, report_.bytes_drawn += share_->table().at(ask.piece).size_bytes;
        arrived(ask);
    }

    void end(Error error) {
        if (!error_) error_ = std::move(error);
        ending_.request_stop();
    }

    void arrived(const Ask& ask) {
        chooser_.arrived(ask);
        changed();
    }

    /// Others are told, and the chooser is asked again.
    void changed() {
        tell();
        wake();
    }
    void tell() { share_->tell(chooser_.mine(), chooser_.there(), chooser_.drawing()); }

    // --- waiting ---
    static Task<> wait_on(asio::steady_timer& timer) {
        boost::system::error_code woken;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    void wake() {
        is_woken_ = true;
        wake_.cancel();
    }
    /// Until wake() was called since the last wait, or `ms` are over.
    Task<> wait_ms(uint64_t ms) {
        wake_.expires_after(std::chrono::milliseconds(ms));
        if (!is_woken_) co_await wait_on(wake_);
        is_woken_ = false;
    }

    const SessionOptions options_;
    const std::shared_ptr<Share> share_;
    Keeper& keeper_;
    Bans& bans_;
    transfer::Loop loop_;
    const std::unique_ptr<Introductions> introductions_;
    const std::unique_ptr<net::HttpClient> http_;
    PeerClient client_;
    Logger& log_;
    Chooser chooser_;
    std::vector<std::string> owners_, present_owners_;  ///< as introduced; of them, those that can be reached
    uint64_t members_in_all_ = 0, getters_in_all_ = 0;
    uint64_t wanted_bytes_ = 0;            ///< of extra, as controllers were told last
    std::map<Neighbour, Member> members_;  ///< never removed: who listens to one holds on to it
    Neighbour next_id_ = 0;
    bool has_met_ = false, has_settled_ = false, is_woken_ = false, is_starving_ = false;
    Deadline starved_ = Deadline::in_ms(0);  ///< not before that are others asked for again
    Deadline state_due_ = Deadline::in_ms(0);
    asio::steady_timer wake_, meet_;
    std::stop_source ending_;
    std::optional<Error> error_;
    SessionReport report_;
};

Session::Session(SessionOptions options, std::shared_ptr<Share> share, Keeper& keeper, Bans& bans,
                 const MakeHttp& make_http, const MakeIntroductions& make_introductions, const Clock& clock,
                 Random& random, Logger& log)
    : running_(std::make_unique<Running>(std::move(options), std::move(share), keeper, bans, make_http,
                                         make_introductions, clock, random, log)) {}

Session::~Session() = default;

Result<SessionReport> Session::run(std::stop_token stop) { return running_->run(stop); }

}  // namespace zcdp::swarm
