// The scrub: reads every byte again. What is not what its name says goes to quarantine, and every snapshot that needs
// it is marked, so that the next sync fetches it again.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <set>
#include <unordered_set>

#include "src/store/digest_file.hpp"
#include "src/store/open_store.hpp"

namespace zcdp::store {

struct OpenStore::Scrub {
    ScrubReport report;
    const std::function<void(uint64_t)>& progress;
    std::optional<SnapshotId> snapshot;  ///< whose files are read now
    std::unordered_set<uint64_t> sound;  ///< inodes read and found right
    std::set<Digest> condemned;
    std::vector<std::byte> buffer;  ///< grows to what the largest file needs, 16 MiB at most
};

Result<ScrubReport> OpenStore::verify(std::optional<SnapshotId> id, const std::function<void(uint64_t)>& progress) {
    ZCDP_CHECK(must_write());
    Scrub scrub{{}, progress, std::nullopt, {}, {}, {}};
    ZCDP_TRY(const auto all, rows());
    for (const SnapshotInfo& info : all)
        if (!id || info.id == *id) ZCDP_CHECK(scrub_snapshot(info, scrub));
    if (!id) ZCDP_CHECK(scrub_loose_blobs(scrub));
    return std::move(scrub.report);
}

Result<> OpenStore::scrub_snapshot(const SnapshotInfo& info, Scrub& scrub) {
    scrub.snapshot = info.id;
    const auto damaged = [&](const std::string& why) -> Result<> {
        ZCDP_TRY(const bool there, is_there(info.id));
        if (!there) return {};
        scrub.report.problems.push_back(fmt::format("snapshot {}: {}", info.id.str(), why));
        const MutexLock lock(core_.mutex);
        return core_.index->set_state(info.id, SnapshotState::corrupt);
    };
    auto manifest = this->manifest(info.id);
    if (!manifest) return damaged(manifest.error().line());
    auto tree = core_.fs.open(core_.snapshots.get(), (info.id.str() + "/tree").c_str(), O_RDONLY | O_DIRECTORY);
    if (!tree) return damaged("its tree cannot be opened");
    const size_t problems_before = scrub.report.problems.size();
    while (true) {
        auto entry = (*manifest)->next();
        if (!entry) return damaged(entry.error().line());
        if (!*entry) break;
        if ((*entry)->kind == FileKind::file) ZCDP_CHECK(scrub_file(**entry, (*entry)->path, tree->get(), scrub));
    }
    if ((*manifest)->id() != info.id) return damaged("its manifest is not its own");
    if (scrub.report.problems.size() > problems_before || info.state == SnapshotState::corrupt) {
        const bool sound = scrub.report.problems.size() == problems_before;
        const MutexLock lock(core_.mutex);
        return core_.index->set_state(info.id, sound ? SnapshotState::ready : SnapshotState::corrupt);
    }
    return {};
}

Result<> OpenStore::scrub_file(const ManifestEntry& entry, const std::string& path, int tree, Scrub& scrub) {
    auto fd = core_.fs.open(tree, path.c_str(), O_RDONLY);
    if (!fd) return condemn(entry.digest, printable(path) + ": is missing from the tree", "missing from a tree", scrub);
    const auto st = core_.fs.stat_fd(fd->get());
    if (!st) return system_error(st.error(), "looking at", path);
    if (scrub.sound.contains(st->st_ino)) return {};
    ++scrub.report.files;
    scrub.report.bytes += static_cast<uint64_t>(st->st_size);
    std::string why;
    if (static_cast<uint64_t>(st->st_size) != entry.size_bytes) {
        why = fmt::format("has {} bytes, not {}", st->st_size, entry.size_bytes);
    } else {
        const auto digest = digest_file(core_.fs, fd->get(), entry.size_bytes, scrub.buffer, scrub.progress);
        if (!digest) why = "cannot be read: " + digest.error().what();
        else if (*digest != entry.digest) why = "has " + digest->str() + ", not " + entry.digest.str();
    }
    if (why.empty()) {
        scrub.sound.insert(st->st_ino);
        return {};
    }
    return condemn(entry.digest, printable(path) + ": " + why, why, scrub);
}

/// Whether the snapshot is in the index and nobody evicts it: else what is missing of it is no damage.
Result<bool> OpenStore::is_there(const SnapshotId& id) {
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(const auto info, core_.index->snapshot(id));
    return info && info->state != SnapshotState::evicting;
}

/// Takes a blob out of the CAS in all its forms; whoever needs it is corrupt from now on.
Result<> OpenStore::condemn(const Digest& digest, const std::string& problem, const std::string& why, Scrub& scrub) {
    const MutexLock upkeep(upkeep_);
    if (scrub.snapshot) {
        ZCDP_TRY(const bool there, is_there(*scrub.snapshot));
        if (!there) return {};
    }
    scrub.report.problems.push_back(problem);
    if (!scrub.condemned.insert(digest).second) return {};
    // Until the row is gone, too, nobody begins to count on the blob or brings it anew.
    core_.holds->begin_forced_removal(digest);
    Result<> done = put_aside(digest, why);
    const auto all = rows();
    if (done && !all) done = all.error();
    if (done) {
        const auto damaged = those_that_need(digest, *all);
        for (const SnapshotInfo& info : damaged)
            scrub.report.problems.push_back(
                fmt::format("snapshot {} ({}) needs it", info.id.str(), printable(info.name)));
        done = mark_corrupt(digest, damaged);
    }
    core_.holds->end_removal(digest);
    return done;
}

/// All its files, into quarantine.
Result<> OpenStore::put_aside(const Digest& digest, const std::string& why) {
    for (const bool executable : {false, true})
        for (unsigned inode = 0;; ++inode) {
            const std::string name = blob_name(digest, executable, inode);
            if (!core_.fs.stat(core_.cas.get(), name.c_str())) break;
            ZCDP_CHECK(put_into_quarantine(core_, core_.cas.get(), name, why));
        }
    return {};
}

std::vector<SnapshotInfo> OpenStore::those_that_need(const Digest& digest, std::span<const SnapshotInfo> all) {
    std::vector<SnapshotInfo> found;
    for (const SnapshotInfo& info : all) {
        auto manifest = this->manifest(info.id);
        if (!manifest) continue;
        for (auto entry = (*manifest)->next(); entry && *entry; entry = (*manifest)->next()) {
            if ((*entry)->kind != FileKind::file || (*entry)->digest != digest) continue;
            found.push_back(info);
            break;
        }
    }
    return found;
}

Result<> OpenStore::mark_corrupt(const Digest& digest, std::span<const SnapshotInfo> snapshots) {
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(auto transaction, core_.index->transaction());
    ZCDP_CHECK(core_.index->drop_blob(digest));
    for (const SnapshotInfo& info : snapshots) ZCDP_CHECK(core_.index->set_state(info.id, SnapshotState::corrupt));
    return transaction.commit();
}

/// Blobs that no tree links to: fetched by a sync that has not ended yet.
Result<> OpenStore::scrub_loose_blobs(Scrub& scrub) {
    scrub.snapshot.reset();
    return for_each_blob_file(core_, [&](const FoundBlob& found) -> Result<> {
        if (scrub.sound.contains(found.st.st_ino)) return {};
        ManifestEntry entry;
        entry.digest = found.blob.digest;
        entry.size_bytes = static_cast<uint64_t>(found.st.st_size);
        return scrub_file(entry, found.name, found.dir, scrub);
    });
}

}  // namespace zcdp::store
