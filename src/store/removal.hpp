// Takes blobs out of the CAS: in one place, for eviction and gc.
//
// In batches, each of three steps: the blobs are marked, so that no sync begins to count on them; one transaction
// forgets those of which no file stays; their files go. A crash leaves files that no row names: gc finds them by
// walking cas/, and a sync that wants one finds it on disk.
//
// Thread rule: one thread, and no other removal at the same time (OpenStore::upkeep_).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "src/store/core.hpp"

namespace zcdp::store {

class BlobRemoval {
  public:
    explicit BlobRemoval(Core& core) : core_(core) {}
    ~BlobRemoval();
    BlobRemoval(const BlobRemoval&) = delete;
    BlobRemoval& operator=(const BlobRemoval&) = delete;

    /// The files of this blob that no tree links to, unless a running sync counts on it.
    Result<> add(const Digest& digest);
    /// One file of cas/, if no tree links to it, its inode has not changed since, and no running sync counts on it.
    Result<> add(const FoundBlob& found, int64_t older_than_unix_s);
    /// The rest of what was added. The bytes of all files that went.
    Result<uint64_t> finish();

  private:
    struct Going {
        std::vector<std::string> files;  ///< below cas/
        uint64_t bytes = 0;
        bool stays = false;  ///< another file of it does
    };
    Going* begin(const Digest& digest);
    void give_up(const Digest& digest);
    bool another_file(const Digest& digest, const std::vector<std::string>& files);
    Result<> remove_if_many();
    Result<> remove_all();
    Result<> forget();

    Core& core_;
    std::map<Digest, Going> going_;
    uint64_t freed_bytes_ = 0;
};

}  // namespace zcdp::store
