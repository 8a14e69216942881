#include "zcdp/swarm/introducer.hpp"

#include <algorithm>
#include <utility>

#include "src/swarm/milliseconds.hpp"

#include "zcdp/base/digest.hpp"

namespace zcdp::swarm {
namespace {

constexpr size_t kTextBytesMost = 256;

/// The same for whoever asks, in an order that no name can choose for itself but by trying.
uint64_t rank_of(const std::string& swarm, const std::string& member) {
    const Sha256Bytes hash = Sha256::of(swarm + '\0' + member);
    uint64_t rank = 0;
    for (size_t i = 0; i < 8; ++i) rank = rank << 8 | hash[i];
    return rank;
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

void Introducer::forget_silent(Swarm& swarm) const {
    const int64_t since = clock_.monotonic_ns() - static_cast<int64_t>(options_.forget_ms) * kNsPerMs;
    std::erase_if(swarm.members, [&](const auto& member) { return member.second.heard_ns < since; });
}

void Introducer::forget_silent() {
    for (auto& [name, swarm] : swarms_) forget_silent(swarm);
    std::erase_if(swarms_, [](const auto& swarm) { return swarm.second.members.empty(); });
}

void Introducer::leave(const std::string& swarm, const std::string& member) {
    const auto found = swarms_.find(swarm);
    if (found == swarms_.end()) return;
    found->second.members.erase(member);
    if (found->second.members.empty()) swarms_.erase(found);
}

/// Made when it is new.
Result<Introducer::Swarm*> Introducer::swarm_of(const std::string& name, const MemberNews& news) {
    ZCDP_CHECK(check(name, news));
    if (!swarms_.contains(name) && swarms_.size() >= options_.swarms_most) forget_silent();
    if (!swarms_.contains(name) && swarms_.size() >= options_.swarms_most)
        return Error(ErrorKind::refused, "there are too many swarms", name);
    return &swarms_[name];
}

Result<> Introducer::take(Swarm& swarm, const std::string& name, const MemberNews& news) {
    if (!swarm.members.contains(news.name) && swarm.members.size() >= options_.members_most)
        return Error(ErrorKind::refused, "the swarm has too many members", name);
    swarm.members.insert_or_assign(news.name, Member{news, clock_.monotonic_ns(), rank_of(name, news.name)});
    return {};
}

Result<> Introducer::hear_of_holder(const std::string& name, const MemberNews& holder) {
    ZCDP_TRY(Swarm* const swarm, swarm_of(name, holder));
    const auto known = swarm->members.find(holder.name);
    if (known != swarm->members.end() && !known->second.news.is_holder) return {};
    return take(*swarm, name, holder);
}

Result<Introduction> Introducer::meet(const std::string& name, const MemberNews& news) {
    ZCDP_TRY(Swarm* const found, swarm_of(name, news));
    Swarm& swarm = *found;
    forget_silent(swarm);
    const bool is_new = !swarm.members.contains(news.name);
    ZCDP_CHECK(take(swarm, name, news));
    if (is_new) swarm.grew_ns = clock_.monotonic_ns();
    Introduction out;
    out.owners = owners_of(swarm);
    out.members = swarm.members.size();
    for (const auto& [member_name, member] : swarm.members) out.holders += member.news.is_holder;
    for (const std::string& neighbour : news.neighbours)
        if (!swarm.members.contains(neighbour)) out.gone.push_back(neighbour);
    introduce(swarm, news, out);
    const bool is_young = clock_.monotonic_ns() - swarm.grew_ns < static_cast<int64_t>(options_.young_ms) * kNsPerMs;
    out.again_ms = is_young ? options_.young_again_ms : options_.again_ms;
    return out;
}

/// Getters only: who has all draws nothing.
std::vector<std::string> Introducer::owners_of(const Swarm& swarm) const {
    std::vector<std::pair<uint64_t, std::string>> ranked;
    for (const auto& [name, member] : swarm.members)
        if (!member.news.is_holder) ranked.emplace_back(member.rank, name);
    const size_t count = std::min<size_t>(ranked.size(), options_.owners_most);
    std::partial_sort(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(count), ranked.end());
    std::vector<std::string> owners;
    for (size_t i = 0; i < count; ++i) owners.push_back(ranked[i].second);
    std::sort(owners.begin(), owners.end());
    return owners;
}

/// Some holders, then its zone, then anybody; the strangers' places are kept for anybody.
void Introducer::introduce(const Swarm& swarm, const MemberNews& news, Introduction& out) {
    if (news.is_holder || news.neighbours.size() >= options_.neighbours) return;
    std::vector<const Member*> others;
    for (const auto& [name, member] : swarm.members) {
        const bool is_known = std::find(news.neighbours.begin(), news.neighbours.end(), name) != news.neighbours.end();
        if (name != news.name && !is_known) others.push_back(&member);
    }
    for (size_t i = others.size(); i > 1; --i) std::swap(others[i - 1], others[random_.below(i)]);
    const size_t wanted = options_.neighbours - news.neighbours.size();
    std::vector<const Member*> taken;
    const auto take = [&](size_t most, auto&& fits) {
        for (const Member*& other : others) {
            if (most == 0 || taken.size() == wanted) return;
            if (other && fits(*other)) taken.push_back(std::exchange(other, nullptr)), --most;
        }
    };
    take(options_.holders_most, [](const Member& other) { return other.news.is_holder; });
    const size_t left = wanted - taken.size();
    take(left - std::min<size_t>(left, options_.strangers_least), [&](const Member& other) {
        return !other.news.is_holder && !news.zone.empty() && other.news.zone == news.zone;
    });
    take(wanted, [](const Member& other) { return !other.news.is_holder; });
    take(wanted, [](const Member&) { return true; });
    for (const Member* other : taken)
        out.neighbours.push_back({other->news.name, other->news.address, other->news.is_holder});
}

}  // namespace zcdp::swarm
