#include "zcdp/swarm/bans.hpp"

#include <algorithm>

#include "src/swarm/milliseconds.hpp"
#include "zcdp/base/faults.hpp"
#include "zcdp/swarm/metrics.hpp"

namespace zcdp::swarm {
namespace {

constexpr int64_t kBanNs = static_cast<int64_t>(Bans::kBanMs) * kNsPerMs;
constexpr int64_t kOneStrikeNs = static_cast<int64_t>(Bans::kOneStrikeMs) * kNsPerMs;

}  // namespace

std::string_view name(Strike strike) {
    switch (strike) {
        case Strike::wrong_bytes: return "wrong_bytes";
        case Strike::too_slow: return "too_slow";
        case Strike::false_claim: return "false_claim";
    }
    return "";
}

bool Bans::strike(const std::string& member, Strike strike) {
    const int64_t now_ns = clock_.monotonic_ns();
    const MutexLock lock(mutex_);
    Record& record = records_[member];
    if (strike == Strike::too_slow) {
        if (now_ns < record.slow_until_ns) return false;
        record.slow_until_ns = now_ns + kOneStrikeNs;
    }
    Metrics(metrics_, {{"reason", std::string(name(strike))}}).counter(metric::strikes).add();
    std::erase_if(record.strikes_ns, [&](int64_t at_ns) { return now_ns - at_ns >= kBanNs; });
    record.strikes_ns.push_back(now_ns);
    const bool is_one_enough = strike == Strike::false_claim && !faults::broken("false-claim");
    if (!is_one_enough && (record.strikes_ns.size() < kStrikes || faults::broken("strikes"))) return false;
    if (record.until_ns <= now_ns || strike == Strike::false_claim) record.reason = strike;
    record.until_ns = now_ns + kBanNs;
    record.strikes_ns.clear();
    log_.warn("a peer is banned for an hour", {{"node", member}, {"reason", std::string(name(strike))}});
    return true;
}

bool Bans::is_banned(const std::string& member) const {
    const MutexLock lock(mutex_);
    const auto record = records_.find(member);
    return record != records_.end() && record->second.until_ns > clock_.monotonic_ns();
}

bool Bans::is_anybody_false() const {
    const auto all = banned();
    return std::any_of(all.begin(), all.end(), [](const Banned& one) { return one.reason == Strike::false_claim; });
}

std::vector<Bans::Banned> Bans::banned() const {
    std::vector<Banned> out;
    const int64_t now_ns = clock_.monotonic_ns();
    const MutexLock lock(mutex_);
    for (const auto& [member, record] : records_)
        if (record.until_ns > now_ns)
            out.push_back({member, record.reason, static_cast<uint64_t>((record.until_ns - now_ns) / kNsPerMs)});
    return out;
}

}  // namespace zcdp::swarm
