// Makes staged files durable in batches: one barrier and one index transaction for thousands of small files.
//
// Thread rule: add() from any thread (waits when commits fall behind); start() and finish() from the owner.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/store/ingest.hpp"

namespace zcdp::sync {

class Committer {
  public:
    static constexpr uint64_t kBatchMs = 2'000;  ///< bounds what a kill -9 costs

    /// `committed` is told of each batch that is durable, on the committer's thread; its error is the committer's.
    using Committed = std::function<Result<>(std::span<const store::TagRow>)>;
    Committer(store::Incoming& incoming, store::TagScope scope, uint64_t batch_ms = kBatchMs, Committed committed = {})
        : incoming_(incoming), scope_(std::move(scope)), batch_ms_(batch_ms), committed_(std::move(committed)) {}
    ~Committer();

    void start();
    /// A row whose blob has been staged, or is in the store already.
    void add(store::TagRow row);
    /// Commits what is left and ends the thread. The first error of any commit.
    Result<> finish();
    bool failed() const;

  private:
    void work();
    bool due() const ZCDP_REQUIRES(mutex_);
    store::Incoming& incoming_;
    store::TagScope scope_;
    const uint64_t batch_ms_;
    const Committed committed_;
    mutable Mutex mutex_;
    ConditionVariable wake_, room_;
    std::vector<store::TagRow> rows_ ZCDP_GUARDED_BY(mutex_);
    uint64_t bytes_ ZCDP_GUARDED_BY(mutex_) = 0;
    bool ending_ ZCDP_GUARDED_BY(mutex_) = false;
    std::optional<Error> error_ ZCDP_GUARDED_BY(mutex_);
    std::thread thread_;
};

}  // namespace zcdp::sync
