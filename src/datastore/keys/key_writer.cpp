#include "src/datastore/keys/key_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zcdp::datastore {
namespace {

Error not_that_version(const NewVersion& wanted, uint64_t present) {
    const std::string is = present == 0 ? "is not there" : fmt::format("has version {}", present);
    return Error(ErrorKind::source_changed, fmt::format("{}, and not version {}", is, *wanted.if_version), wanted.key,
                 "another wrote it meanwhile: get it, and put again");
}

Error too_many_keys(const std::string& key, uint64_t keys, uint64_t quota) {
    return Error(ErrorKind::no_space, fmt::format("there are {} keys, and may be {}", keys, quota), key,
                 "remove keys (zcdp rm), or raise --quota-keys of the server");
}

KeyRow row_of(const NewVersion& version, uint64_t number, int64_t now) {
    KeyRow row;
    row.key = version.key, row.version = number, row.kind = version.kind, row.snapshot = version.snapshot;
    row.size_bytes = version.size_bytes, row.files = version.files;
    row.modified_unix_s = now, row.expires_unix_s = version.expires_unix_s;
    return row;
}

}  // namespace

Result<std::unique_ptr<KeyWriter>> KeyWriter::open(const std::string& path, KeyIndexOptions options) {
    auto writer = std::make_unique<KeyWriter>();
    writer->options_ = options;
    writer->options_.keep_versions = std::max<uint64_t>(1, options.keep_versions);
    ZCDP_TRY(writer->db_, open_keys(path, true));
    ZCDP_CHECK(writer->prepare());
    return writer;
}

Result<> KeyWriter::prepare() {
    const auto make = [this](sqlite::Statement& into, const std::string& sql) -> Result<> {
        ZCDP_TRY(into, db_.prepare(sql.c_str()));
        return {};
    };
    const std::string select = std::string("SELECT ") + kKeyColumns + " FROM keys ";
    ZCDP_CHECK(make(get_, select + "WHERE key = ?1"));
    ZCDP_CHECK(make(put_, "INSERT OR REPLACE INTO keys VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)"));
    ZCDP_CHECK(make(drop_, "DELETE FROM keys WHERE key = ?1"));
    ZCDP_CHECK(make(set_expiry_, "UPDATE keys SET expires = ?2 WHERE key = ?1"));
    ZCDP_CHECK(make(below_, select + "WHERE key > ?1 AND key < ?2 ORDER BY key LIMIT ?3"));
    ZCDP_CHECK(make(expired_, select + "WHERE expires > 0 AND expires <= ?1 LIMIT ?2"));
    ZCDP_CHECK(make(put_history_, "INSERT INTO history VALUES(?1,?2,?3,?4,?5,?6,?7)"));
    ZCDP_CHECK(make(oldest_, "SELECT version, kind, snapshot FROM history WHERE key = ?1 ORDER BY version LIMIT 1"));
    ZCDP_CHECK(make(drop_history_, "DELETE FROM history WHERE key = ?1 AND version = ?2"));
    ZCDP_CHECK(make(put_retired_, "INSERT OR REPLACE INTO retired VALUES(?1,?2,?3,?4,?5)"));
    ZCDP_CHECK(
        make(old_retired_, "SELECT key, version, snapshot FROM retired WHERE since <= ?1 ORDER BY since LIMIT ?2"));
    ZCDP_CHECK(make(touch_retired_, "UPDATE retired SET since = ?3 WHERE key = ?1 AND version = ?2"));
    ZCDP_CHECK(make(drop_retired_, "DELETE FROM retired WHERE key = ?1 AND version = ?2"));
    ZCDP_CHECK(make(get_removed_, "SELECT version FROM removed WHERE key = ?1"));
    ZCDP_CHECK(make(put_removed_, "INSERT OR REPLACE INTO removed VALUES(?1,?2,?3)"));
    ZCDP_CHECK(make(drop_removed_, "DELETE FROM removed WHERE key = ?1"));
    ZCDP_CHECK(make(drop_old_removed_,
                    "DELETE FROM removed WHERE key IN (SELECT key FROM removed WHERE since < ?1 AND NOT EXISTS "
                    "(SELECT 1 FROM retired WHERE retired.key = removed.key) LIMIT ?2) RETURNING 1"));
    ZCDP_CHECK(
        make(refer_, "INSERT INTO snapshots VALUES(?1,1,0) ON CONFLICT(id) DO UPDATE SET refs = refs + 1, since = 0"));
    ZCDP_CHECK(make(unrefer_, "UPDATE snapshots SET refs = refs - 1, since = 0 WHERE id = ?1"));
    ZCDP_CHECK(make(intend_,
                    "INSERT INTO snapshots VALUES(?1,0,?2) ON CONFLICT(id) DO UPDATE SET since = ?2 "
                    "WHERE refs = 0"));
    ZCDP_CHECK(make(unreferenced_, "SELECT id FROM snapshots WHERE refs = 0 AND since <= ?1 ORDER BY since LIMIT ?2"));
    ZCDP_CHECK(make(references_, "SELECT refs FROM snapshots WHERE id = ?1"));
    return make(forget_, "DELETE FROM snapshots WHERE id = ?1 AND refs = 0");
}

