// Hashes files of a source: many chunks at once on each of a few threads, for that is what hashing costs least with
// (base/digest.hpp); a long file's chunks are hashed side by side like so many short files.
//
// Thread rule: hash() from one thread at a time; it blocks.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <span>
#include <stop_token>

#include "src/datastore/client/put_source.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::datastore {

class FileHasher {
  public:
    /// `threads`: 0: as many as there are cores, at most 4. `source`, `machine` and `progress` outlive it.
    FileHasher(const PutSource& source, Machine machine, unsigned threads, int64_t walk_began_ns,
               sync::Progress& progress, std::stop_token stop);
    ~FileHasher() { pool_.join(); }
    FileHasher(const FileHasher&) = delete;
    FileHasher& operator=(const FileHasher&) = delete;

    /// Fills in the digests of all of them. A file that is not what was listed, or is changed while it is read, is
    /// looked at and hashed once more; its entry then says what it is now. Errors: source_changed, the same file
    /// changed again; denied and other errors of reading; refused (larger than any file may be); interrupted.
    Result<> hash(std::span<PutEntry* const> files);

  private:
    struct Work;
    class Lanes;
    void run(Work& work);
    Result<std::vector<PutEntry*>> pass(std::span<PutEntry* const> files);
    Result<> look_again(PutEntry& file);

    const PutSource& source_;
    Machine machine_;
    const unsigned threads_;
    const int64_t walk_began_ns_;
    sync::Progress& progress_;
    const std::stop_token stop_;
    asio::thread_pool pool_;
};

}  // namespace zcdp::datastore
