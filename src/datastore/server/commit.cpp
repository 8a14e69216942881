#include "src/datastore/server/commit.hpp"

#include <algorithm>

#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

/// A manifest of nothing but file names is packed a hundredfold; more is no tree.
constexpr uint64_t kPlainBytesMax = uint64_t{64} << 30;
constexpr uint64_t kTtlMaxS = uint64_t{100} * 366 * 86'400;
constexpr uint64_t kOthersAtOnce = 1'024;  ///< room for so many folders and symlinks is reserved at a time

const Digest& empty_digest() {
    static const Digest digest{DigestKind::sha256, Sha256::of(std::string_view())};
    return digest;
}

store::BlobRef ref_of(const store::ManifestEntry& entry) { return {entry.digest, entry.size_bytes, entry.executable}; }

}  // namespace

Error Commit::missing(const std::string& path) const {
    return Error(ErrorKind::source_changed, "was not sent, or is not here any more: " + printable(path), upload_.key,
                 "ask what is missing, and send it");
}

Answered<Committed> Commit::run(const std::optional<Fd>& manifest) {
    const MutexLock one_commits(upload_.committing);
    if (upload_.committed) return *upload_.committed;
    ZCDP_TRY(Committed committed, commit(manifest));
    upload_.committed = committed;
    return committed;
}

Answered<Committed> Commit::commit(const std::optional<Fd>& manifest) {
    if (!manifest) {
        ZCDP_TRY(const store::SnapshotId id, present());
        const SnapshotsInUse::Held held(parts_.in_use, id);
        ZCDP_CHECK(parts_.keys->intend(id, parts_.now()));
        auto info = parts_.store->get(id);
        if (!info || info->state != store::SnapshotState::ready) return missing("the snapshot " + id.str());
        ZCDP_CHECK(check_kind_of(id));
        return point_at(*info);
    }
    ZCDP_CHECK(upload_.commit_staged(true));
    ZCDP_TRY(const Checked checked, check(*manifest));
    if (!upload_.intent.snapshot.empty() && upload_.intent.snapshot != checked.id.str())
        return Error(ErrorKind::refused, "came with another manifest than the one it began with", upload_.key);
    const SnapshotsInUse::Held held(parts_.in_use, checked.id);
    ZCDP_CHECK(parts_.keys->intend(checked.id, parts_.now()));
    auto known = parts_.store->get(checked.id);
    if (known && known->state == store::SnapshotState::ready) return point_at(*known);
    ZCDP_TRY(const store::SnapshotInfo built, build(*manifest, checked.id));
    return point_at(built);
}

Answered<store::SnapshotId> Commit::present() {
    const auto id = store::SnapshotId::parse(upload_.intent.snapshot);
    if (!id) return Error(ErrorKind::refused, "was committed without a manifest", upload_.key);
    return *id;
}

/// A file's manifest has one file, which is called as the key ends.
Answered<> Commit::check_kind(const store::ManifestEntry& entry, uint64_t number) const {
    if (upload_.intent.kind != KeyKind::file) return {};
    if (number == 1 && entry.kind == store::FileKind::file && entry.path == last_segment(upload_.key)) return {};
    return Error(ErrorKind::refused, "is a file, and its manifest has something else", upload_.key);
}

Answered<> Commit::check_kind_of(const store::SnapshotId& id) {
    if (upload_.intent.kind != KeyKind::file) return {};
    ZCDP_TRY(const auto reader, parts_.store->manifest(id));
    for (uint64_t number = 1;; ++number) {
        ZCDP_TRY(const auto entry, reader->next());
        if (!entry && number == 1)
            return Error(ErrorKind::refused, "is a file, and its manifest has nothing", upload_.key);
        if (!entry) return {};
        ZCDP_CHECK(check_kind(*entry, number));
    }
}

