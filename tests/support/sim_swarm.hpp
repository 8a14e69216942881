// A swarm in memory: the production choosing and introducing over a fake clock and a network of links, from a seed.
//
// The network. Every member has an uplink and a downlink of the same rate. An uplink sends so many pieces at once as a
// peer's server has slots, in equal shares; of those that wait, the one that was sent least is next. A downlink takes
// one after the other, as they come (cut through: a piece that meets a free downlink is there when its last byte was
// sent), and what waits for it holds its slot meanwhile. The origin's link is shared by all that is drawn at once.
// News, requests and pieces take latency_ms; news that change are told together_ms later, as a server's long poll does.
// Nothing that was asked is taken back. What is compared comes of the origin instead. Who is lost says nothing any
// more: what was asked of it fails (its connection is reset), and after forget_ms the introducer knows it no more.
// Members meet the introducer as often as it says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "tests/support/sim_link.hpp"

#include "zcdp/base/assert.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/swarm/chooser.hpp"
#include "zcdp/swarm/introducer.hpp"
#include "zcdp/swarm/peer_server.hpp"

namespace zcdp::swarm {

struct SimOptions {
    uint64_t seed = 1;
    uint32_t receivers = 8;
    uint64_t pieces = 64;
    double piece_ms = 335;           ///< a piece on one link: 8 MiB at 200 Mbit/s
    double source_links = 1;         ///< the source's uplink, in links of a receiver
    double connection_links = 1e9;   ///< the most that one connection to the origin brings, in links
    bool source_is_member = false;   ///< a member that has all, instead of an origin
    double slow = 0, slow_by = 4;    ///< this share of the receivers has links so many times slower
    double lost = 0, lost_at = 0.5;  ///< this share is lost, when so much of S/B has gone by
    double hung = 0;                 ///< of those lost, this share hangs: what is asked of them is never answered
    double together_ms = 10, latency_ms = 1, starving_ms = 3'000, forget_ms = 30'000, timeout_ms = 30'000;
    uint32_t compare_one_in = 100;  ///< as SessionOptions has it
    bool controllers_go = false;    ///< nobody introduces once it has begun
    uint32_t slots = PeerServerOptions{}.slots;
    IntroducerOptions introducer = {.forget_ms = 1'000'000'000};  ///< who is lost leaves, after this one's forget_ms
    ChooserOptions chooser = {};
};

struct SimReport {
    uint32_t healthy = 0, finished = 0;  ///< receivers that were neither slow nor lost; all that were not lost
    double healthy_last = 0, last = 0;   ///< when the last of them had all, in S/B
    double drawn = 0;                    ///< pieces that the source has sent, in datasets
    double source_end = 0;               ///< when the source had begun its last piece, in S/B
    std::vector<double> uplinks;         ///< how much of the receivers' uplinks was used in each tenth of S/B
    uint64_t asked_twice = 0, taken_over = 0, lost = 0, compared = 0, over_budget = 0;
    uint32_t doomed = 0;  ///< receivers that were lost, or would have been
    bool ended = false;   ///< all that were not lost have all
};

class SimSwarm {
  public:
    explicit SimSwarm(const SimOptions& options)
        : options_(options), random_(options.seed), introducer_(clock_, random_, options.introducer) {}

    SimReport run() {
        make_members();
        const double limit_ms = 20 * total_ms() + 600'000;
        while (!events_.empty() && unfinished_ > 0) {
            const Event event = events_.top();
            events_.pop();
            if (event.at_ms > limit_ms) break;
            clock_.advance_ns(std::max<int64_t>(static_cast<int64_t>(event.at_ms * 1e6) - clock_.monotonic_ns(), 0));
            now_ms_ = std::max(now_ms_, event.at_ms);
            handle(event);
        }
        return report();
    }

