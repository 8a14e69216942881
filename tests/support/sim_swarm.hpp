// A swarm in memory: the production choosing over a fake clock and a network of links, from a seed.
//
// The network. Every member has an uplink and a downlink. An uplink sends one piece after the other, in the order
// asked; a downlink takes one after the other, as they come (cut through: a piece that meets a free downlink is there
// when its last byte was sent). The origin's link is shared by all that is drawn at once, as TCP shares it. Have-maps
// reach the neighbours at once, but a member sends them no more often than every gossip_ms. Who is lost says nothing
// any more: what was asked of it fails (its connection is reset), and after forget_ms the others' members' list is
// without it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/swarm/chooser.hpp"

namespace zcdp::swarm {

struct SimOptions {
    uint64_t seed = 1;
    uint32_t receivers = 8;
    uint64_t pieces = 64;
    double piece_ms = 335;           ///< a piece on one link: 8 MiB at 200 Mbit/s
    double source_links = 1;         ///< the source's uplink, in links of a receiver
    bool source_is_member = false;   ///< a member that has all, instead of an origin
    double slow = 0, slow_by = 4;    ///< this share of the receivers has links so many times slower
    double lost = 0, lost_at = 0.5;  ///< this share is lost, when so much of S/B has gone by
    double hung = 0;                 ///< of those lost, this share hangs: what is asked of them is never answered
    double gossip_ms = 50, latency_ms = 1, meet_ms = 5'000, forget_ms = 15'000, timeout_ms = 30'000;
    uint32_t degree = 16, owners_most = 64;
    ChooserOptions chooser = {};
};

struct SimReport {
    uint32_t healthy = 0, finished = 0;  ///< receivers that were neither slow nor lost; all that were not lost
    double healthy_last = 0, last = 0;   ///< when the last of them had all, in S/B
    double drawn = 0;                    ///< pieces that the source has sent, in datasets
    uint64_t asked_twice = 0, taken_over = 0, lost = 0;
    bool ended = false;  ///< all that were not lost have all
};

class SimSwarm {
  public:
    explicit SimSwarm(const SimOptions& options) : options_(options), random_(options.seed) {}

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
    enum class What { asked, sent, arrived, failed, publish, wake, drawn, lose, forget };
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
        std::unique_ptr<Chooser> chooser;
        std::vector<uint32_t> neighbours;
        std::deque<std::pair<uint32_t, Ask>> to_send;
        std::vector<uint32_t> sent;  ///< how often each piece was
        bool doomed = false, lost = false, hung = false, sending = false, publish_set = false;
        double rate = 1, down_free_ms = 0, met_ms = 0, published_ms = -1e9, done_ms = -1, wake_set_ms = 1e18;
    };
    static constexpr uint32_t kSource = 0;  ///< the source's number, when it is a member

    double total_ms() const { return static_cast<double>(options_.pieces) * options_.piece_ms; }
    uint32_t first_receiver() const { return options_.source_is_member ? 1 : 0; }
    void at(double at_ms, What what, uint32_t member, uint32_t other = 0, Ask ask = {}) {
        events_.push({at_ms, order_++, what, member, other, ask});
    }

    void make_members() {
        const uint32_t count = options_.receivers + first_receiver();
        std::vector<std::string> names;
        for (uint32_t i = first_receiver(); i < count; ++i) names.push_back(name_of(i));
        owners_ = owners_of(names);
        members_.resize(count);
        for (Member& member : members_) member.sent.resize(options_.pieces);
        for (uint32_t i = first_receiver(); i < count; ++i) {
            members_[i].chooser = std::make_unique<Chooser>(name_of(i), HaveMap(options_.pieces), owners_, clock_,
                                                            random_, options_.chooser);
            if (random_.unit() < options_.slow) members_[i].rate = 1 / options_.slow_by;
            if (random_.unit() < options_.lost) {
                at(options_.lost_at * total_ms(), What::lose, i, random_.unit() < options_.hung);
                members_[i].doomed = true, ++doomed_;
            }
        }
        unfinished_ = options_.receivers - doomed_;
        if (options_.source_is_member) members_[kSource].rate = options_.source_links;
        for (uint32_t i = first_receiver(); i < count; ++i) meet(i);
        for (uint32_t i = first_receiver(); i < count; ++i) step(i);
    }

    std::shared_ptr<const Owners> owners_of(std::vector<std::string> names) const {
        if (names.size() > options_.owners_most) names.resize(options_.owners_most);
        return std::make_shared<const Owners>(Revision("simulated"), std::move(names));
    }
    static std::string name_of(uint32_t member) { return "node-" + std::to_string(member); }

