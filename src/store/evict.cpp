// Eviction, and the sweep of what no snapshot needs. A blob is needed by a snapshot exactly when its file has a second
// link, so there is no reference count to get wrong; what a running sync counts on is in Holds. When: room.cpp.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "src/store/open_store.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::store {

Result<> OpenStore::evict(const SnapshotId& id) {
    ZCDP_CHECK(must_write());
    const std::scoped_lock lock(core_.mutex);
    ZCDP_TRY(auto info, core_.index->snapshot(id));
    if (!info) return Error(ErrorKind::not_found, "is no snapshot of this store", id.str());
    ZCDP_TRY(const auto leases, live_leases());
    complete(*info, leases);
    if (info->pinned)
        return Error(ErrorKind::busy, "is pinned", id.str(), "zcdp store unpin " + id.str().substr(0, 12));
    if (info->leases > 0 && !faults::broken("lease"))
        return Error(ErrorKind::busy, fmt::format("is in use ({} leases)", info->leases), id.str());
    return evict_locked(*info);
}

/// First the row says so, then the folder loses its name, then the bytes go: whenever it stops, it is gone or whole.
Result<> OpenStore::evict_locked(const SnapshotInfo& info) {
    ZCDP_CHECK(core_.index->set_state(info.id, SnapshotState::evicting));
    const std::string name = "evict-" + info.id.str();
    if (auto moved = core_.fs.rename(core_.snapshots.get(), info.id.str().c_str(), core_.staging.get(), name.c_str());
        !moved && moved.error().value() != ENOENT)
        return core_.error(moved.error(), "evicting", "snapshots/" + info.id.str());
    if (auto synced = core_.fs.fsync(core_.snapshots.get()); !synced)
        return core_.error(synced.error(), "making durable", "snapshots");
    if (auto gone = remove_tree(core_.fs, core_.staging.get(), name + "/tree"); !gone)
        return core_.error(gone.error(), "removing", "staging/" + name);
    ZCDP_CHECK(drop_unused_blobs(name));
    if (auto gone = remove_tree(core_.fs, core_.staging.get(), name); !gone)
        return core_.error(gone.error(), "removing", "staging/" + name);
    return core_.index->drop_snapshot(info.id);
}

/// Blobs of a removed tree that no other tree links to.
Result<uint64_t> OpenStore::drop_unused_blobs(const std::string& removed_tree) {
    auto file = core_.fs.open(core_.staging.get(), (removed_tree + "/manifest.zst").c_str(), O_RDONLY);
    if (!file) return uint64_t{0};  // gc() finds them
    const auto manifest = ManifestReader::create(core_.fs, file->get());
    ZCDP_TRY(auto transaction, core_.index->transaction());
    uint64_t freed = 0;
    while (true) {
        const auto entry = manifest->next();
        if (!entry || !*entry) break;
        if ((*entry)->kind != FileKind::file) continue;
        ZCDP_TRY(const uint64_t bytes, drop_if_unused(**entry));
        freed += bytes;
    }
    ZCDP_CHECK(transaction.commit());
    return freed;
}

Result<uint64_t> OpenStore::drop_if_unused(const ManifestEntry& entry) {
    uint64_t freed = 0;
    bool any_left = false;
    for (const bool executable : {false, true}) {
        for (unsigned inode = 0;; ++inode) {
            const std::string name = blob_name(entry.digest, executable, inode);
            const auto st = core_.fs.stat(core_.cas.get(), name.c_str());
            if (!st) break;
            bool gone = false;
            if (st->st_nlink == 1) {
                ZCDP_TRY(gone, unlink_unless_held(core_.cas.get(), name, "cas/" + name, entry.digest));
            }
            if (gone) freed += static_cast<uint64_t>(st->st_size);
            else any_left = true;
        }
    }
    if (!any_left) ZCDP_CHECK(core_.index->drop_blob(entry.digest));
    return freed;
}

/// False when a running sync counts on it. Nobody can begin to between the question and the end of the file.
Result<bool> OpenStore::unlink_unless_held(int dir, const std::string& name, const std::string& shown,
                                           const Digest& digest) {
    const std::scoped_lock lock(core_.holds->mutex());
    if (core_.holds->need(digest)) return false;
    if (auto gone = core_.fs.unlink(dir, name.c_str()); !gone) return core_.error(gone.error(), "removing", shown);
    return true;
}