  private:
    enum class What { asked, sent, drawn, arrived, failed, publish, wake, lose, silent, forget, meet, want, measure };
    struct Event {
        double at_ms;
        uint64_t order;
        What what;
        uint32_t member = 0;  ///< who it happens to
        uint32_t other = 0;
        Ask ask = {};
        bool operator<(const Event& other_event) const {
            return at_ms != other_event.at_ms ? at_ms > other_event.at_ms : order > other_event.order;
        }
    };
    struct Member {
        std::string name;
        std::unique_ptr<Chooser> chooser;
        std::shared_ptr<const Owners> owners;
        std::vector<std::string> introduced;          ///< as owners
        std::set<std::string> absent;                 ///< who cannot be reached
        std::vector<uint32_t> neighbours, listeners;  ///< whom it hears; who hears it
        SimLink uplink;
        uint64_t uplink_event = 0;  ///< the one that counts, of those about its uplink
        std::deque<SimSending> to_send;
        std::vector<uint32_t> sent;  ///< how often each piece was
        uint32_t sending = 0;        ///< slots that are taken
        bool doomed = false, lost = false, hung = false, publish_set = false;
        uint64_t again_ms = 0, wanted = 0;  ///< wanted: of extra, as the introducer was told
        double rate = 1, down_free_ms = 0, starved_ms = 0, done_ms = -1, wake_set_ms = 1e18;
    };
    static constexpr uint32_t kSource = 0;  ///< the source's number, when it is a member
    static constexpr uint32_t kOrigin = UINT32_MAX;
    static constexpr const char* kName = "simulated";

    double total_ms() const { return static_cast<double>(options_.pieces) * options_.piece_ms; }
    uint32_t first_receiver() const { return options_.source_is_member ? 1 : 0; }
    bool is_source(uint32_t member) const { return options_.source_is_member && member == kSource; }
    void at(double at_ms, What what, uint32_t member, uint32_t other = 0, Ask ask = {}) {
        events_.push({at_ms, order_++, what, member, other, ask});
    }

    // --- who is there ---
    void make_members() {
        members_.resize(options_.receivers + first_receiver());
        for (uint32_t i = 0; i < members_.size(); ++i) make(i);
        unfinished_ = options_.receivers - doomed_;
        // The first come before they know of the others; all meet again soon, until all are known.
        for (int round = 0; round < 3; ++round)
            for (uint32_t i = 0; i < members_.size(); ++i) meet(i);
        origin_.set_rate(options_.source_links / options_.piece_ms, options_.connection_links / options_.piece_ms);
        at(total_ms() / 10, What::measure, 0);
        has_settled_ = true;
        for (uint32_t i = first_receiver(); i < members_.size(); ++i) {
            members_[i].chooser->set_owners(members_[i].owners), step(i);
            at(static_cast<double>(members_[i].again_ms), What::meet, i);
        }
    }

    void make(uint32_t index) {
        Member& member = members_[index];
        member.name = "node-" + std::to_string(index);
        member.sent.resize(options_.pieces);
        if (is_source(index)) {
            member.rate = options_.source_links;
        } else {
            member.chooser = std::make_unique<Chooser>(member.name, HaveMap(options_.pieces), owners_of({}), clock_,
                                                       random_, options_.chooser);
            if (random_.unit() < options_.slow) member.rate = 1 / options_.slow_by;
            if (random_.unit() < options_.lost) {
                at(options_.lost_at * total_ms(), What::lose, index, random_.unit() < options_.hung);
                member.doomed = true, ++doomed_;
            }
        }
        member.uplink.set_rate(member.rate / options_.piece_ms, 1e9);
    }

    /// All that have heard the same share one.
    std::shared_ptr<const Owners> owners_of(const std::vector<std::string>& names) {
        if (!owners_ || owners_->members() != names) owners_ = std::make_shared<const Owners>(Revision(kName), names);
        return owners_;
    }

    /// As a session does.
    void meet(uint32_t index, bool is_starving = false) {
        if (has_settled_ && options_.controllers_go) return;
        Member& member = members_[index];
        MemberNews news{.name = member.name, .address = "10.0.0.1:7443", .is_holder = is_source(index)};
        for (const uint32_t neighbour : member.neighbours) news.neighbours.push_back(members_[neighbour].name);
        if (is_starving) news.neighbours.resize(news.neighbours.size() / 4);
        if (!is_source(index)) {
            news.drawn_bytes = member.chooser->budget().drawn_bytes(), news.extra = member.chooser->budget().extra();
            member.wanted = news.extra.wanted_bytes;
        }
        const auto met = introducer_.meet(kName, news);
        ZCDP_ASSERT(met);
        if (is_source(index)) return;
        member.again_ms = met->again_ms;
        member.chooser->heard_members(met->members);
        member.chooser->budget().heard(met->drawn_bytes, news.drawn_bytes, met->granted_bytes);
        for (const std::string& gone : met->gone) part(index, number_of(gone));
        member.introduced = met->owners;
        share_draws(member);
        for (const auto& neighbour : met->neighbours) add(index, number_of(neighbour.name));
    }

