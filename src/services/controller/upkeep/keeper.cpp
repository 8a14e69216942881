#include "src/services/controller/upkeep/keeper.hpp"

#include "zcdp/base/stop.hpp"

namespace zcdp::services::controller {
namespace {

constexpr int64_t kEveryNs = 20'000'000'000, kRetryNs = 5'000'000'000;
/// No race with somebody who changes it again and again.
constexpr int64_t kSeldomNs = 1'000'000'000;
/// Looked at, not woken: a lease runs out by the clock alone, and what was touched is looked at once a second at most.
constexpr uint64_t kLookEveryMs = 100;

}  // namespace

Result<> Keeper::look() {
    ZCDP_TRY(const bool changed, parts_.certificates.refresh(parts_.leads()));
    if (changed || !serves_) {
        serves_ = false;
        ZCDP_CHECK(parts_.serve(parts_.certificates.serving()));
        serves_ = true;
    }
    if (!parts_.leads()) return {};
    Result<> first = upkeep_.keep();
    // In this order: what was gone is there again, and lacks what only the controller knows.
    for (auto done : {parts_.role.keep(true), parts_.certificates.publish()})
        if (!done && first) first = std::move(done);
    return first;
}

void Keeper::run(Tripwires& wires, std::stop_token stop) {
    bool led = false;
    int64_t due_ns = 0, looked_ns = -kSeldomNs;
    for (; !stop.stop_requested(); (void)wait_for_stop(stop, kLookEveryMs)) {
        const int64_t now_ns = parts_.clock.monotonic_ns();
        const bool leads = parts_.leads(), took_over = leads && !led;
        const bool touched = wires.tripped() && now_ns - looked_ns >= kSeldomNs;
        led = leads;
        if (now_ns < due_ns && !touched && !took_over) continue;
        (void)wires.take();  // before the look: what happens during it is looked at again
        looked_ns = now_ns;
        const auto done = look();
        due_ns = parts_.clock.monotonic_ns() + (done ? kEveryNs : kRetryNs);
        if (!done) parts_.log.warn("what zcdp set up is not as it has to be", {{"error", done.error().line()}});
    }
}

}  // namespace zcdp::services::controller
