// Makes staged files durable in batches: one barrier and one index transaction for thousands of small files.
//
// Thread rule: add() from any thread (waits when commits fall behind); start() and finish() from the owner.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/store/ingest.hpp"

namespace zcdp::sync {

class Committer {
  public:
    Committer(store::Incoming& incoming, store::TagScope scope) : incoming_(incoming), scope_(std::move(scope)) {}
    ~Committer();

    void start();
    /// A row whose blob has been staged, or is in the store already.
    void add(store::TagRow row);
    /// Commits what is left and ends the thread. The first error of any commit.
    Result<> finish();
    bool failed() const;

  private:
    void work();
    bool due() const;
    store::Incoming& incoming_;
    store::TagScope scope_;
    mutable std::mutex mutex_;
    std::condition_variable wake_, room_;
    std::vector<store::TagRow> rows_;
    uint64_t bytes_ = 0;
    bool ending_ = false;
    std::optional<Error> error_;
    std::thread thread_;
};

}  // namespace zcdp::sync
