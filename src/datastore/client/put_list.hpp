// What is put, as a list on disk in raw byte order of paths: what keeps memory bounded for ten million files. The same
// records are the digest cache's (digest_cache.hpp).
//
// Thread rule: a writer or reader belongs to one thread at a time. Ownership: the file outlives both.
#pragma once

#include <string>

#include "zcdp/base/ids.hpp"
#include "zcdp/store/manifest.hpp"
#include "zcdp/sync/record_file.hpp"

namespace zcdp::datastore {

struct PutEntry {
    store::ManifestEntry entry;
    Tag tag;               ///< of a file: what its times and its inode were (origin/local.hpp)
    bool hashed = false;   ///< the file's digests are known
    bool settled = false;  ///< whatever is written into the file from now on gives it another tag
};

class PutListWriter {
  public:
    PutListWriter(Fs& fs, int fd);
    Result<> add(const PutEntry& entry);
    /// Writes what is buffered; no add() after it.
    Result<> finish() { return records_.flush(false); }
    uint64_t count() const { return count_; }

  private:
    sync::RecordFileWriter records_;
    std::string payload_;
    uint64_t count_ = 0;
};

/// Reads what is right of a list; who knows how long it is sees whether that was all.
class PutListReader {
  public:
    PutListReader(Fs& fs, int fd);
    /// False at the end, and where a record is none. `into`'s strings keep their capacity.
    bool next(PutEntry& into);

  private:
    sync::RecordFileReader records_;
};

/// A whole list: in a file without a name, or in the cache's.
struct PutList {
    Fd file;
    uint64_t count = 0;

    /// Calls `each` for all of it, in order. Errors: those of `each`; corrupt, when the disk gives less than was
    /// written.
    template <class Each>
    Result<> read(Fs& fs, Each each) const {
        PutListReader reader(fs, file.get());
        PutEntry entry;
        for (uint64_t i = 0; i < count; ++i) {
            if (!reader.next(entry)) return cut_off();
            ZCDP_CHECK(each(entry));
        }
        return {};
    }
    static Error cut_off();
};

}  // namespace zcdp::datastore
