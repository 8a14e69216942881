// How often more than once the origin may be asked: what keeps all that a swarm reads from there within a percentage of
// the dataset.
//
// A piece that nobody has is drawn once, by its owner: that is never refused. All else is extra: a takeover from an
// owner that is late, a piece that was lost and is drawn again, a comparison. Of that the swarm has what the percentage
// is above a hundred, but the longest piece at least.
//  - The controllers give it out: who needs some asks, and no two members are given the same (introducer.hpp). They add
//    up as well what all members drew, for a piece may be drawn twice by members who have not heard of each other.
//  - While no controller answers, a member has what it was given, or its share: the n-th piece of the extra is for who
//    owns piece n.
// What is refused is not refused for ever: the Chooser says when.
//
// Pure but for the clock's interface. Thread rule: belongs to one thread.
#pragma once

#include <cstdint>

#include "zcdp/base/clock.hpp"
#include "zcdp/swarm/introducer.hpp"
#include "zcdp/swarm/owners.hpp"

namespace zcdp::swarm {

struct OriginBudgetOptions {
    uint32_t percent = 105;                 ///< of the dataset's bytes; less than 100 counts as 100
    uint64_t unheard_ms = 30'000;           ///< an answer that is older is none
    uint64_t patience_ms = 300'000;         ///< so long is a neighbour believed that it has a piece or draws it
    uint64_t patience_unknown_ms = 60'000;  ///< so long others are, while no neighbour says so
};

class OriginBudget {
  public:
    OriginBudget(uint64_t dataset_bytes, uint64_t piece_bytes_most, const Clock& clock,
                 OriginBudgetOptions options = {});

    /// Who has a share now.
    void set_owners(const Owners& owners, const std::string& self);
    /// This member asks the origin for so many bytes.
    void drew(uint64_t bytes, bool is_extra);
    /// So many bytes of extra would be drawn now, were they given.
    void want(uint64_t bytes) { extra_.wanted_bytes = extra_drawn_bytes_ + bytes; }
    /// A controller's answer: what all members drew, `told_bytes` of it by this one; and the extra that this one was
    /// given, in all.
    void heard(uint64_t drawn_bytes, uint64_t told_bytes, uint64_t granted_bytes);

    /// Whether `bytes` may be drawn though somebody else may draw them or has drawn them. `undrawn_bytes`: of other
    /// pieces, which nobody has drawn yet as far as this member knows.
    bool allows(uint64_t bytes, uint64_t undrawn_bytes) const;

    /// What controllers are told.
    uint64_t drawn_bytes() const { return drawn_bytes_; }
    const Extra& extra() const { return extra_; }
    uint64_t extra_drawn_bytes() const { return extra_drawn_bytes_; }
    uint64_t piece_bytes_most() const { return piece_bytes_most_; }

  private:
    bool is_heard() const;

    const uint64_t dataset_bytes_, piece_bytes_most_;
    const OriginBudgetOptions options_;
    const Clock& clock_;
    Extra extra_;
    uint64_t drawn_bytes_ = 0, extra_drawn_bytes_ = 0;
    uint64_t others_bytes_ = 0;  ///< drawn, as heard last
    int64_t heard_ns_ = -1;      ///< -1: never
    uint64_t share_bytes_ = 0;
};

}  // namespace zcdp::swarm
