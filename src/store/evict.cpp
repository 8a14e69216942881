// Room: reservation, eviction, and the sweep of what no snapshot needs. A blob is needed by a snapshot exactly when its
// file has a second link, so there is no reference count to get wrong.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "src/store/open_store.hpp"
#include "zcdp/base/faults.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::store {
namespace {

constexpr uint64_t kBytesPerFile = 4096;  ///< a small file's block and inode, rounded up
constexpr int64_t kPartialKeptS = 7 * 24 * 3600;

uint64_t used_limit(const FsSpace& space, unsigned percent) { return space.total_bytes / 100 * percent; }

}  // namespace

Result<std::shared_ptr<void>> OpenStore::reserve(uint64_t bytes, uint64_t files) {
    ZCDP_CHECK(must_write());
    const uint64_t needed = bytes + files * kBytesPerFile;
    auto space = core_.fs.space(core_.root_dir.get());
    if (!space) return core_.error(space.error(), "asking for the free space of", "");
    const uint64_t used = space->total_bytes - space->free_bytes;
    if (used + needed + reserved_bytes_ > used_limit(*space, options_.high_watermark_percent)) {
        // What cannot fit even then must not cost anybody else its data.
        ZCDP_TRY(const StoreUsage before, usage());
        const bool hopeless = needed + reserved_bytes_ > space->free_bytes + before.evictable_bytes;
        const uint64_t low = used_limit(*space, options_.low_watermark_percent);
        const uint64_t wanted = used + needed + reserved_bytes_;
        const std::scoped_lock lock(core_.mutex);
        if (!hopeless) ZCDP_CHECK(make_room(wanted > low ? wanted - low : 0, *space));
        space = core_.fs.space(core_.root_dir.get());
        if (!space) return core_.error(space.error(), "asking for the free space of", "");
    }
    const bool inodes = space->total_inodes == 0 || files <= space->free_inodes;
    if (needed + reserved_bytes_ > space->free_bytes || !inodes) {
        ZCDP_TRY(const StoreUsage now, usage());
        return Error(ErrorKind::no_space,
                     inodes ? fmt::format("needs {} ({} bytes), has {} free ({} bytes), and could evict {}", format_size(needed),
                                          needed, format_size(space->free_bytes), space->free_bytes,
                                          format_size(now.evictable_bytes))
                            : fmt::format("needs {} files more, the file system has {} inodes free", files, space->free_inodes),
                     core_.root, "make room (zcdp store ls, unpin, evict, gc), or choose another --store");
    }
    reserved_bytes_ += needed;
    return std::shared_ptr<void>(nullptr, [this, needed](void*) { reserved_bytes_ -= needed; });
}

/// Evicts what nobody uses, longest unused first, until `bytes` are free or nothing is left. The mutex is held.
Result<uint64_t> OpenStore::make_room(uint64_t bytes, const FsSpace& before) {
    ZCDP_TRY(auto all, core_.index->snapshots());
    ZCDP_TRY(const auto leases, live_leases());
    std::sort(all.begin(), all.end(), [](const SnapshotInfo& a, const SnapshotInfo& b) {
        return a.last_use_unix_s < b.last_use_unix_s;
    });
    uint64_t freed = 0;
    for (SnapshotInfo& info : all) {
        if (freed >= bytes) break;
        complete(info, leases);
        if (info.pinned || info.leases > 0) continue;
        ZCDP_CHECK(evict_locked(info));
        const auto now = core_.fs.space(core_.root_dir.get());
        if (now && now->free_bytes > before.free_bytes) freed = now->free_bytes - before.free_bytes;
        core_.log.info("evicted to make room", {{"snapshot", info.id.str()}, {"name", info.name}});
    }
    return freed;
}

Result<> OpenStore::evict(const SnapshotId& id) {
    ZCDP_CHECK(must_write());
    const std::scoped_lock lock(core_.mutex);
    ZCDP_TRY(auto info, core_.index->snapshot(id));
    if (!info) return Error(ErrorKind::not_found, "is no snapshot of this store", id.str());
    ZCDP_TRY(const auto leases, live_leases());
    complete(*info, leases);
    if (info->pinned) return Error(ErrorKind::busy, "is pinned", id.str(), "zcdp store unpin " + id.str().substr(0, 12));
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
            if (st->st_nlink > 1) {
                any_left = true;
                continue;
            }
            if (auto gone = core_.fs.unlink(core_.cas.get(), name.c_str()); !gone)
                return core_.error(gone.error(), "removing", "cas/" + name);
            freed += static_cast<uint64_t>(st->st_size);
        }
    }
    if (!any_left) ZCDP_CHECK(core_.index->drop_blob(entry.digest));
    return freed;
}

Result<uint64_t> OpenStore::gc(int64_t grace_s) {
    ZCDP_CHECK(must_write());
    const std::scoped_lock lock(core_.mutex);
    const int64_t now = core_.clock.unix_s();
    ZCDP_TRY(const uint64_t blobs, sweep_blobs(now - grace_s));
    ZCDP_TRY(const uint64_t partials, sweep_partials(now - std::max(grace_s, kPartialKeptS)));
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
        if (auto gone = core_.fs.unlink(found.dir, found.name.c_str()); !gone)
            return core_.error(gone.error(), "removing", "cas/" + found.folder + "/" + found.name);
        freed += static_cast<uint64_t>(found.st.st_size);
        return drop_unless_twin(found.blob.digest);
    }));
    ZCDP_CHECK(transaction.commit());
    return freed;
}

Result<uint64_t> OpenStore::sweep_partials(int64_t older_than_unix_s) {
    auto files = core_.fs.list(core_.partial.get());
    if (!files) return core_.error(files.error(), "reading", "partial");
    uint64_t freed = 0;
    for (const DirEntry& entry : *files) {
        if (entry.name == "barrier") continue;
        const auto st = core_.fs.stat(core_.partial.get(), entry.name.c_str());
        if (!st || st->st_ctim.tv_sec > older_than_unix_s) continue;
        if (auto gone = core_.fs.unlink(core_.partial.get(), entry.name.c_str()); !gone)
            return core_.error(gone.error(), "removing", "partial/" + entry.name);
        freed += static_cast<uint64_t>(st->st_blocks) * 512;
    }
    return freed;
}

Result<StoreUsage> OpenStore::usage() {
    const std::scoped_lock lock(core_.mutex);
    StoreUsage usage;
    ZCDP_TRY(const auto blobs, core_.index->usage());
    usage.blobs = blobs.blobs, usage.blob_bytes = blobs.bytes;
    ZCDP_TRY(auto all, core_.index->snapshots());
    ZCDP_TRY(const auto leases, live_leases());
    for (SnapshotInfo& info : all) {
        complete(info, leases);
        ++usage.snapshots, usage.snapshot_bytes += info.bytes;
        if (!info.pinned && info.leases == 0) usage.evictable_bytes += info.bytes;
    }
    usage.evictable_bytes = std::min(usage.evictable_bytes, usage.blob_bytes);
    if (auto files = core_.fs.list(core_.partial.get()))
        for (const DirEntry& entry : *files)
            if (const auto st = core_.fs.stat(core_.partial.get(), entry.name.c_str()))
                usage.partial_bytes += static_cast<uint64_t>(st->st_blocks) * 512;
    if (auto files = core_.fs.list(core_.quarantine.get())) usage.quarantined = files->size();
    auto space = core_.fs.space(core_.root_dir.get());
    if (!space) return core_.error(space.error(), "asking for the free space of", "");
    usage.space = *space;
    return usage;
}

}  // namespace zcdp::store
