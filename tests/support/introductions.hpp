// An introducer in this process, for members that each have a thread of their own.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "tests/support/identities.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/swarm/session.hpp"

namespace zcdp::test {

class IntroducerInProcess {
  public:
    /// Who says nothing for `forget_ms` is no member any more.
    explicit IntroducerInProcess(uint64_t forget_ms = 1500)
        : introducer_(system_clock(), random_, {.again_ms = 200, .forget_ms = forget_ms}) {}
    Result<swarm::Introduction> meet(const swarm::MemberNews& news) {
        const MutexLock lock(mutex_);
        if (is_away) return Error(ErrorKind::unreachable, "on purpose");
        auto met = introducer_.meet("swarm", news);
        if (met) met->snapshot = snapshot;
        return met;
    }
    std::unique_ptr<swarm::Introductions> door() { return std::make_unique<Door>(*this); }

    std::atomic<bool> is_away{false};
    const MembersCa ca;
    std::string snapshot;  ///< of the revision, as it is told; set before anybody asks

  private:
    class Door final : public swarm::Introductions {
      public:
        explicit Door(IntroducerInProcess& of) : of_(of) {}
        Task<Result<swarm::Introduction>> meet(swarm::MemberNews news) override { co_return of_.meet(news); }

      private:
        IntroducerInProcess& of_;
    };
    Mutex mutex_;
    SeededRandom random_{1};
    swarm::Introducer introducer_;
};

}  // namespace zcdp::test
