// An open KeyIndex: one connection that writes, under its lock, and some that read, each lent to one thread at a time.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "src/datastore/keys/key_reader.hpp"
#include "src/datastore/keys/key_writer.hpp"
#include "zcdp/base/guarded.hpp"

namespace zcdp::datastore {

struct KeyIndex::Parts {
    static constexpr size_t kReaders = 4;  ///< each has a page cache of 4 MiB

    KeyIndexOptions options;
    std::atomic<uint64_t> keys{0};
    Mutex writing;
    std::unique_ptr<KeyWriter> writer ZCDP_PT_GUARDED_BY(writing);

    Mutex lending;
    ConditionVariable given_back;
    std::vector<std::unique_ptr<KeyReader>> readers ZCDP_GUARDED_BY(lending);
};

/// A connection that reads, for one call.
class KeyIndex::Reading {
  public:
    explicit Reading(Parts& parts) : parts_(parts) {
        const MutexLock lock(parts_.lending);
        while (parts_.readers.empty()) parts_.given_back.wait(parts_.lending);
        reader_ = std::move(parts_.readers.back());
        parts_.readers.pop_back();
    }
    ~Reading() {
        {
            const MutexLock lock(parts_.lending);
            parts_.readers.push_back(std::move(reader_));
        }
        parts_.given_back.notify_one();
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    KeyReader* operator->() const { return reader_.get(); }

  private:
    Parts& parts_;
    std::unique_ptr<KeyReader> reader_;
};

}  // namespace zcdp::datastore
