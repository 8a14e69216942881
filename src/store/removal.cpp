#include "src/store/removal.hpp"

#include <algorithm>

namespace zcdp::store {
namespace {

constexpr size_t kBatchBlobs = 4096;  ///< a transaction, and its flush, for so many

/// Calls `each` with the name and the state of every file that the blob has, until it answers false.
void for_each_file(Core& core, const Digest& digest,
                   const std::function<bool(const std::string& name, const struct stat& st)>& each) {
    for (const bool executable : {false, true})
        for (unsigned inode = 0;; ++inode) {
            const std::string name = blob_name(digest, executable, inode);
            const auto st = core.fs.stat(core.cas.get(), name.c_str());
            if (!st) break;
            if (!each(name, *st)) return;
        }
}

}  // namespace

BlobRemoval::~BlobRemoval() {
    for (const auto& [digest, going] : going_) core_.holds->end_removal(digest);
}

/// Null when a running sync counts on it.
BlobRemoval::Going* BlobRemoval::begin(const Digest& digest) {
    if (const auto at = going_.find(digest); at != going_.end()) return &at->second;
    return core_.holds->begin_removal(digest) ? &going_[digest] : nullptr;
}

void BlobRemoval::give_up(const Digest& digest) {
    going_.erase(digest);
    core_.holds->end_removal(digest);
}

bool BlobRemoval::another_file(const Digest& digest, const std::vector<std::string>& files) {
    bool another = false;
    for_each_file(core_, digest, [&](const std::string& name, const struct stat&) {
        another = std::find(files.begin(), files.end(), name) == files.end();
        return !another;
    });
    return another;
}

Result<> BlobRemoval::add(const Digest& digest) {
    if (going_.contains(digest)) return {};
    Going* going = begin(digest);
    if (!going) return {};
    for_each_file(core_, digest, [&](const std::string& name, const struct stat& st) {
        if (st.st_nlink == 1) {
            going->files.push_back(name);
            going->bytes += static_cast<uint64_t>(st.st_size);
        } else {
            going->stays = true;
        }
        return true;
    });
    if (going->stays && going->files.empty()) give_up(digest);
    return remove_if_many();
}

Result<> BlobRemoval::add(const FoundBlob& found, int64_t older_than_unix_s) {
    const Digest& digest = found.blob.digest;
    Going* going = begin(digest);
    if (!going) return {};
    // Looked at again: from here on nobody links to it who did not before.
    const auto st = core_.fs.stat(found.dir, found.name.c_str());
    if (st && st->st_nlink == 1 && st->st_ctim.tv_sec <= older_than_unix_s) {
        going->files.push_back(found.folder + "/" + found.name);
        going->bytes += static_cast<uint64_t>(st->st_size);
        going->stays = another_file(digest, going->files);
    } else if (going->files.empty()) {
        give_up(digest);
    }
    return remove_if_many();
}

Result<uint64_t> BlobRemoval::finish() {
    ZCDP_CHECK(remove_all());
    return freed_bytes_;
}

Result<> BlobRemoval::remove_if_many() { return going_.size() < kBatchBlobs ? Result<>() : remove_all(); }

Result<> BlobRemoval::forget() {
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(auto transaction, core_.index->transaction());
    for (const auto& [digest, going] : going_)
        if (!going.stays) ZCDP_CHECK(core_.index->drop_blob(digest));
    return transaction.commit();
}

Result<> BlobRemoval::remove_all() {
    if (going_.empty()) return {};
    ZCDP_CHECK(forget());
    while (!going_.empty()) {
        const auto at = going_.begin();
        for (const std::string& name : at->second.files)
            if (auto gone = core_.fs.unlink(core_.cas.get(), name.c_str()); !gone)
                return core_.error(gone.error(), "removing", "cas/" + name);
        freed_bytes_ += at->second.bytes;
        core_.holds->end_removal(at->first);
        going_.erase(at);
    }
    return {};
}

}  // namespace zcdp::store