Result<uint64_t> OpenStore::gc(int64_t grace_s, int64_t unfinished_grace_s) {
    ZCDP_CHECK(must_write());
    const std::scoped_lock lock(core_.mutex);
    const int64_t now = core_.clock.unix_s();
    ZCDP_TRY(const uint64_t blobs, sweep_blobs(now - grace_s));
    ZCDP_TRY(const uint64_t partials, sweep_partials(now - unfinished_grace_s));
    return blobs + partials;
}

/// Forgets a blob whose file is gone, unless its twin with the other mode is there.
Result<> OpenStore::drop_unless_twin(const Digest& digest) {
    ZCDP_CHECK(core_.index->drop_blob(digest));
    for (const bool executable : {false, true}) {
        const auto twin = core_.fs.stat(core_.cas.get(), blob_name(digest, executable).c_str());
        if (twin && digest.kind == DigestKind::sha256)
            ZCDP_CHECK(core_.index->put_blob(digest, static_cast<uint64_t>(twin->st_size), {}));
    }
    return {};
}

/// Files of cas/ with one link whose inode has not changed since. The mutex is held.
Result<uint64_t> OpenStore::sweep_blobs(int64_t older_than_unix_s) {
    uint64_t freed = 0;
    ZCDP_TRY(auto transaction, core_.index->transaction());
    ZCDP_CHECK(for_each_blob_file(core_, [&](const FoundBlob& found) -> Result<> {
        if (found.st.st_nlink > 1 || found.st.st_ctim.tv_sec > older_than_unix_s) return {};
        ZCDP_TRY(const bool gone, unlink_unless_held(found.dir, found.name, "cas/" + found.folder + "/" + found.name,
                                                     found.blob.digest));
        if (!gone) return {};
        freed += static_cast<uint64_t>(found.st.st_size);
        return drop_unless_twin(found.blob.digest);
    }));
    ZCDP_CHECK(transaction.commit());
    return freed;
}

/// Files that downloads left; one that a running sync fills stays, also when that is older.
Result<uint64_t> OpenStore::sweep_partials(int64_t older_than_unix_s) {
    ZCDP_TRY(const auto files, unfinished_files(core_));
    uint64_t freed = 0;
    for (const UnfinishedFile& file : files) {
        if (file.last_write_unix_s > older_than_unix_s) continue;
        ZCDP_TRY(const bool gone, drop_partial(file));
        if (gone) freed += file.bytes;
    }
    return freed;
}

/// With its map; the map first, for without its file it says nothing. False when a running sync needs it.
Result<bool> OpenStore::drop_partial(const UnfinishedFile& file) {
    const std::scoped_lock lock(core_.holds->mutex());
    if (core_.holds->need_partial(file.name)) return false;
    for (const std::string& name : {file.name + ".map", file.name})
        if (auto gone = core_.fs.unlink(core_.partial.get(), name.c_str()); !gone && gone.error().value() != ENOENT)
            return core_.error(gone.error(), "removing", "partial/" + name);
    return true;
}

Result<std::vector<UnfinishedFile>> unfinished_files(Core& core) {
    auto entries = core.fs.list(core.partial.get());
    if (!entries) return core.error(entries.error(), "reading", "partial");
    std::map<std::string, UnfinishedFile> by_name;
    for (const DirEntry& entry : *entries) {
        if (!entry.name.starts_with("p-")) continue;  // small files, which a writer sweeps when it opens the store
        const auto st = core.fs.stat(core.partial.get(), entry.name.c_str());
        if (!st) continue;
        const bool is_map = entry.name.ends_with(".map");
        const std::string name = entry.name.substr(0, entry.name.size() - (is_map ? 4 : 0));
        UnfinishedFile& file = by_name[name];
        file.name = name;
        file.bytes += allocated_bytes(*st);
        file.last_write_unix_s = std::max<int64_t>(file.last_write_unix_s, st->st_mtim.tv_sec);
    }
    std::vector<UnfinishedFile> files;
    const std::scoped_lock lock(core.holds->mutex());
    for (auto& [name, file] : by_name) {
        file.running = core.holds->need_partial(name);
        files.push_back(std::move(file));
    }
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.last_write_unix_s < b.last_write_unix_s; });
    return files;
}

}  // namespace zcdp::store