Result<std::optional<KeyRow>> KeyWriter::row(const std::string& key) {
    Rows rows(get_.bind_blob(1, blob_of(key)));
    ZCDP_TRY(const bool found, rows.step());
    return found ? std::optional(read_key_row(get_)) : std::nullopt;
}

/// One whose time is over is removed.
Result<std::optional<KeyRow>> KeyWriter::live_row(const std::string& key, int64_t now, uint64_t& keys) {
    ZCDP_TRY(auto found, row(key));
    if (!found || !found->is_over(now)) return found;
    ZCDP_CHECK(remove_row(*found, now));
    --keys;
    return std::nullopt;
}

Result<uint64_t> KeyWriter::next_version(const NewVersion& version, const std::optional<KeyRow>& before,
                                         uint64_t& keys) {
    if (before) return before->version + 1;
    if (options_.quota_keys > 0 && keys >= options_.quota_keys)
        return too_many_keys(version.key, keys, options_.quota_keys);
    ++keys;
    uint64_t had = 0;
    {
        Rows rows(get_removed_.bind_blob(1, blob_of(version.key)));
        ZCDP_TRY(const bool removed, rows.step());
        if (removed) had = static_cast<uint64_t>(get_removed_.integer(0));
    }
    if (had > 0) ZCDP_CHECK(drop_removed_.bind_blob(1, blob_of(version.key)).run());
    return had + 1;
}

Result<Switched> KeyWriter::switch_to(const NewVersion& version, int64_t now) {
    ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db_));
    uint64_t keys = keys_;
    ZCDP_TRY(const auto before, live_row(version.key, now, keys));
    const uint64_t present = before ? before->version : 0;
    if (version.if_version && *version.if_version != present) return not_that_version(version, present);
    if (before && before->snapshot == version.snapshot && before->kind == version.kind && !version.force) {
        if (before->expires_unix_s != version.expires_unix_s)
            ZCDP_CHECK(set_expiry_.bind_blob(1, blob_of(version.key)).bind(2, version.expires_unix_s).run());
        ZCDP_CHECK(transaction.commit());
        return Switched{present, true};
    }
    ZCDP_TRY(const uint64_t number, next_version(version, before, keys));
    KeyRow row = row_of(version, number, now);
    row.versions = before ? std::min(before->versions + 1, options_.keep_versions) : 1;
    if (before) ZCDP_CHECK(put_history(*before));
    ZCDP_CHECK(refer(version.snapshot));
    ZCDP_CHECK(put_row(row));
    if (before && before->versions + 1 > options_.keep_versions) {
        for (uint64_t over = before->versions + 1 - options_.keep_versions; over > 0; --over)
            ZCDP_CHECK(retire(version.key, now));
    }
    ZCDP_CHECK(transaction.commit());
    keys_ = keys;
    return Switched{number, false};
}

Result<> KeyWriter::put_row(const KeyRow& row) {
    return put_.bind_blob(1, blob_of(row.key))
        .bind(2, row.version)
        .bind(3, row.versions)
        .bind(4, static_cast<int>(row.kind))
        .bind_blob(5, row.snapshot.bytes)
        .bind(6, row.size_bytes)
        .bind(7, row.files)
        .bind(8, row.modified_unix_s)
        .bind(9, row.expires_unix_s)
        .run();
}

Result<> KeyWriter::put_history(const KeyRow& row) {
    return put_history_.bind_blob(1, blob_of(row.key))
        .bind(2, row.version)
        .bind(3, static_cast<int>(row.kind))
        .bind_blob(4, row.snapshot.bytes)
        .bind(5, row.size_bytes)
        .bind(6, row.files)
        .bind(7, row.modified_unix_s)
        .run();
}

/// The oldest version of the history.
Result<> KeyWriter::retire(const std::string& key, int64_t now) {
    uint64_t version = 0;
    KeyKind kind = KeyKind::tree;
    store::SnapshotId snapshot;
    {
        Rows rows(oldest_.bind_blob(1, blob_of(key)));
        ZCDP_TRY(const bool found, rows.step());
        if (!found) return {};
        version = static_cast<uint64_t>(oldest_.integer(0)), kind = static_cast<KeyKind>(oldest_.integer(1));
        snapshot = snapshot_of(oldest_, 2);
    }
    ZCDP_CHECK(drop_history_.bind_blob(1, blob_of(key)).bind(2, version).run());
    return retire_row(key, version, kind, snapshot, now);
}

Result<> KeyWriter::retire_row(const std::string& key, uint64_t version, KeyKind kind,
                               const store::SnapshotId& snapshot, int64_t now) {
    return put_retired_.bind_blob(1, blob_of(key))
        .bind(2, version)
        .bind(3, static_cast<int>(kind))
        .bind_blob(4, snapshot.bytes)
        .bind(5, now)
        .run();
}

