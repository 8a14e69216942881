#include "zcdp/swarm/origin_budget.hpp"

#include <algorithm>

#include "src/swarm/milliseconds.hpp"

namespace zcdp::swarm {
namespace {

/// Without going over what 64 bits hold.
uint64_t extra_of(uint64_t dataset_bytes, uint32_t percent, uint64_t piece_bytes_most) {
    const uint64_t above = percent > 100 ? percent - 100 : 0;
    const uint64_t extra = dataset_bytes / 100 * above + dataset_bytes % 100 * above / 100;
    return std::max(extra, piece_bytes_most);
}

}  // namespace

OriginBudget::OriginBudget(uint64_t dataset_bytes, uint64_t piece_bytes_most, const Clock& clock,
                           OriginBudgetOptions options)
    : dataset_bytes_(dataset_bytes),
      piece_bytes_most_(std::max<uint64_t>(piece_bytes_most, 1)),
      options_(options),
      clock_(clock),
      extra_{.most_bytes = extra_of(dataset_bytes, options.percent, piece_bytes_most_)} {}

void OriginBudget::set_owners(const Owners& owners, const std::string& self) {
    const auto me = owners.index_of(self);
    share_bytes_ = 0;
    for (uint64_t piece = 0; me && piece < extra_.most_bytes / piece_bytes_most_; ++piece)
        if (owners.owner_of(piece) == me) share_bytes_ += piece_bytes_most_;
}

void OriginBudget::drew(uint64_t bytes, bool is_extra) {
    drawn_bytes_ += bytes;
    if (is_extra) extra_drawn_bytes_ += bytes;
}

void OriginBudget::heard(uint64_t drawn_bytes, uint64_t told_bytes, uint64_t granted_bytes) {
    others_bytes_ = drawn_bytes - std::min(drawn_bytes, told_bytes);
    extra_.granted_bytes = std::max(extra_.granted_bytes, granted_bytes);
    heard_ns_ = clock_.monotonic_ns();
}

bool OriginBudget::is_heard() const {
    return heard_ns_ >= 0 && clock_.monotonic_ns() - heard_ns_ <= static_cast<int64_t>(options_.unheard_ms) * kNsPerMs;
}

bool OriginBudget::allows(uint64_t bytes, uint64_t undrawn_bytes) const {
    const uint64_t extra_bytes = extra_drawn_bytes_ + bytes;
    if (!is_heard()) return extra_bytes <= std::max(extra_.granted_bytes, share_bytes_);
    return extra_bytes <= extra_.granted_bytes &&
           others_bytes_ + drawn_bytes_ + undrawn_bytes + bytes <= dataset_bytes_ + extra_.most_bytes;
}

}  // namespace zcdp::swarm
