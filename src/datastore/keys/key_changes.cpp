// What changes in the index: each call is one transaction.
#include <fmt/format.h>

#include <algorithm>

#include "src/datastore/keys/key_index.hpp"

namespace zcdp::datastore {
namespace {

Error not_that_version(const NewVersion& wanted, uint64_t present) {
    const std::string is = present == 0 ? "is not there" : fmt::format("has version {}", present);
    return Error(ErrorKind::source_changed, fmt::format("{}, and not version {}", is, *wanted.if_version), wanted.key,
                 "another wrote it meanwhile: get it, and put again");
}

Error too_many_keys(const std::string& key, uint64_t keys, uint64_t quota) {
    return Error(ErrorKind::no_space, fmt::format("is one key more: there are {}, and may be {}", keys, quota), key,
                 "remove keys (zcdp rm), or raise --quota-keys of the server");
}

KeyRow row_of(const NewVersion& version, int64_t now) {
    KeyRow row;
    row.key = version.key, row.kind = version.kind, row.snapshot = version.snapshot;
    row.size_bytes = version.size_bytes, row.files = version.files;
    row.modified_unix_s = now, row.expires_unix_s = version.expires_unix_s;
    return row;
}

bool is_unchanged(const KeyRow& before, const NewVersion& version) {
    return before.snapshot == version.snapshot && before.kind == version.kind && !version.force;
}

/// One whose time is over is removed.
Result<std::optional<KeyRow>> live_row(KeyWriter& writer, const std::string& key, int64_t now, uint64_t& keys) {
    ZCDP_TRY(auto found, writer.row(key));
    if (!found || !found->is_over(now)) return found;
    ZCDP_CHECK(writer.remove(*found, now));
    --keys;
    return std::optional<KeyRow>();
}

/// The version becomes the present one, and what is older than the history may be is retired.
Result<> add_version(KeyWriter& writer, KeyRow row, const KeyRow& before, uint64_t keep, int64_t now) {
    row.version = before.version + 1, row.versions = std::min(before.versions + 1, keep);
    ZCDP_CHECK(writer.put_history(before));
    ZCDP_CHECK(writer.put(row));
    for (uint64_t versions = before.versions + 1; versions > keep; --versions)
        ZCDP_CHECK(writer.retire_oldest(row.key, now));
    return {};
}

}  // namespace

Error KeyIndex::quota_error(const std::string& key) const {
    return too_many_keys(key, keys(), parts_->options.quota_keys);
}

bool KeyIndex::is_full() const { return parts_->options.quota_keys > 0 && keys() >= parts_->options.quota_keys; }

Result<Switched> KeyIndex::switch_to(const NewVersion& version, int64_t now) {
    const MutexLock lock(parts_->writing);
    KeyWriter& writer = *parts_->writer;
    ZCDP_TRY(auto transaction, writer.transaction());
    uint64_t keys = parts_->keys;
    ZCDP_TRY(const auto before, live_row(writer, version.key, now, keys));
    Switched switched{before ? before->version : 0, false};
    if (version.if_version && *version.if_version != switched.version)
        return not_that_version(version, switched.version);
    KeyRow row = row_of(version, now);
    if (before && is_unchanged(*before, version)) {
        switched.unchanged = true;
        if (before->expires_unix_s != version.expires_unix_s)
            ZCDP_CHECK(writer.set_expiry(version.key, version.expires_unix_s));
    } else if (before) {
        ++switched.version;
        ZCDP_CHECK(add_version(writer, std::move(row), *before, parts_->options.keep_versions, now));
    } else {
        if (parts_->options.quota_keys > 0 && keys >= parts_->options.quota_keys)
            return too_many_keys(version.key, keys, parts_->options.quota_keys);
        ZCDP_TRY(const uint64_t had, writer.take_removed(version.key));
        switched.version = row.version = had + 1, row.versions = 1;
        ZCDP_CHECK(writer.put(row));
        ++keys;
    }
    if (!switched.unchanged) ZCDP_CHECK(writer.refer(version.snapshot));
    ZCDP_CHECK(transaction.commit());
    parts_->keys = keys;
    return switched;
}

Result<bool> KeyIndex::remove(const std::string& key, int64_t now) {
    const MutexLock lock(parts_->writing);
    KeyWriter& writer = *parts_->writer;
    ZCDP_TRY(auto transaction, writer.transaction());
    uint64_t keys = parts_->keys;
    ZCDP_TRY(const auto found, live_row(writer, key, now, keys));
    if (found) {
        ZCDP_CHECK(writer.remove(*found, now));
        --keys;
    }
    ZCDP_CHECK(transaction.commit());
    parts_->keys = keys;
    return found.has_value();
}

Result<RemovedKeys> KeyIndex::remove_below(const std::string& prefix, const std::string& from, uint64_t limit,
                                           int64_t now) {
    const std::string begin = prefix + "/", end = prefix + static_cast<char>('/' + 1);
    const MutexLock lock(parts_->writing);
    KeyWriter& writer = *parts_->writer;
    ZCDP_TRY(auto transaction, writer.transaction());
    ZCDP_TRY(const auto found, writer.between(std::max(begin, from), end, limit));
    RemovedKeys removed;
    for (const KeyRow& row : found) {
        removed.keys += !row.is_over(now);
        ZCDP_CHECK(writer.remove(row, now));
    }
    if (found.size() == limit) removed.next = found.back().key;
    ZCDP_CHECK(transaction.commit());
    parts_->keys -= found.size();
    return removed;
}

Result<uint64_t> KeyIndex::expire(int64_t now, uint64_t limit) {
    const MutexLock lock(parts_->writing);
    KeyWriter& writer = *parts_->writer;
    ZCDP_TRY(const auto found, writer.over(now, limit));
    if (found.empty()) return uint64_t{0};
    ZCDP_TRY(auto transaction, writer.transaction());
    for (const KeyRow& row : found) ZCDP_CHECK(writer.remove(row, now));
    ZCDP_CHECK(transaction.commit());
    parts_->keys -= found.size();
    return uint64_t{found.size()};
}

Result<> KeyIndex::intend(const store::SnapshotId& snapshot, int64_t now) {
    const MutexLock lock(parts_->writing);
    return parts_->writer->intend(snapshot, now);
}

Result<std::vector<store::SnapshotId>> KeyIndex::unreferenced(int64_t before, uint64_t limit) {
    const MutexLock lock(parts_->writing);
    return parts_->writer->unreferenced(before, limit);
}

Result<bool> KeyIndex::is_unreferenced(const store::SnapshotId& snapshot) {
    const MutexLock lock(parts_->writing);
    ZCDP_TRY(const uint64_t references, parts_->writer->references(snapshot));
    return references == 0;
}

Result<> KeyIndex::forget(const store::SnapshotId& snapshot) {
    const MutexLock lock(parts_->writing);
    return parts_->writer->forget(snapshot);
}

Result<uint64_t> KeyIndex::let_go(int64_t before, int64_t now, uint64_t limit,
                                  const std::function<bool(const store::SnapshotId&)>& in_use) {
    const MutexLock lock(parts_->writing);
    KeyWriter& writer = *parts_->writer;
    ZCDP_TRY(const auto old, writer.retired_before(before, limit));
    if (old.empty()) return uint64_t{0};
    ZCDP_TRY(auto transaction, writer.transaction());
    for (const RetiredVersion& version : old)
        ZCDP_CHECK(in_use(version.snapshot) ? writer.touch(version, now) : writer.drop(version));
    ZCDP_CHECK(transaction.commit());
    return uint64_t{old.size()};
}

Result<uint64_t> KeyIndex::forget_removed(int64_t before, uint64_t limit) {
    const MutexLock lock(parts_->writing);
    return parts_->writer->drop_removed_before(before, limit);
}

}  // namespace zcdp::datastore
