// Members that did wrong, for all swarms of a node: after three strikes within an hour nothing is asked of one for an
// hour, and of who has signed what is not so, not even once more. Kept in memory: a node that starts again gives
// everybody a new chance.
//
// Thread rule: any thread. Ownership: the clock, the registry and the logger outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"

namespace zcdp::swarm {

enum class Strike {
    wrong_bytes,  ///< other bytes than their claim says, or no claim at all
    too_slow,     ///< silence, or a drip
    false_claim,  ///< has signed that a piece is what it is not
};
/// As metrics and messages have it: "wrong_bytes".
std::string_view name(Strike strike);

class Bans {
  public:
    static constexpr uint64_t kStrikes = 3, kBanMs = 3'600'000;
    /// All that is too slow within so long is one strike: a node that goes leaves many answers open.
    static constexpr uint64_t kOneStrikeMs = 30'000;

    Bans(const Clock& clock, Metrics& metrics, Logger& log) : clock_(clock), metrics_(metrics), log_(log) {}

    /// Counts it, and says in the log when the member is banned by it; true then.
    bool strike(const std::string& member, Strike strike);
    bool is_banned(const std::string& member) const;
    /// Whether somebody is banned for a false claim: others may have passed more of his on, in good faith.
    bool is_anybody_false() const;

    struct Banned {
        std::string member;
        Strike reason;
        uint64_t left_ms;
    };
    /// In the order of their names.
    std::vector<Banned> banned() const;

  private:
    struct Record {
        std::vector<int64_t> strikes_ns;  ///< of the last hour
        int64_t until_ns = 0;             ///< banned
        int64_t slow_until_ns = 0;        ///< until then nothing slow counts
        Strike reason = Strike::wrong_bytes;
    };
    const Clock& clock_;
    Metrics& metrics_;
    Logger& log_;
    mutable Mutex mutex_;
    std::map<std::string, Record> records_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::swarm