    /// As a session does: among the owners that can be reached.
    void share_draws(Member& member) {
        std::vector<std::string> present;
        for (const std::string& owner : member.introduced)
            if (!member.absent.contains(owner)) present.push_back(owner);
        if (present.empty()) present.push_back(member.name);
        if (member.owners && member.owners->members() == present) return;
        member.owners = owners_of(present);
        if (has_settled_) member.chooser->set_owners(member.owners);
    }

    static uint32_t number_of(const std::string& name) {
        return static_cast<uint32_t>(std::stoul(name.substr(std::string("node-").size())));
    }

    void add(uint32_t index, uint32_t neighbour) {
        auto& mine = members_[index].neighbours;
        if (std::find(mine.begin(), mine.end(), neighbour) != mine.end()) return;
        mine.push_back(neighbour);
        members_[neighbour].listeners.push_back(index);
        if (!members_[neighbour].lost) hear(index, neighbour);
    }

    void part(uint32_t index, uint32_t neighbour) {
        std::erase(members_[index].neighbours, neighbour);
        std::erase(members_[neighbour].listeners, index);
        members_[index].chooser->gone(neighbour);
    }

    void hear(uint32_t index, uint32_t from) {
        if (is_source(from)) return members_[index].chooser->has_all(from);
        const Chooser& other = *members_[from].chooser;
        members_[index].chooser->has(from, News{0, other.mine(), other.there(), other.drawing(), load_of(from)});
    }

    void handle(const Event& event) {
        switch (event.what) {
            case What::asked: return asked(event.member, event.other, event.ask);
            case What::sent: return sent(event.member, event.order);
            case What::drawn: return drawn(event.order);
            case What::arrived: return arrived(event.member, event.other, event.ask);
            case What::failed: return failed(event.member, event.ask);
            case What::publish: return publish(event.member);
            case What::wake: return wake(event.member, event.at_ms);
            case What::lose: return lose(event.member, event.other);
            case What::forget: return forget();
            case What::silent: return silent(event.member);
            case What::meet: return meet_again(event.member);
            case What::want: return want(event.member);
            case What::measure: return measure();
        }
    }

    void wake(uint32_t index, double at_ms) {
        Member& member = members_[index];
        if (member.lost || at_ms != member.wake_set_ms) return;  // it is to be woken sooner
        member.wake_set_ms = 1e18;
        step(index);
        if (static_cast<double>(member.chooser->starving_ms()) < options_.starving_ms) return;
        if (now_ms_ - member.starved_ms < options_.starving_ms) return;
        member.starved_ms = now_ms_;
        meet(index, true);
        step(index);
    }

    void step(uint32_t index) {
        Member& member = members_[index];
        for (const Ask& ask : member.chooser->next()) {
            if (!ask.of) draw(index, ask);
            else if (compares(index, ask)) ++compared_, draw(index, ask);
            else at(now_ms_ + options_.latency_ms, What::asked, *ask.of, index, ask);
        }
        const uint64_t wanted = member.chooser->budget().extra().wanted_bytes;
        if (wanted > member.wanted && !options_.controllers_go) {
            member.wanted = wanted;
            at(now_ms_ + options_.latency_ms, What::want, index);
        }
        if (const auto wake = member.chooser->wake_ms()) {
            const double at_ms = now_ms_ + static_cast<double>(*wake) + 1;
            if (at_ms < member.wake_set_ms) member.wake_set_ms = at_ms, at(at_ms, What::wake, index);
        }
    }

    bool compares(uint32_t index, const Ask& ask) {
        if (options_.source_is_member || members_[*ask.of].lost) return false;
        return members_[index].chooser->compares(ask.piece, options_.compare_one_in * uint64_t{options_.receivers});
    }