    /// Half its neighbours choose it, half it chooses itself.
    void meet(uint32_t member) {
        members_[member].met_ms = now_ms_;
        if (options_.source_is_member) members_[member].chooser->has_all(kSource);
        const uint32_t others = options_.receivers - 1;
        for (uint32_t tries = 0, met = 0; met < std::min(options_.degree / 2, others) && tries < 100; ++tries) {
            const auto other = static_cast<uint32_t>(first_receiver() + random_.below(options_.receivers));
            auto& mine = members_[member].neighbours;
            if (other == member || members_[other].lost) continue;
            ++met;
            if (std::find(mine.begin(), mine.end(), other) != mine.end()) continue;
            mine.push_back(other);
            members_[other].neighbours.push_back(member);
            hear(member, other), hear(other, member);
        }
    }

    void hear(uint32_t member, uint32_t from) {
        const Chooser& other = *members_[from].chooser;
        members_[member].chooser->has(from, News{0, other.mine(), other.there(), other.drawing()});
    }

    void handle(const Event& event) {
        Member& member = members_[event.member];
        switch (event.what) {
            case What::asked: return asked(event.member, event.other, event.ask);
            case What::sent: return sent(event.member, event.other, event.ask);
            case What::arrived: return arrived(event.member, event.ask);
            case What::failed:
                if (!member.lost) member.chooser->failed(event.ask), step(event.member);
                return;
            case What::publish: return publish(event.member);
            case What::wake:
                member.wake_set_ms = 1e18;
                if (member.lost) return;
                if (member.chooser->starving_ms() > 0 && now_ms_ - member.met_ms >= options_.meet_ms)
                    meet(event.member);
                return step(event.member);
            case What::drawn: return drawn(event.order);
            case What::lose: return lose(event.member, event.other);
            case What::forget: return forget();
        }
    }

    void step(uint32_t index) {
        Member& member = members_[index];
        for (const Ask& ask : member.chooser->next()) {
            if (!ask.of) draw(index, ask);
            else at(now_ms_ + options_.latency_ms, What::asked, *ask.of, index, ask);
        }
        if (const auto wake = member.chooser->wake_ms()) {
            const double at_ms = now_ms_ + static_cast<double>(*wake) + 1;
            if (at_ms < member.wake_set_ms) member.wake_set_ms = at_ms, at(at_ms, What::wake, index);
        }
    }

    /// Its neighbours are to hear from it, once it may speak again.
    void tell(uint32_t index) {
        Member& member = members_[index];
        if (member.publish_set) return;
        member.publish_set = true;
        at(std::max(now_ms_, member.published_ms + options_.gossip_ms), What::publish, index);
    }

    // --- between members ---
    void asked(uint32_t index, uint32_t by, const Ask& ask) {
        Member& member = members_[index];
        if (member.hung) return at(now_ms_ + options_.timeout_ms, What::failed, by, 0, ask);
        if (member.lost) return at(now_ms_ + options_.latency_ms, What::failed, by, 0, ask);
        member.to_send.emplace_back(by, ask);
        if (!member.sending) send_next(index);
    }

    void send_next(uint32_t index) {
        Member& member = members_[index];
        member.sending = false;
        while (!member.to_send.empty()) {
            const auto next =
                std::min_element(member.to_send.begin(), member.to_send.end(), [&](const auto& a, const auto& b) {
                    return member.sent[a.second.piece] < member.sent[b.second.piece];
                });
            const auto [to, ask] = *next;
            member.to_send.erase(next);
            // Had already, or gone: it has taken its request back.
            if (members_[to].lost || members_[to].chooser->mine().has(ask.piece)) continue;
            member.sending = true;
            ++member.sent[ask.piece];
            if (options_.source_is_member && index == kSource) ++drawn_;
            return at(now_ms_ + options_.piece_ms / member.rate, What::sent, index, to, ask);
        }
    }

    void sent(uint32_t index, uint32_t to, const Ask& ask) {
        if (!members_[index].lost) deliver(to, ask);
        send_next(index);
    }

    void deliver(uint32_t to, const Ask& ask) {
        Member& receiver = members_[to];
        if (receiver.lost) return;
        receiver.down_free_ms =
            std::max(now_ms_, receiver.down_free_ms + options_.piece_ms / receiver.rate) + options_.latency_ms;
        at(receiver.down_free_ms, What::arrived, to, 0, ask);
    }

