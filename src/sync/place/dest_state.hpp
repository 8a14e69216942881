// What zcdp put into a DEST, and how it looked when it did: DEST/.zcdp/state, and DEST/.zcdp/journal of the run that is
// under way (docs/formats.md "Destination state"). Both are lists in raw byte order of paths, read as streams.
//
// A file is "as it was put" when size, mtime and inode are what the record says: then its content needs no second look.
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/ids.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::sync {

struct DestRecord {
    store::ManifestEntry entry;
    Tag tag;               ///< the origin's, of a file
    int64_t mtime_ns = 0;  ///< of a file
    uint64_t inode = 0;    ///< of a file
    bool extra = false;    ///< the source has it no more
};

bool as_it_was_put(const DestRecord& record, const struct stat& st);

class DestStateWriter {
  public:
    DestStateWriter(Fs& fs, Fd file, std::string name) : fs_(fs), file_(std::move(file)), name_(std::move(name)) {}
    Result<> add(const DestRecord& record);
    /// Writes what is buffered; with `durable` it also survives power loss.
    Result<> flush(bool durable);

  private:
    Fs& fs_;
    Fd file_;
    std::string name_, buffer_;
    uint64_t offset_ = 0;
    bool begun_ = false;
};

/// One file of records; ends quietly where a crash cut it off (each record carries its CRC-32C).
class DestRecordReader {
  public:
    DestRecordReader(Fs& fs, Fd file) : fs_(fs), file_(std::move(file)) {}
    bool next(DestRecord& into);

  private:
    bool fill(size_t bytes);
    Fs& fs_;
    Fd file_;
    std::vector<char> buffer_;
    size_t begin_ = 0, end_ = 0;
    uint64_t offset_ = 0;
    bool begun_ = false;
};

/// The state of a DEST: `folder` is its .zcdp. The journal's records win over the state's. A state of a newer version
/// of zcdp is refused.
class DestState {
  public:
    static Result<std::unique_ptr<DestState>> open(Fs& fs, int folder, const std::string& name);
    /// Of a DEST that zcdp has not put anything into.
    static std::unique_ptr<DestState> none() { return std::unique_ptr<DestState>(new DestState); }
    /// The next record in path order.
    bool next(DestRecord& into);

  private:
    DestState() = default;
    std::optional<DestRecordReader> state_, journal_;
    std::optional<DestRecord> from_state_, from_journal_;
};

}  // namespace zcdp::sync
