// What happens when a store is opened: what was half done is swept, and index and snapshots/ are made to agree.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <set>

#include "src/store/open_store.hpp"

namespace zcdp::store {

void OpenStore::note(std::string line) {
    core_.log.warn("recovered", {{"store", core_.root}, {"what", line}});
    notes_.push_back(std::move(line));
}

Result<> OpenStore::recover(bool after_crash) {
    ZCDP_CHECK(sweep_unfinished());
    ZCDP_CHECK(match_snapshots());
    if (after_crash) {
        // Blobs that were renamed but never written down are found by the next stage() on disk; nothing to do for them.
        core_.log.info("the last writer of this store did not end cleanly", {{"store", core_.root}});
    }
    return {};
}

/// Trees and small files in the making, and evictions half done. Partial files of long objects are kept: they resume.
Result<> OpenStore::sweep_unfinished() {
    auto trees = core_.fs.list(core_.staging.get());
    if (!trees) return core_.error(trees.error(), "reading", "staging");
    for (const DirEntry& entry : *trees)
        if (auto swept = remove_tree(core_.fs, core_.staging.get(), entry.name); !swept)
            return core_.error(swept.error(), "sweeping", "staging/" + entry.name);
    if (!trees->empty()) note(fmt::format("swept {} unfinished trees", trees->size()));
    auto files = core_.fs.list(core_.partial.get());
    if (!files) return core_.error(files.error(), "reading", "partial");
    uint64_t swept = 0;
    for (const DirEntry& entry : *files) {
        if (!entry.name.starts_with("in-")) continue;
        if (auto gone = core_.fs.unlink(core_.partial.get(), entry.name.c_str()); !gone)
            return core_.error(gone.error(), "sweeping", "partial/" + entry.name);
        ++swept;
    }
    if (swept > 0) note(fmt::format("swept {} unfinished small files", swept));
    return {};
}

/// Every folder below snapshots/ is a snapshot that was made whole before it got its name; every row needs its folder.
Result<> OpenStore::match_snapshots() {
    auto folders = core_.fs.list(core_.snapshots.get());
    if (!folders) return core_.error(folders.error(), "reading", "snapshots");
    std::set<std::string> present;
    for (const DirEntry& entry : *folders)
        if (SnapshotId::parse(entry.name)) present.insert(entry.name);
    ZCDP_TRY(const auto known, rows());
    for (const SnapshotInfo& info : known) {
        if (present.erase(info.id.str()) > 0) {
            if (info.state != SnapshotState::evicting) continue;
            note("finished the eviction of " + info.id.str());
            if (auto moved = core_.fs.rename(core_.snapshots.get(), info.id.str().c_str(), core_.staging.get(),
                                             ("evict-" + info.id.str()).c_str());
                !moved)
                return core_.error(moved.error(), "evicting", "snapshots/" + info.id.str());
            if (auto gone = remove_tree(core_.fs, core_.staging.get(), "evict-" + info.id.str()); !gone)
                return core_.error(gone.error(), "evicting", "snapshots/" + info.id.str());
        } else if (info.state != SnapshotState::evicting) {
            note("snapshot " + info.id.str() + " has no folder any more: it was dropped from the index");
        }
        const MutexLock lock(core_.mutex);
        ZCDP_CHECK(core_.index->drop_snapshot(info.id));
    }
    for (const std::string& id : present) ZCDP_CHECK(adopt(*SnapshotId::parse(id)));
    return {};
}

/// Calls `each` with every file of the snapshot's manifest. corrupt when that is not its own.
Result<> OpenStore::each_file_of(SnapshotInfo& info, const std::function<Result<>(ManifestEntry&)>& each) {
    ZCDP_TRY(const auto manifest, this->manifest(info.id));
    while (true) {
        ZCDP_TRY(auto entry, manifest->next());
        if (!entry) break;
        if (entry->kind == FileKind::file) ZCDP_CHECK(each(*entry));
    }
    if (manifest->id() != info.id)
        return Error(ErrorKind::corrupt, "has a manifest that is not its own", info.id.str());
    const ManifestTotals& totals = manifest->totals();
    info.files = totals.files, info.directories = totals.directories, info.symlinks = totals.symlinks;
    info.bytes = totals.bytes;
    return {};
}

/// The blobs of a whole manifest in batches, and its row with the last of them.
Result<> OpenStore::adopt_blobs(SnapshotInfo& info) {
    constexpr size_t kBatchBlobs = 4096;
    ZCDP_CHECK(each_file_of(info, [](ManifestEntry&) { return Result<>(); }));
    std::vector<ManifestEntry> batch;
    const auto put = [&](bool last) -> Result<> {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(auto transaction, core_.index->transaction());
        for (const ManifestEntry& entry : batch)
            ZCDP_CHECK(core_.index->put_blob(entry.digest, entry.size_bytes, entry.chunks));
        if (last) ZCDP_CHECK(core_.index->put_snapshot(info));
        batch.clear();
        return transaction.commit();
    };
    ZCDP_CHECK(each_file_of(info, [&](ManifestEntry& entry) -> Result<> {
        batch.push_back(std::move(entry));
        return batch.size() < kBatchBlobs ? Result<>() : put(false);
    }));
    return put(true);
}

/// A snapshot that the index does not know: killed before the last transaction, or the index was lost.
Result<> OpenStore::adopt(const SnapshotId& id) {
    SnapshotInfo info;
    info.id = id;
    const auto meta_text = read_file(core_.fs, core_.snapshots.get(), (id.str() + "/meta").c_str(), 64 << 10);
    const Meta meta = meta_text ? decode_meta(*meta_text) : Meta{};
    info.name = meta.name, info.revision = meta.revision, info.pinned = meta.pinned;
    info.created_unix_s = meta.created_unix_s;
    info.last_use_unix_s = core_.clock.unix_s();
    const auto done = adopt_blobs(info);
    if (done) {
        note(fmt::format(
            "took snapshot {} ({}) into the index; leases, last use and what origins said are not known any more",
            id.str(), meta.name.empty() ? "no name" : printable(meta.name)));
        return {};
    }
    if (done.error().kind() != ErrorKind::corrupt && done.error().kind() != ErrorKind::not_found) return done;
    note("snapshot " + id.str() + " is damaged: " + done.error().line());
    return put_into_quarantine(core_, core_.snapshots.get(), id.str(), done.error().what());
}

}  // namespace zcdp::store