/// The whole manifest is read and every content looked for, before anything is built.
Answered<Commit::Checked> Commit::check(const Fd& manifest) {
    const auto reader = store::ManifestReader::create(parts_.machine.fs, manifest.get(), kPlainBytesMax);
    uint64_t entries = 0;
    while (true) {
        ZCDP_TRY(const auto entry, reader->next());
        if (!entry) break;
        ZCDP_CHECK(check_kind(*entry, ++entries));
        if (entry->kind == store::FileKind::file) ZCDP_CHECK(check_file(*entry));
    }
    if (entries == 0 && upload_.intent.kind == KeyKind::file)
        return Error(ErrorKind::refused, "is a file, and its manifest has nothing", upload_.key);
    ZCDP_CHECK(upload_.commit_staged(true));
    return Checked{reader->id(), reader->totals()};
}

/// An empty content is never sent.
Answered<> Commit::check_file(const store::ManifestEntry& entry) {
    if (parts_.store->hold_blob(*upload_.hold, ref_of(entry))) return {};
    if (entry.size_bytes > 0 || entry.digest != empty_digest()) return missing(entry.path);
    if (upload_.is_new(entry.digest)) ZCDP_CHECK(upload_.incoming->stage(ref_of(entry), {}));
    return {};
}

Answered<store::SnapshotInfo> Commit::build(const Fd& manifest, const store::SnapshotId& id) {
    ZCDP_TRY(const auto builder, parts_.store->build_snapshot());
    ZCDP_CHECK(add_entries(manifest, *builder));
    ZCDP_TRY(store::SnapshotInfo built, builder->commit("key:" + upload_.key, Revision()));
    if (built.id != id)
        return Error(ErrorKind::corrupt, "came with a manifest that is written in another way", upload_.key);
    return built;
}

/// A content that went away since it was looked at is missing.
Answered<> Commit::add_entries(const Fd& manifest, store::SnapshotBuilder& builder) {
    const auto reader = store::ManifestReader::create(parts_.machine.fs, manifest.get(), kPlainBytesMax);
    uint64_t others = 0;
    while (true) {
        ZCDP_TRY(const auto entry, reader->next());
        if (!entry) return {};
        if (entry->kind != store::FileKind::file && ++others % kOthersAtOnce == 0)
            ZCDP_CHECK(parts_.store->reserve(0, kOthersAtOnce, upload_.hold));
        const auto added = builder.add(*entry);
        if (!added && added.error().kind() == ErrorKind::corrupt) return missing(entry->path);
        ZCDP_CHECK(added);
        if (entry->chunks.size() > 1) ZCDP_CHECK(parts_.chunks->add(entry->digest, entry->chunks));
    }
}

Answered<Committed> Commit::point_at(const store::SnapshotInfo& snapshot) {
    if (auto pinned = snapshot.pinned ? Result<>() : parts_.store->pin(snapshot.id, true); !pinned) {
        if (pinned.error().kind() == ErrorKind::not_found) return missing("the snapshot " + snapshot.id.str());
        return std::move(pinned).error();
    }
    NewVersion version;
    version.key = upload_.key, version.kind = upload_.intent.kind, version.snapshot = snapshot.id;
    version.size_bytes = snapshot.bytes, version.files = snapshot.files;
    version.if_version = upload_.intent.if_version, version.force = upload_.intent.force;
    const int64_t now = parts_.now();
    if (ttl_s_ > 0) version.expires_unix_s = now + static_cast<int64_t>(std::min(ttl_s_, kTtlMaxS));
    const auto switched = parts_.keys->switch_to(version, now);
    if (!switched) {
        const ErrorKind kind = switched.error().kind();
        if (kind == ErrorKind::source_changed) return Refused(kPreconditionFailed, switched.error());
        if (kind == ErrorKind::no_space) return Refused(kOverQuota, switched.error());
        return switched.error();
    }
    if (!switched->unchanged) parts_.counts.versions.add();
    Committed committed;
    committed.key = upload_.key, committed.snapshot = snapshot.id.str();
    committed.version = switched->version, committed.unchanged = switched->unchanged;
    return committed;
}

}  // namespace zcdp::datastore
