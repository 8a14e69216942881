#include "src/datastore/keys/key_writer.hpp"

namespace zcdp::datastore {

Result<std::unique_ptr<KeyWriter>> KeyWriter::open(const std::string& path) {
    auto writer = std::make_unique<KeyWriter>();
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

Result<> KeyWriter::put(const KeyRow& row) {
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

Result<> KeyWriter::set_expiry(const std::string& key, int64_t expires_unix_s) {
    return set_expiry_.bind_blob(1, blob_of(key)).bind(2, expires_unix_s).run();
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

Result<> KeyWriter::retire(const RetiredVersion& version, int64_t now) {
    return put_retired_.bind_blob(1, blob_of(version.key))
        .bind(2, version.version)
        .bind(3, static_cast<int>(version.kind))
        .bind_blob(4, version.snapshot.bytes)
        .bind(5, now)
        .run();
}

Result<> KeyWriter::retire_oldest(const std::string& key, int64_t now) {
    RetiredVersion oldest{key, 0, KeyKind::tree, {}};
    {
        Rows rows(oldest_.bind_blob(1, blob_of(key)));
        ZCDP_TRY(const bool found, rows.step());
        if (!found) return {};
        oldest.version = static_cast<uint64_t>(oldest_.integer(0));
        oldest.kind = static_cast<KeyKind>(oldest_.integer(1));
        oldest.snapshot = snapshot_of(oldest_, 2);
    }
    ZCDP_CHECK(drop_history_.bind_blob(1, blob_of(key)).bind(2, oldest.version).run());
    return retire(oldest, now);
}

Result<> KeyWriter::remove(const KeyRow& row, int64_t now) {
    for (uint64_t older = row.versions; older > 1; --older) ZCDP_CHECK(retire_oldest(row.key, now));
    ZCDP_CHECK(retire({row.key, row.version, row.kind, row.snapshot}, now));
    ZCDP_CHECK(put_removed_.bind_blob(1, blob_of(row.key)).bind(2, row.version).bind(3, now).run());
    return drop_.bind_blob(1, blob_of(row.key)).run();
}

Result<uint64_t> KeyWriter::take_removed(const std::string& key) {
    uint64_t version = 0;
    {
        Rows rows(get_removed_.bind_blob(1, blob_of(key)));
        ZCDP_TRY(const bool removed, rows.step());
        if (!removed) return version;
        version = static_cast<uint64_t>(get_removed_.integer(0));
    }
    ZCDP_CHECK(drop_removed_.bind_blob(1, blob_of(key)).run());
    return version;
}

Result<uint64_t> KeyWriter::drop_removed_before(int64_t before, uint64_t limit) {
    Rows rows(drop_old_removed_.bind(1, before).bind(2, limit));
    for (uint64_t dropped = 0;; ++dropped) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return dropped;
    }
}

Result<std::vector<KeyRow>> KeyWriter::all_of(sqlite::Statement& statement) {
    Rows rows(statement);
    std::vector<KeyRow> found;
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return found;
        found.push_back(read_key_row(statement));
    }
}

Result<std::vector<KeyRow>> KeyWriter::between(const std::string& behind, const std::string& end, uint64_t limit) {
    return all_of(below_.bind_blob(1, blob_of(behind)).bind_blob(2, blob_of(end)).bind(3, limit));
}

Result<std::vector<KeyRow>> KeyWriter::over(int64_t now, uint64_t limit) {
    return all_of(expired_.bind(1, now).bind(2, limit));
}

Result<std::vector<RetiredVersion>> KeyWriter::retired_before(int64_t before, uint64_t limit) {
    std::vector<RetiredVersion> found;
    Rows rows(old_retired_.bind(1, before).bind(2, limit));
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return found;
        found.push_back({bytes_of(old_retired_, 0), static_cast<uint64_t>(old_retired_.integer(1)), KeyKind::tree,
                         snapshot_of(old_retired_, 2)});
    }
}

Result<> KeyWriter::touch(const RetiredVersion& version, int64_t now) {
    return touch_retired_.bind_blob(1, blob_of(version.key)).bind(2, version.version).bind(3, now).run();
}

Result<> KeyWriter::drop(const RetiredVersion& version) {
    ZCDP_CHECK(drop_retired_.bind_blob(1, blob_of(version.key)).bind(2, version.version).run());
    return unrefer_.bind_blob(1, version.snapshot.bytes).run();
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

Result<uint64_t> KeyWriter::references(const store::SnapshotId& snapshot) {
    Rows rows(references_.bind_blob(1, snapshot.bytes));
    ZCDP_TRY(const bool known, rows.step());
    return known ? static_cast<uint64_t>(references_.integer(0)) : 0;
}

Result<> KeyWriter::forget(const store::SnapshotId& snapshot) { return forget_.bind_blob(1, snapshot.bytes).run(); }

}  // namespace zcdp::datastore
