// Eviction, and the sweep of what no snapshot needs. A blob is needed by a snapshot exactly when its file has a second
// link, so there is no reference count to get wrong; what a running sync counts on is in Holds. How blobs go:
// removal.cpp. When: room.cpp.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "src/store/open_store.hpp"
#include "src/store/removal.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::store {

Result<> OpenStore::evict(const SnapshotId& id) {
    ZCDP_CHECK(must_write());
    const MutexLock upkeep(upkeep_);
    return evict_now(id);
}

/// The transaction that finds it unpinned and not leased says that it goes: from then on nobody can lease it. Errors:
/// not_found, busy.
Result<> OpenStore::mark_evicting(const SnapshotId& id) {
    ZCDP_CHECK(live_leases());  // drops those of the dead
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(auto transaction, core_.index->transaction());
    ZCDP_TRY(const auto info, core_.index->snapshot(id));
    if (!info) return Error(ErrorKind::not_found, "is no snapshot of this store", id.str());
    if (info->pinned)
        return Error(ErrorKind::busy, "is pinned", id.str(), "zcdp store unpin " + id.str().substr(0, 12));
    ZCDP_TRY(const auto leases, core_.index->leases());
    const auto used =
        std::count_if(leases.begin(), leases.end(), [&](const auto& lease) { return lease.snapshot == id; });
    if (used > 0 && !faults::broken("lease"))
        return Error(ErrorKind::busy, fmt::format("is in use ({} leases)", used), id.str());
    ZCDP_CHECK(core_.index->set_state(id, SnapshotState::evicting));
    return transaction.commit();
}

/// First the row says so, then the folder loses its name, then the bytes go, then the row: whenever it stops, it is
/// gone or whole. Only the two transactions lock the index.
Result<> OpenStore::evict_now(const SnapshotId& id) {
    const auto alone = core_.snapshot_locks.take(id);
    ZCDP_CHECK(mark_evicting(id));
    const std::string name = "evict-" + id.str();
    ZCDP_CHECK(move_aside(id, name));
    if (auto gone = remove_tree(core_.fs, core_.staging.get(), name + "/tree"); !gone)
        return core_.error(gone.error(), "removing", "staging/" + name);
    ZCDP_CHECK(drop_unused_blobs(name));
    if (auto gone = remove_tree(core_.fs, core_.staging.get(), name); !gone)
        return core_.error(gone.error(), "removing", "staging/" + name);
    const MutexLock lock(core_.mutex);
    return core_.index->drop_snapshot(id);
}

/// Into staging/; fine when an eviction that failed did that already.
Result<> OpenStore::move_aside(const SnapshotId& id, const std::string& name) {
    const auto move = [&] {
        return core_.fs.rename(core_.snapshots.get(), id.str().c_str(), core_.staging.get(), name.c_str());
    };
    auto moved = move();
    if (!moved && (moved.error().value() == ENOTEMPTY || moved.error().value() == EEXIST)) {
        // What an eviction that failed left of it, before it was made again.
        if (auto gone = remove_tree(core_.fs, core_.staging.get(), name); !gone)
            return core_.error(gone.error(), "removing", "staging/" + name);
        moved = move();
    }
    if (!moved && moved.error().value() != ENOENT)
        return core_.error(moved.error(), "evicting", "snapshots/" + id.str());
    if (auto synced = core_.fs.fsync(core_.snapshots.get()); !synced)
        return core_.error(synced.error(), "making durable", "snapshots");
    return {};
}

/// Blobs of a removed tree that no other tree links to.
Result<> OpenStore::drop_unused_blobs(const std::string& removed_tree) {
    auto file = core_.fs.open(core_.staging.get(), (removed_tree + "/manifest.zst").c_str(), O_RDONLY);
    if (!file) return {};  // gc() finds them
    const auto manifest = ManifestReader::create(core_.fs, file->get());
    BlobRemoval removal(core_);
    for (auto entry = manifest->next(); entry && *entry; entry = manifest->next())
        if ((*entry)->kind == FileKind::file) ZCDP_CHECK(removal.add((*entry)->digest));
    ZCDP_CHECK(removal.finish());
    return {};
}

Result<uint64_t> OpenStore::gc(int64_t grace_s, int64_t unfinished_grace_s) {
    ZCDP_CHECK(must_write());
    const MutexLock upkeep(upkeep_);
    const int64_t now = core_.clock.unix_s();
    ZCDP_TRY(const uint64_t blobs, sweep_blobs(now - grace_s));
    ZCDP_TRY(const uint64_t partials, sweep_partials(now - unfinished_grace_s));
    return blobs + partials;
}

/// Files of cas/ with one link whose inode has not changed since.
Result<uint64_t> OpenStore::sweep_blobs(int64_t older_than_unix_s) {
    BlobRemoval removal(core_);
    ZCDP_CHECK(for_each_blob_file(core_, [&](const FoundBlob& found) -> Result<> {
        if (found.st.st_nlink > 1 || found.st.st_ctim.tv_sec > older_than_unix_s) return {};
        return removal.add(found, older_than_unix_s);
    }));
    return removal.finish();
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
    if (!core_.holds->begin_removal(file.name)) return false;
    Result<bool> done = true;
    for (const std::string& name : {file.name + ".map", file.name})
        if (auto gone = core_.fs.unlink(core_.partial.get(), name.c_str());
            done && !gone && gone.error().value() != ENOENT)
            done = core_.error(gone.error(), "removing", "partial/" + name);
    core_.holds->end_removal(file.name);
    return done;
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
    for (auto& [name, file] : by_name) {
        file.running = core.holds->need_partial(name);
        files.push_back(std::move(file));
    }
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.last_write_unix_s < b.last_write_unix_s; });
    return files;
}

}  // namespace zcdp::store