    /// Its neighbours are to hear from it.
    void tell(uint32_t index) {
        Member& member = members_[index];
        if (member.publish_set) return;
        member.publish_set = true;
        at(now_ms_ + options_.together_ms + options_.latency_ms, What::publish, index);
    }

    void publish(uint32_t index) {
        Member& member = members_[index];
        member.publish_set = false;
        if (member.lost) return;
        for (const uint32_t listener : member.listeners) {
            Chooser& chooser = *members_[listener].chooser;
            if (members_[listener].lost || chooser.mine().full()) continue;
            const uint64_t there = chooser.there().count();
            hear(listener, index);
            step(listener);
            if (chooser.there().count() != there) tell(listener);  // what it learnt
        }
    }

    // --- between members ---
    void asked(uint32_t index, uint32_t by, const Ask& ask) {
        Member& member = members_[index];
        if (member.hung) return at(now_ms_ + options_.timeout_ms, What::failed, by, 0, ask);
        if (member.lost) return at(now_ms_ + options_.latency_ms, What::failed, by, 0, ask);
        member.to_send.push_back({by, ask});
        send(index);
        tell(index);
    }

    uint64_t load_of(uint32_t index) const { return members_[index].sending + members_[index].to_send.size(); }

    void failed(uint32_t index, const Ask& ask) {
        Member& member = members_[index];
        if (member.lost) return;
        member.chooser->failed(ask);
        if (ask.of) member.chooser->gone(*ask.of);
        step(index);
    }

    /// Fills its slots.
    void send(uint32_t index) {
        Member& member = members_[index];
        bool has_begun = false;
        while (!member.to_send.empty() && member.sending < options_.slots) {
            const auto next = std::min_element(
                member.to_send.begin(), member.to_send.end(),
                [&](const auto& a, const auto& b) { return member.sent[a.ask.piece] < member.sent[b.ask.piece]; });
            const SimSending what = *next;
            member.to_send.erase(next);
            if (members_[what.to].lost) continue;
            ++member.sent[what.ask.piece], ++member.sending;
            if (is_source(index)) ++drawn_, source_end_ms_ = now_ms_;
            member.uplink.begin(now_ms_, what);
            has_begun = true;
        }
        if (has_begun) await_uplink(index);
    }

    void await_uplink(uint32_t index) {
        Member& member = members_[index];
        const auto ends_ms = member.uplink.ends_ms();
        member.uplink_event = order_;
        if (ends_ms) at(std::max(*ends_ms, now_ms_), What::sent, index);
    }

    void sent(uint32_t index, uint64_t event) {
        Member& member = members_[index];
        if (event != member.uplink_event || member.uplink.sending() == 0) return;  // another has begun since
        deliver(member.uplink.end(now_ms_), index);
        await_uplink(index);
    }

    void deliver(const SimSending& what, uint32_t from) {
        Member& receiver = members_[what.to];
        const double begins_ms = std::max(receiver.down_free_ms, what.began_ms);
        receiver.down_free_ms = std::max(now_ms_, begins_ms + options_.piece_ms / receiver.rate);
        at(receiver.down_free_ms + options_.latency_ms, What::arrived, what.to, from, what.ask);
    }

    void arrived(uint32_t index, uint32_t from, const Ask& ask) {
        Member& member = members_[index];
        if (from != kOrigin) --members_[from].sending;
        if (!member.lost) take(index, ask);
        if (from != kOrigin && !members_[from].lost) send(from), tell(from);
    }

    void take(uint32_t index, const Ask& ask) {
        Member& member = members_[index];
        const bool was_full = member.chooser->mine().full();
        member.chooser->arrived(ask);
        if (!was_full && member.chooser->mine().full() && !member.doomed) {
            member.done_ms = now_ms_;
            --unfinished_;
        }
        step(index);
        tell(index);
    }