Result<> KeyWriter::remove_row(const KeyRow& row, int64_t now) {
    for (uint64_t older = row.versions; older > 1; --older) ZCDP_CHECK(retire(row.key, now));
    ZCDP_CHECK(retire_row(row.key, row.version, row.kind, row.snapshot, now));
    ZCDP_CHECK(put_removed_.bind_blob(1, blob_of(row.key)).bind(2, row.version).bind(3, now).run());
    return drop_.bind_blob(1, blob_of(row.key)).run();
}

Result<bool> KeyWriter::remove(const std::string& key, int64_t now) {
    ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db_));
    uint64_t keys = keys_;
    ZCDP_TRY(const auto found, live_row(key, now, keys));
    if (found) {
        ZCDP_CHECK(remove_row(*found, now));
        --keys;
    }
    ZCDP_CHECK(transaction.commit());
    keys_ = keys;
    return found.has_value();
}

Result<RemovedKeys> KeyWriter::remove_below(const std::string& prefix, const std::string& from, uint64_t limit,
                                            int64_t now) {
    const std::string begin = prefix + "/", end = prefix + static_cast<char>('/' + 1);
    const std::string behind = std::max(begin, from);
    ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db_));
    std::vector<KeyRow> found;
    {
        Rows rows(below_.bind_blob(1, blob_of(behind)).bind_blob(2, blob_of(end)).bind(3, limit));
        while (true) {
            ZCDP_TRY(const bool more, rows.step());
            if (!more) break;
            found.push_back(read_key_row(below_));
        }
    }
    RemovedKeys removed;
    for (const KeyRow& row : found) {
        removed.keys += !row.is_over(now);
        ZCDP_CHECK(remove_row(row, now));
    }
    if (found.size() == limit) removed.next = found.back().key;
    ZCDP_CHECK(transaction.commit());
    keys_ -= found.size();
    return removed;
}

Result<uint64_t> KeyWriter::expire(int64_t now, uint64_t limit) {
    std::vector<KeyRow> found;
    {
        Rows rows(expired_.bind(1, now).bind(2, limit));
        while (true) {
            ZCDP_TRY(const bool more, rows.step());
            if (!more) break;
            found.push_back(read_key_row(expired_));
        }
    }
    if (found.empty()) return 0;
    ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db_));
    for (const KeyRow& row : found) ZCDP_CHECK(remove_row(row, now));
    ZCDP_CHECK(transaction.commit());
    keys_ -= found.size();
    return found.size();
}

Result<> KeyWriter::refer(const store::SnapshotId& snapshot) { return refer_.bind_blob(1, snapshot.bytes).run(); }

Result<> KeyWriter::intend(const store::SnapshotId& snapshot, int64_t now) {
    return intend_.bind_blob(1, snapshot.bytes).bind(2, now).run();
}

Result<std::vector<store::SnapshotId>> KeyWriter::unreferenced(int64_t before, uint64_t limit) {
    std::vector<store::SnapshotId> found;
    Rows rows(unreferenced_.bind(1, before).bind(2, limit));
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return found;
        found.push_back(snapshot_of(unreferenced_, 0));
    }
}

Result<bool> KeyWriter::is_unreferenced(const store::SnapshotId& snapshot) {
    Rows rows(references_.bind_blob(1, snapshot.bytes));
    ZCDP_TRY(const bool known, rows.step());
    return !known || references_.integer(0) == 0;
}

Result<> KeyWriter::forget(const store::SnapshotId& snapshot) { return forget_.bind_blob(1, snapshot.bytes).run(); }

Result<uint64_t> KeyWriter::let_go(int64_t before, int64_t now, uint64_t limit,
                                   const std::function<bool(const store::SnapshotId&)>& in_use) {
    struct Old {
        std::string key;
        uint64_t version;
        store::SnapshotId snapshot;
    };
    std::vector<Old> old;
    {
        Rows rows(old_retired_.bind(1, before).bind(2, limit));
        while (true) {
            ZCDP_TRY(const bool more, rows.step());
            if (!more) break;
            old.push_back({bytes_of(old_retired_, 0), static_cast<uint64_t>(old_retired_.integer(1)),
                           snapshot_of(old_retired_, 2)});
        }
    }
    if (old.empty()) return 0;
    ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db_));
    for (const Old& one : old) {
        if (in_use(one.snapshot)) {
            ZCDP_CHECK(touch_retired_.bind_blob(1, blob_of(one.key)).bind(2, one.version).bind(3, now).run());
            continue;
        }
        ZCDP_CHECK(drop_retired_.bind_blob(1, blob_of(one.key)).bind(2, one.version).run());
        ZCDP_CHECK(unrefer_.bind_blob(1, one.snapshot.bytes).run());
    }
    ZCDP_CHECK(transaction.commit());
    return old.size();
}

Result<uint64_t> KeyWriter::forget_removed(int64_t before, uint64_t limit) {
    Rows rows(drop_old_removed_.bind(1, before).bind(2, limit));
    uint64_t forgotten = 0;
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return forgotten;
        ++forgotten;
    }
}

}  // namespace zcdp::datastore
