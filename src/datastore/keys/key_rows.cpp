#include "src/datastore/keys/key_rows.hpp"

#include <cstring>

#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

constexpr int64_t kSchemaVersion = 1;

constexpr const char* kSchema = R"(
CREATE TABLE keys(key BLOB PRIMARY KEY, version INTEGER NOT NULL, versions INTEGER NOT NULL, kind INTEGER NOT NULL,
  snapshot BLOB NOT NULL, size INTEGER NOT NULL, files INTEGER NOT NULL, modified INTEGER NOT NULL,
  expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX keys_by_expiry ON keys(expires) WHERE expires > 0;
CREATE TABLE history(key BLOB NOT NULL, version INTEGER NOT NULL, kind INTEGER NOT NULL, snapshot BLOB NOT NULL,
  size INTEGER NOT NULL, files INTEGER NOT NULL, modified INTEGER NOT NULL, PRIMARY KEY(key, version)) WITHOUT ROWID;
CREATE TABLE retired(key BLOB NOT NULL, version INTEGER NOT NULL, kind INTEGER NOT NULL, snapshot BLOB NOT NULL,
  since INTEGER NOT NULL, PRIMARY KEY(key, version)) WITHOUT ROWID;
CREATE INDEX retired_by_time ON retired(since);
CREATE TABLE removed(key BLOB PRIMARY KEY, version INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX removed_by_time ON removed(since);
CREATE TABLE snapshots(id BLOB PRIMARY KEY, refs INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX snapshots_unreferenced ON snapshots(since) WHERE refs = 0;
PRAGMA user_version = 1;
)";

Result<std::string> one_text(sqlite::Database& db, const char* sql) {
    ZCDP_TRY(auto statement, db.prepare(sql));
    ZCDP_TRY(const bool row, statement.step());
    return row ? statement.text(0) : std::string();
}

}  // namespace

Result<sqlite::Database> open_keys(const std::string& path, bool writable) {
    ZCDP_TRY(auto db, sqlite::Database::open(path, writable));
    if (!writable) {
        ZCDP_CHECK(db.execute("PRAGMA cache_size = -4096"));
        return db;
    }
    ZCDP_TRY(const std::string journal, one_text(db, "PRAGMA journal_mode = WAL"));
    if (journal != "wal")
        return Error(ErrorKind::refused, "is on a file system on which SQLite has no write-ahead log", path,
                     "use a local disk");
    ZCDP_CHECK(db.execute("PRAGMA synchronous = FULL"));
    ZCDP_CHECK(db.execute("PRAGMA cache_size = -8192"));
    ZCDP_TRY(auto statement, db.prepare("PRAGMA user_version"));
    ZCDP_TRY(const bool row, statement.step());
    const int64_t version = row ? statement.integer(0) : 0;
    statement.reset();
    if (version > kSchemaVersion) return Error(ErrorKind::refused, "was written by a newer zcdp", path, "use that one");
    if (version == kSchemaVersion) return db;
    ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db));
    ZCDP_CHECK(db.execute(kSchema));
    ZCDP_CHECK(transaction.commit());
    return db;
}

KeyRow read_key_row(const sqlite::Statement& row) {
    KeyRow read;
    read.key = bytes_of(row, 0);
    read.version = static_cast<uint64_t>(row.integer(1)), read.versions = static_cast<uint64_t>(row.integer(2));
    read.kind = static_cast<KeyKind>(row.integer(3));
    read.snapshot = snapshot_of(row, 4);
    read.size_bytes = static_cast<uint64_t>(row.integer(5)), read.files = static_cast<uint64_t>(row.integer(6));
    read.modified_unix_s = row.integer(7), read.expires_unix_s = row.integer(8);
    return read;
}

Item item_of(const KeyRow& row, std::string_view name) {
    Item item;
    item.key = row.key, item.name = name;
    item.kind = row.kind;
    item.version = row.version, item.versions = row.versions;
    item.size_bytes = row.size_bytes, item.files = row.files;
    item.snapshot = row.snapshot.str();
    item.modified_unix_s = row.modified_unix_s, item.expires_unix_s = row.expires_unix_s;
    return item;
}

std::span<const uint8_t> blob_of(std::string_view bytes) {
    return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

std::string bytes_of(const sqlite::Statement& row, int column) {
    const auto bytes = row.blob(column);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

store::SnapshotId snapshot_of(const sqlite::Statement& row, int column) {
    store::SnapshotId id;
    const auto bytes = row.blob(column);
    if (bytes.size() == id.bytes.size()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
    return id;
}

}  // namespace zcdp::datastore
