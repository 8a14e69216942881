#include "zcdp/swarm/introducer.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "src/swarm/milliseconds.hpp"

#include "zcdp/base/digest.hpp"

namespace zcdp::swarm {
namespace {

constexpr size_t kTextBytesMost = 256;
constexpr size_t kLookedAt = 512;        // members, to find neighbours for one
constexpr int64_t kForgetMs = 1'000;     // the silent are looked for so often
constexpr uint64_t kNewsWhileYoung = 4;  // rounds of them, at least
constexpr uint64_t kDrawnMost = 1ull << 60;

/// The same for whoever asks, in an order that no name can choose for itself but by trying.
uint64_t rank_of(const std::string& swarm, const std::string& member) {
    const Sha256Bytes hash = Sha256::of(swarm + '\0' + member);
    uint64_t rank = 0;
    for (size_t i = 0; i < 8; ++i) rank = rank << 8 | hash[i];
    return rank;
}

/// A number that only grows but for when its member began anew. What members say is no reason to overflow.
void add_growth(uint64_t& sum, uint64_t before, uint64_t now) {
    sum = std::min(kDrawnMost, sum + std::min(kDrawnMost, now >= before ? now - before : now));
}

Result<> check(const std::string& swarm, const MemberNews& news) {
    if (!is_member_word(swarm)) return Error(ErrorKind::refused, "is no swarm's name", swarm.substr(0, kTextBytesMost));
    if (!is_member_word(news.name) || !is_member_word(news.address) ||
        (!news.zone.empty() && !is_member_word(news.zone)))
        return Error(ErrorKind::refused, "has a name, an address or a zone that is none",
                     news.name.substr(0, kTextBytesMost));
    return {};
}

}  // namespace

bool is_member_word(std::string_view text) {
    return !text.empty() && text.size() <= kTextBytesMost &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

Introducer::Introducer(const Clock& clock, Random& random, IntroducerOptions options)
    : clock_(clock), random_(random), options_(options) {}

// --- who is there ---

void Introducer::enlist(Swarm& swarm, Member& member) {
    auto& list = member.news.is_holder ? swarm.holders : swarm.getters;
    member.place = list.size();
    list.push_back(&member);
    swarm.owners_known = false;
}

void Introducer::strike_off(Swarm& swarm, Member& member) {
    auto& list = member.news.is_holder ? swarm.holders : swarm.getters;
    list[member.place] = list.back();
    list[member.place]->place = member.place;
    list.pop_back();
    swarm.owners_known = false;
}

void Introducer::forget(Swarm& swarm, std::map<std::string, Member>::iterator member) {
    strike_off(swarm, member->second);
    swarm.members.erase(member);
}

void Introducer::forget_silent(Swarm& swarm) const {
    const int64_t since = clock_.monotonic_ns() - static_cast<int64_t>(options_.forget_ms) * kNsPerMs;
    for (auto member = swarm.members.begin(); member != swarm.members.end();) {
        const auto next = std::next(member);
        if (member->second.heard_ns < since) forget(swarm, member);
        member = next;
    }
    if (swarm.members.empty()) swarm.drawn_bytes = swarm.granted_bytes = 0;
    swarm.forgot_ns = clock_.monotonic_ns();
}

void Introducer::forget_silent() {
    for (auto& [name, swarm] : swarms_) forget_silent(swarm);
    std::erase_if(swarms_, [](const auto& swarm) { return swarm.second.members.empty(); });
}

void Introducer::leave(const std::string& name, const std::string& member) {
    const auto found = swarms_.find(name);
    if (found == swarms_.end()) return;
    Swarm& swarm = found->second;
    if (const auto at = swarm.members.find(member); at != swarm.members.end()) forget(swarm, at);
    if (swarm.members.empty()) swarms_.erase(found);
}

Introducer::Member& Introducer::hear(Swarm& swarm, const std::string& name, const MemberNews& news) const {
    const auto [at, is_new] = swarm.members.try_emplace(news.name);
    Member& member = at->second;
    if (is_new) member.rank = rank_of(name, news.name), swarm.grew_ns = clock_.monotonic_ns();
    const bool is_other = is_new || member.news.is_holder != news.is_holder;
    if (is_other && !is_new) strike_off(swarm, member);
    add_growth(swarm.drawn_bytes, member.news.drawn_bytes, news.drawn_bytes);
    member.news = news, member.heard_ns = clock_.monotonic_ns();
    if (is_other) enlist(swarm, member);
    return member;
}

/// Made when it is new.
Result<Introducer::Swarm*> Introducer::swarm_of(const std::string& name, const MemberNews& news) {
    ZCDP_CHECK(check(name, news));
    if (!swarms_.contains(name) && swarms_.size() >= options_.swarms_most) forget_silent();
    if (!swarms_.contains(name) && swarms_.size() >= options_.swarms_most)
        return Error(ErrorKind::refused, "there are too many swarms", name);
    const auto [at, is_new] = swarms_.try_emplace(name);
    // One that was before this introducer: its members say first what they were given.
    const bool is_older = news.drawn_bytes > 0 || !news.neighbours.empty();
    if (is_new && is_older)
        at->second.grants_from_ns = clock_.monotonic_ns() + static_cast<int64_t>(options_.again_ms) * kNsPerMs;
    return &at->second;
}

uint64_t Introducer::grant(Swarm& swarm, Member& member) const {
    const Extra& extra = member.news.extra;
    const auto give = [&](uint64_t bytes) { member.granted_bytes += bytes, swarm.granted_bytes += bytes; };
    const uint64_t given_before = std::min(kDrawnMost, extra.granted_bytes);
    give(given_before - std::min(given_before, member.granted_bytes));
    const bool is_early = clock_.monotonic_ns() < swarm.grants_from_ns;
    const uint64_t left = is_early ? 0 : extra.most_bytes - std::min(extra.most_bytes, swarm.granted_bytes);
    give(std::min(left, extra.wanted_bytes - std::min(extra.wanted_bytes, member.granted_bytes)));
    return member.granted_bytes;
}

Result<Introducer::Member*> Introducer::take(Swarm& swarm, const std::string& name, const MemberNews& news) const {
    if (!swarm.members.contains(news.name) && swarm.members.size() >= options_.members_most)
        return Error(ErrorKind::refused, "the swarm has too many members", name);
    return &hear(swarm, name, news);
}

/// Nobody waits for it, so the swarm is no younger for it.
Result<> Introducer::hear_of_holder(const std::string& name, const MemberNews& holder) {
    ZCDP_TRY(Swarm* const swarm, swarm_of(name, holder));
    const auto known = swarm->members.find(holder.name);
    if (known != swarm->members.end() && !known->second.news.is_holder) return {};
    const int64_t grew_ns = swarm->grew_ns;
    ZCDP_CHECK(take(*swarm, name, holder));
    swarm->grew_ns = grew_ns;
    return {};
}

Result<Introduction> Introducer::meet(const std::string& name, const MemberNews& news) {
    ZCDP_TRY(Swarm* const found, swarm_of(name, news));
    Swarm& swarm = *found;
    if (clock_.monotonic_ns() - swarm.forgot_ns >= kForgetMs * kNsPerMs) forget_silent(swarm);
    ZCDP_TRY(Member* const taken, take(swarm, name, news));
    Member& member = *taken;
    Introduction out;
    out.owners = owners_of(swarm);
    out.members = swarm.members.size(), out.holders = swarm.holders.size();
    out.drawn_bytes = swarm.drawn_bytes, out.granted_bytes = grant(swarm, member);
    for (const std::string& neighbour : news.neighbours)
        if (!swarm.members.contains(neighbour)) out.gone.push_back(neighbour);
    if (!news.is_holder) introduce(swarm, member, out);
    out.again_ms = again_ms(swarm);
    return out;
}

uint64_t Introducer::again_ms(const Swarm& swarm) const {
    const uint64_t soon_ms =
        std::max(options_.young_again_ms, 1'000 * swarm.members.size() / options_.news_a_second_most);
    const uint64_t young_ms = std::max(options_.young_ms, kNewsWhileYoung * soon_ms);
    const bool is_young = clock_.monotonic_ns() - swarm.grew_ns < static_cast<int64_t>(young_ms) * kNsPerMs;
    return is_young ? std::min(soon_ms, options_.again_ms) : options_.again_ms;
}

/// Getters only: who has all draws nothing.
const std::vector<std::string>& Introducer::owners_of(Swarm& swarm) const {
    if (std::exchange(swarm.owners_known, true)) return swarm.owners;
    std::vector<std::pair<uint64_t, const std::string*>> ranked;
    for (const Member* member : swarm.getters) ranked.emplace_back(member->rank, &member->news.name);
    const size_t count = std::min<size_t>(ranked.size(), options_.owners_most);
    std::partial_sort(
        ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(count), ranked.end(),
        [](const auto& a, const auto& b) { return std::tie(a.first, *a.second) < std::tie(b.first, *b.second); });
    swarm.owners.clear();
    for (size_t i = 0; i < count; ++i) swarm.owners.push_back(*ranked[i].second);
    std::sort(swarm.owners.begin(), swarm.owners.end());
    return swarm.owners;
}

// --- who should talk to whom ---

/// Some of them, or all where they are few, without the member itself and whom it has; those with the fewest neighbours
/// first, of equals any.
std::vector<Introducer::Member*> Introducer::some(const std::vector<Member*>& all, const MemberNews& news) {
    const size_t first = random_.below(std::max<size_t>(all.size(), 1));
    std::set<std::string_view> known(news.neighbours.begin(), news.neighbours.end());
    known.insert(news.name);
    std::vector<std::tuple<size_t, uint64_t, Member*>> ranked;
    for (size_t i = 0; i < all.size() && ranked.size() < kLookedAt; ++i) {
        Member* member = all[(first + i) % all.size()];
        if (!known.contains(member->news.name)) ranked.emplace_back(member->load(), random_.u64(), member);
    }
    std::sort(ranked.begin(), ranked.end());
    std::vector<Member*> out;
    for (const auto& one : ranked) out.push_back(std::get<Member*>(one));
    return out;
}

template <class Give>
void Introducer::give_getters(Swarm& swarm, Member& member, const size_t& getters, const Give& give) {
    const size_t most = (options_.neighbours + 1) / 2;
    if (getters >= most) return;
    std::vector<Member*> others = some(swarm.getters, member.news);
    const auto take = [&](size_t until, auto&& fits) {
        for (Member*& other : others) {
            if (getters >= until) return;
            if (!other || !fits(*other)) continue;
            if (other->given_to.size() < options_.neighbours) other->given_to.push_back(member.news.name);
            give(std::exchange(other, nullptr)->news);
        }
    };
    take(most - std::min<size_t>(most, options_.strangers_least),
         [&](const Member& other) { return !member.news.zone.empty() && other.news.zone == member.news.zone; });
    take(most, [](const Member&) { return true; });
}

/// Those who were given it; some holders; then getters of its zone, then any. The strangers' places are kept for
/// anybody.
void Introducer::introduce(Swarm& swarm, Member& member, Introduction& out) {
    MemberNews& news = member.news;
    size_t holders = 0, getters = 0;
    for (const std::string& neighbour : news.neighbours)
        if (const auto at = swarm.members.find(neighbour); at != swarm.members.end())
            ++(at->second.news.is_holder ? holders : getters);
    const auto give = [&](const MemberNews& other) {
        ++(other.is_holder ? holders : getters);
        news.neighbours.push_back(other.name);
        out.neighbours.push_back({other.name, other.address, other.is_holder});
    };
    for (const std::string& name : std::exchange(member.given_to, {})) {
        const auto at = swarm.members.find(name);
        const bool is_known = std::find(news.neighbours.begin(), news.neighbours.end(), name) != news.neighbours.end();
        if (at != swarm.members.end() && !is_known) give(at->second.news);
    }
    std::vector<Member*> others = some(swarm.holders, news);
    const auto give_holders = [&](size_t most) {
        for (; holders < most && !others.empty(); others.pop_back()) give(others.back()->news);
    };
    give_holders(options_.holders_most);
    give_getters(swarm, member, getters, give);
    if (getters == 0) give_holders(options_.neighbours);
}

}  // namespace zcdp::swarm
