// A list of entries on disk: what keeps memory bounded for ten million objects. Written once, then read as often as
// needed, in the order in which it was written. Paths share a prefix with the one before, so a record takes some 30
// bytes.
//
// Thread rule: a writer or reader belongs to one thread at a time. The file has no name and is gone with its Fd.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::sync {

/// What the plan knows of an entry's content.
enum class Knowledge : uint8_t {
    none,       ///< fetch it
    present,    ///< `digest` is in the store, and these credentials fetched it under this key and tag
    candidate,  ///< `digest` is in the store under the same tag and size, but another key or other credentials: check
    same_size,  ///< contents of its size are here under other tags: a sum that the origin states may name one of them
};

struct SpoolEntry {
    origin::Entry entry;
    Knowledge knowledge = Knowledge::none;
    bool same_key = false;  ///< candidate: the key is the same, so that the right to read it is all that is missing
    Digest digest;          ///< unless knowledge is none or same_size
    std::optional<origin::ObjectInfo> info;  ///< what the origin said when it was asked; never in the spool
};

class SpoolWriter {
  public:
    /// Writes from `offset_bytes` on.
    SpoolWriter(Fs& fs, int fd, uint64_t offset_bytes = 0) : fs_(fs), fd_(fd), offset_(offset_bytes) {}
    Result<> add(const SpoolEntry& record) { return add(record.entry, record); }
    /// Of which nothing else is known.
    Result<> add(const origin::Entry& entry) { return add(entry, nothing_known_); }
    /// Writes what is buffered; no add() after it.
    Result<> finish();
    uint64_t count() const { return count_; }
    /// Where the next one would begin; after finish().
    uint64_t end_bytes() const { return offset_; }

  private:
    Result<> add(const origin::Entry& entry, const SpoolEntry& known);
    Result<> flush();
    Fs& fs_;
    int fd_;
    uint64_t offset_, count_ = 0;
    std::string buffer_, last_path_;
    const SpoolEntry nothing_known_;
};

class SpoolReader {
  public:
    static constexpr size_t kBufferBytes = 256 * 1024;
    /// Reads `count` records from `offset_bytes` on, with a buffer of `buffer_bytes`, more where one record is longer.
    SpoolReader(Fs& fs, int fd, uint64_t count, uint64_t offset_bytes = 0, size_t buffer_bytes = kBufferBytes)
        : fs_(fs), fd_(fd), left_(count), offset_(offset_bytes), buffer_bytes_(buffer_bytes) {}
    /// The next record into `into`; false at the end. `into`'s strings keep their capacity.
    Result<bool> next(SpoolEntry& into);

  private:
    Result<> fill(size_t bytes);
    Fs& fs_;
    int fd_;
    uint64_t left_, offset_;
    size_t buffer_bytes_;
    std::vector<char> buffer_;
    std::string last_path_;
    size_t begin_ = 0, end_ = 0;
};

}  // namespace zcdp::sync
