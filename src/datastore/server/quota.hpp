// How many bytes of contents a store may have: what it has, and what uploads were promised beside that. Thread rule:
// any thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::datastore {

class Quota {
  public:
    /// 0: any number.
    explicit Quota(uint64_t bytes_most) : most_(bytes_most) {}

    /// Promises so many more. Errors: no_space, with both numbers.
    Result<> take(uint64_t bytes, const std::string& key) {
        const MutexLock lock(mutex_);
        if (most_ > 0 && bytes > most_ - std::min(most_, used_ + promised_))
            return Error(
                ErrorKind::no_space,
                fmt::format("needs {} ({} bytes) more, the store has {} of the {} ({} bytes) that it may have",
                            format_size(bytes), bytes, format_size(used_ + promised_), format_size(most_), most_),
                key, "remove keys (zcdp rm), or raise --quota of the server");
        promised_ += bytes;
        return {};
    }
    void give_back(uint64_t bytes) {
        const MutexLock lock(mutex_);
        promised_ -= std::min(bytes, promised_);
    }
    /// What the store has, counted.
    void set_used(uint64_t bytes) {
        const MutexLock lock(mutex_);
        used_ = bytes, is_counted_ = true;
    }
    /// So many more, until it is counted again: some of them may have been there.
    void add_used(uint64_t bytes) {
        const MutexLock lock(mutex_);
        used_ += bytes, is_counted_ = is_counted_ && bytes == 0;
    }
    /// Something went.
    void count_again() {
        const MutexLock lock(mutex_);
        is_counted_ = false;
    }
    bool is_counted() const {
        const MutexLock lock(mutex_);
        return is_counted_;
    }
    uint64_t used() const {
        const MutexLock lock(mutex_);
        return used_;
    }

  private:
    const uint64_t most_;
    mutable Mutex mutex_;
    uint64_t used_ ZCDP_GUARDED_BY(mutex_) = 0, promised_ ZCDP_GUARDED_BY(mutex_) = 0;
    bool is_counted_ ZCDP_GUARDED_BY(mutex_) = false;
};

}  // namespace zcdp::datastore
