#include "zcdp/base/backoff.hpp"

#include <algorithm>

namespace zcdp {
namespace {

constexpr uint32_t kDoublingsMost = 16;

}  // namespace

uint64_t Backoff::span_ms() const {
    return std::min(limits_.most_ms, limits_.first_ms << std::min(failures_, kDoublingsMost));
}

uint64_t Backoff::jittered(uint64_t span, Random& random) const {
    switch (limits_.jitter) {
        case Jitter::full: return static_cast<uint64_t>(static_cast<double>(span) * random.unit());
        case Jitter::equal: return span / 2 + random.below(span / 2 + 1);
        case Jitter::around: return span / 2 + random.below(span);
    }
    return span;
}

uint64_t Backoff::next(Random& random, uint64_t asked_for_ms) {
    const uint64_t span = span_ms();
    if (failures_ < kDoublingsMost) ++failures_;
    return std::max(asked_for_ms, jittered(span, random));
}

}  // namespace zcdp
