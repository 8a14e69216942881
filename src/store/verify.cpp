// The scrub: reads every byte again. What is not what its name says goes to quarantine, and every snapshot that needs
// it is marked, so that the next sync fetches it again.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <set>
#include <unordered_set>

#include "src/store/open_store.hpp"

namespace zcdp::store {
namespace {

/// Of each chunk at once: large enough for a disk, while the pieces of sixteen chunks are a small part of the memory.
constexpr size_t kPieceBytes = 1 << 20;

/// A chunk that is being hashed.
struct Lane {
    uint64_t at, end;  ///< offsets in the file: next byte to read, end of the chunk
    Sha256 hash;
};

/// The next piece of each lane, hashed together. The buffer has a place for each.
Result<> hash_pieces(Fs& fs, int fd, std::span<Lane> lanes, std::span<std::byte> buffer,
                     const std::function<void(uint64_t)>& progress) {
    std::vector<HashUpdate> updates;
    for (Lane& lane : lanes) {
        const auto place =
            buffer.subspan(updates.size() * kPieceBytes, std::min<uint64_t>(kPieceBytes, lane.end - lane.at));
        const auto got = fs.read(fd, place, lane.at);
        if (!got) return system_error(got.error(), "reading", "");
        if (*got < place.size()) return Error(ErrorKind::corrupt, "ends early");
        lane.at += *got;
        updates.push_back({&lane.hash, place});
        if (progress && *got > 0) progress(*got);
    }
    update_together(updates);
    return {};
}

/// The digest of an open file by its present length, as many chunks at once as are best hashed together.
Result<Digest> digest_file(Fs& fs, int fd, uint64_t size_bytes, std::vector<std::byte>& buffer,
                           const std::function<void(uint64_t)>& progress) {
    std::vector<Sha256Bytes> chunks;
    const uint64_t count = chunk_count(size_bytes);
    while (chunks.size() < count) {
        const uint64_t rest = count - chunks.size();
        std::vector<Lane> lanes(std::min<uint64_t>(hashes_at_once(rest), rest));
        for (uint64_t chunk = chunks.size(); Lane & lane : lanes) {
            lane.at = chunk * kChunkBytes;
            lane.end = lane.at + chunk_length(size_bytes, chunk++);
        }
        if (buffer.size() < lanes.size() * kPieceBytes) buffer.resize(lanes.size() * kPieceBytes);
        // The file's last chunk may end before the others, which then go on without it.
        for (size_t left = lanes.size(); left > 0 && lanes[0].at < lanes[0].end;) {
            ZCDP_CHECK(hash_pieces(fs, fd, std::span(lanes).first(left), buffer, progress));
            while (left > 0 && lanes[left - 1].at == lanes[left - 1].end) --left;
        }
        for (Lane& lane : lanes) chunks.push_back(lane.hash.finish());
    }
    return digest_of_chunks(chunks);
}

}  // namespace

struct OpenStore::Scrub {
    ScrubReport report;
    const std::function<void(uint64_t)>& progress;
    std::unordered_set<uint64_t> sound;  ///< inodes read and found right
    std::set<Digest> condemned;
    std::vector<std::byte> buffer;  ///< grows to what the largest file needs, 16 MiB at most
};

Result<ScrubReport> OpenStore::verify(std::optional<SnapshotId> id, const std::function<void(uint64_t)>& progress) {
    ZCDP_CHECK(must_write());
    Scrub scrub{{}, progress, {}, {}, {}};
    std::vector<SnapshotInfo> all;
    {
        const std::scoped_lock lock(core_.mutex);
        ZCDP_TRY(all, core_.index->snapshots());
    }
    for (const SnapshotInfo& info : all)
        if (!id || info.id == *id) ZCDP_CHECK(scrub_snapshot(info, scrub));
    if (!id) ZCDP_CHECK(scrub_loose_blobs(scrub));
    return std::move(scrub.report);
}

Result<> OpenStore::scrub_snapshot(const SnapshotInfo& info, Scrub& scrub) {
    const auto damaged = [&](const std::string& why) -> Result<> {
        scrub.report.problems.push_back(fmt::format("snapshot {}: {}", info.id.str(), why));
        const std::scoped_lock lock(core_.mutex);
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
        const std::scoped_lock lock(core_.mutex);
        return core_.index->set_state(info.id, sound ? SnapshotState::ready : SnapshotState::corrupt);
    }
    return {};
}

Result<> OpenStore::scrub_file(const ManifestEntry& entry, const std::string& path, int tree, Scrub& scrub) {
    auto fd = core_.fs.open(tree, path.c_str(), O_RDONLY);
    if (!fd) {
        scrub.report.problems.push_back(printable(path) + ": is missing from the tree");
        return condemn(entry.digest, "missing from a tree", scrub);
    }
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
    scrub.report.problems.push_back(printable(path) + ": " + why);
    return condemn(entry.digest, why, scrub);
}

/// Takes a blob out of the CAS in all its forms; whoever needs it is corrupt from now on.
Result<> OpenStore::condemn(const Digest& digest, const std::string& why, Scrub& scrub) {
    if (!scrub.condemned.insert(digest).second) return {};
    const std::scoped_lock lock(core_.mutex);
    for (const bool executable : {false, true})
        for (unsigned inode = 0;; ++inode) {
            const std::string name = blob_name(digest, executable, inode);
            if (!core_.fs.stat(core_.cas.get(), name.c_str())) break;
            ZCDP_CHECK(put_into_quarantine(core_, core_.cas.get(), name, why));
        }
    ZCDP_CHECK(core_.index->drop_blob(digest));
    ZCDP_TRY(const auto all, core_.index->snapshots());
    for (const SnapshotInfo& info : all) {
        auto manifest = this->manifest(info.id);
        if (!manifest) continue;
        for (auto entry = (*manifest)->next(); entry && *entry; entry = (*manifest)->next()) {
            if ((*entry)->kind != FileKind::file || (*entry)->digest != digest) continue;
            scrub.report.problems.push_back(
                fmt::format("snapshot {} ({}) needs it", info.id.str(), printable(info.name)));
            ZCDP_CHECK(core_.index->set_state(info.id, SnapshotState::corrupt));
            break;
        }
    }
    return {};
}

/// Blobs that no tree links to: fetched by a sync that has not ended yet.
Result<> OpenStore::scrub_loose_blobs(Scrub& scrub) {
    return for_each_blob_file(core_, [&](const FoundBlob& found) -> Result<> {
        if (scrub.sound.contains(found.st.st_ino)) return {};
        ManifestEntry entry;
        entry.digest = found.blob.digest;
        entry.size_bytes = static_cast<uint64_t>(found.st.st_size);
        return scrub_file(entry, found.name, found.dir, scrub);
    });
}

}  // namespace zcdp::store
