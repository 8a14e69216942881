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
#include "zcdp/sync/record_file.hpp"

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
    DestStateWriter(Fs& fs, Fd file, std::string name);
    Result<> add(const DestRecord& record);
    /// Writes what is buffered; with `durable` it also survives power loss.
    Result<> flush(bool durable) { return records_.flush(durable); }

  private:
    Fd file_;
    RecordFileWriter records_;
};

/// One file of records; ends quietly where a crash cut it off.
class DestRecordReader {
  public:
    DestRecordReader(Fs& fs, Fd file);
    bool next(DestRecord& into);

  private:
    Fd file_;
    RecordFileReader records_;
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
