#include "src/datastore/client/again.hpp"

#include <algorithm>

#include "zcdp/base/backoff.hpp"
#include "zcdp/origin/metrics.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint32_t kAttemptsMost = 8;
constexpr BackoffLimits kPauses{100, 5'000, Jitter::equal};

bool may_pass(ErrorKind kind) {
    return kind == ErrorKind::unreachable || kind == ErrorKind::timeout || kind == ErrorKind::stalled ||
           kind == ErrorKind::throttled || kind == ErrorKind::busy;
}

}  // namespace

Task<bool> pause_before_again(Machine machine, Error error, uint32_t attempt) {
    if (!may_pass(error.kind()) || attempt >= kAttemptsMost) co_return false;
    machine.metrics.counter(origin::metric::retries).add();
    machine.log.info("broken off, trying again",
                     {{"object", error.object()}, {"error", error.what()}, {"attempt", uint64_t{attempt}}});
    Backoff backoff(kPauses, std::max(attempt, 1u) - 1);
    co_await sleep_ms(backoff.next(machine.random));
    co_return true;
}

}  // namespace zcdp::datastore
