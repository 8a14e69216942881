// What a source's files hashed to the last time, so that a second put of it reads none of them. A file for each source
// (docs/formats.md, "Digest cache"), replaced as a whole.
//
// A file that has the size, the times and the inode of its record has its content, unless it was written within the
// clock's grain after it was hashed: a record of a file that had changed less than two seconds before the walk began is
// therefore not believed (PutEntry::settled), as git does not believe its own index.
//
// The cache only ever saves time: what goes wrong with it is logged, and no error.
// Thread rule: one thread at a time.
#pragma once

#include <optional>
#include <string>

#include "src/datastore/client/put_list.hpp"
#include "zcdp/base/machine.hpp"

namespace zcdp::datastore {

/// Of a file that was looked at after `walk_began_ns`: whether the next change would be seen.
bool is_settled(const struct stat& st, int64_t walk_began_ns);

class DigestCache {
  public:
    /// Of the source at this absolute path, on this device; in $XDG_CACHE_HOME/zcdp-digests, else in
    /// ~/.cache/zcdp-digests. With `ignored` nothing in it is believed.
    static DigestCache open(Machine machine, const std::string& source_path, uint64_t device, bool ignored);
    /// Of what has none: recalls and saves nothing.
    static DigestCache none(Machine machine) { return DigestCache(machine, "", ""); }

    /// Takes the digests of a file that is known from its record. To be asked in raw byte order of paths, of every file
    /// of the source. Whether it was known.
    bool recall(PutEntry& file);
    /// Replaces the cache by this list, unless it says nothing new.
    void save(const PutList& list);

  private:
    DigestCache(Machine machine, std::string folder, std::string name)
        : machine_(machine), folder_(std::move(folder)), name_(std::move(name)) {}
    void advance();
    Result<> replace(const PutList& list);
    void sweep(int folder);

    Machine machine_;
    std::string folder_, name_;  ///< "" where there can be no cache
    Fd file_;
    std::optional<PutListReader> reader_;
    PutEntry at_;  ///< the next record of a file, when `has_`
    bool has_ = false;
    bool stale_ = false;  ///< a file was asked for that it does not know, or it knows one that is no more
};

}  // namespace zcdp::datastore