    // --- the origin ---
    void draw(uint32_t index, const Ask& ask) {
        origin_.begin(now_ms_, {index, ask});
        ++drawn_, source_end_ms_ = now_ms_;
        await_origin();
        tell(index);
    }
    void await_origin() {
        const auto ends_ms = origin_.ends_ms();
        origin_event_ = order_;
        if (ends_ms) at(std::max(*ends_ms, now_ms_), What::drawn, 0);
    }
    void drawn(uint64_t event) {
        if (event != origin_event_ || origin_.sending() == 0) return;  // another draw has begun since
        deliver(origin_.end(now_ms_), kOrigin);
        await_origin();
    }

    // --- losses ---
    void lose(uint32_t index, bool hangs) {
        Member& member = members_[index];
        member.lost = true, member.hung = hangs;
        const double failed_ms = now_ms_ + (hangs ? options_.timeout_ms : options_.latency_ms);
        for (const SimSending& one : member.to_send) at(failed_ms, What::failed, one.to, 0, one.ask);
        for (const SimSending& one : member.uplink.break_off()) at(failed_ms, What::failed, one.to, 0, one.ask);
        member.to_send.clear();
        at(hangs ? failed_ms : now_ms_, What::silent, index);
        if (!forget_set_) forget_set_ = true, at(now_ms_ + options_.forget_ms, What::forget, 0);
    }

    void silent(uint32_t index) {
        for (const uint32_t listener : members_[index].listeners) {
            Member& member = members_[listener];
            if (member.lost) continue;
            member.chooser->gone(index);
            member.absent.insert(members_[index].name);
            share_draws(member);
            step(listener);
        }
    }

    /// The introducer has not heard of the lost for a while; the others hear that when they meet it next, and get new
    /// neighbours.
    void forget() {
        for (const Member& member : members_)
            if (member.lost) introducer_.leave(kName, member.name);
    }

    void meet_again(uint32_t index) {
        if (members_[index].lost || members_[index].done_ms >= 0) return;
        meet(index);
        step(index);
        at(now_ms_ + static_cast<double>(members_[index].again_ms) * (0.9 + 0.1 * random_.unit()), What::meet, index);
    }

    void want(uint32_t index) {
        if (members_[index].lost || members_[index].done_ms >= 0) return;
        meet(index);
        step(index);
    }

    // --- what is reported ---
    void measure() {
        double sent = 0, rates = 0;
        for (uint32_t i = first_receiver(); i < members_.size(); ++i)
            sent += members_[i].uplink.sent(), rates += members_[i].lost ? 0 : members_[i].rate;
        uplinks_.push_back((sent - uplinks_sent_) / (rates * static_cast<double>(options_.pieces) / 10));
        uplinks_sent_ = sent;
        at(now_ms_ + total_ms() / 10, What::measure, 0);
    }

    SimReport report() const {
        SimReport out;
        out.drawn = static_cast<double>(drawn_) / static_cast<double>(options_.pieces);
        out.compared = compared_;
        out.source_end = source_end_ms_ / total_ms();
        out.uplinks = uplinks_;
        for (uint32_t i = first_receiver(); i < members_.size(); ++i) {
            const Member& member = members_[i];
            out.asked_twice += member.chooser->asked_twice();
            out.taken_over += member.chooser->draws().taken_over();
            out.lost += member.chooser->lost(), out.over_budget += member.chooser->drawn().over_budget;
            out.doomed += member.doomed;
            if (member.doomed) continue;
            out.finished += member.done_ms >= 0;
            out.last = std::max(out.last, member.done_ms / total_ms());
            if (member.rate < 1) continue;
            ++out.healthy;
            out.healthy_last = std::max(out.healthy_last, member.done_ms / total_ms());
        }
        out.ended = unfinished_ == 0;
        return out;
    }

    const SimOptions options_;
    ManualClock clock_{0};
    SeededRandom random_;
    Introducer introducer_;
    std::shared_ptr<const Owners> owners_;
    std::vector<Member> members_;
    std::priority_queue<Event> events_;
    SimLink origin_;
    double now_ms_ = 0, source_end_ms_ = 0, uplinks_sent_ = 0;
    std::vector<double> uplinks_;
    uint64_t order_ = 0, origin_event_ = 0, drawn_ = 0, compared_ = 0;
    uint32_t unfinished_ = 0, doomed_ = 0;
    bool has_settled_ = false, forget_set_ = false;
};

}  // namespace zcdp::swarm