    void arrived(uint32_t index, const Ask& ask) {
        Member& member = members_[index];
        if (member.lost) return;
        const bool was_full = member.chooser->mine().full();
        member.chooser->arrived(ask);
        if (!was_full && member.chooser->mine().full() && !member.doomed) {
            member.done_ms = now_ms_;
            --unfinished_;
        }
        step(index);
        tell(index);
    }

    void publish(uint32_t index) {
        Member& member = members_[index];
        member.publish_set = false, member.published_ms = now_ms_;
        if (member.lost) return;
        for (const uint32_t neighbour : member.neighbours) {
            if (members_[neighbour].lost || members_[neighbour].chooser->mine().full()) continue;
            const uint64_t there = members_[neighbour].chooser->there().count();
            hear(neighbour, index);
            step(neighbour);
            if (members_[neighbour].chooser->there().count() != there) tell(neighbour);  // what it learnt
        }
    }

    // --- the origin: its link is shared by all draws; work is counted in pieces, as virtual time ---
    struct Drawing {
        double ends;  ///< in virtual time
        uint32_t member;
        Ask ask;
        bool operator<(const Drawing& other) const { return ends > other.ends; }
    };
    void progress_origin() {
        if (!drawing_.empty())
            virtual_ += (now_ms_ - virtual_at_ms_) * options_.source_links / options_.piece_ms /
                        static_cast<double>(drawing_.size());
        virtual_at_ms_ = now_ms_;
    }
    void schedule_origin() {
        if (drawing_.empty()) return;
        const double left = drawing_.top().ends - virtual_;
        origin_event_ = order_;
        at(now_ms_ +
               std::max(left, 0.0) * options_.piece_ms / options_.source_links * static_cast<double>(drawing_.size()),
           What::drawn, 0);
    }
    void draw(uint32_t index, const Ask& ask) {
        progress_origin();
        drawing_.push({virtual_ + 1, index, ask});
        ++drawn_;
        schedule_origin();
        tell(index);
    }
    void drawn(uint64_t event) {
        if (event != origin_event_ || drawing_.empty()) return;  // another draw has begun since
        progress_origin();
        const Drawing done = drawing_.top();
        drawing_.pop();
        deliver(done.member, done.ask);
        schedule_origin();
    }

    // --- losses ---
    void lose(uint32_t index, bool hangs) {
        Member& member = members_[index];
        member.lost = true, member.hung = hangs;
        for (const auto& [to, ask] : member.to_send)
            at(now_ms_ + (hangs ? options_.timeout_ms : options_.latency_ms), What::failed, to, 0, ask);
        member.to_send.clear();
        if (!hangs)
            for (const uint32_t neighbour : member.neighbours)
                if (!members_[neighbour].lost) members_[neighbour].chooser->gone(index), step(neighbour);
        if (!forget_set_) forget_set_ = true, at(now_ms_ + options_.forget_ms, What::forget, 0);
    }
    /// The controllers have not heard of the lost for a while: the others are told, and get new neighbours.
    void forget() {
        std::vector<std::string> names;
        for (uint32_t i = first_receiver(); i < members_.size(); ++i)
            if (!members_[i].lost) names.push_back(name_of(i));
        owners_ = owners_of(names);
        for (uint32_t i = first_receiver(); i < members_.size(); ++i) {
            Member& member = members_[i];
            if (member.lost) continue;
            std::erase_if(member.neighbours, [&](uint32_t other) {
                if (members_[other].lost) member.chooser->gone(other);
                return members_[other].lost;
            });
            member.chooser->set_owners(owners_);
            if (member.neighbours.size() < options_.degree / 2) meet(i);
            step(i);
        }
    }

    SimReport report() const {
        SimReport out;
        out.drawn = static_cast<double>(drawn_) / static_cast<double>(options_.pieces);
        for (uint32_t i = first_receiver(); i < members_.size(); ++i) {
            const Member& member = members_[i];
            out.asked_twice += member.chooser->asked_twice();
            out.taken_over += member.chooser->draws().taken_over();
            out.lost += member.chooser->lost();
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
    std::shared_ptr<const Owners> owners_;
    std::vector<Member> members_;
    std::priority_queue<Event> events_;
    std::priority_queue<Drawing> drawing_;
    double now_ms_ = 0, virtual_ = 0, virtual_at_ms_ = 0;
    uint64_t order_ = 0, origin_event_ = 0, drawn_ = 0;
    uint32_t unfinished_ = 0, doomed_ = 0;
    bool forget_set_ = false;
};

}  // namespace zcdp::swarm
