#include "src/store/index.hpp"

#include <cstring>

namespace zcdp::store {
namespace {

constexpr int64_t kSchemaVersion = 1;

constexpr const char* kSchema = R"(
CREATE TABLE blobs(kind INTEGER NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL, chunks BLOB NOT NULL,
  PRIMARY KEY(kind, digest)) WITHOUT ROWID;
CREATE TABLE origins(id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, bucket TEXT NOT NULL, credentials TEXT NOT NULL,
  UNIQUE(endpoint, bucket, credentials));
CREATE TABLE tags(origin INTEGER NOT NULL, key TEXT NOT NULL, tag TEXT NOT NULL, size INTEGER NOT NULL,
  kind INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY(origin, key)) WITHOUT ROWID;
CREATE INDEX tags_by_tag ON tags(tag, size);
CREATE TABLE revisions(origin INTEGER NOT NULL, prefix TEXT NOT NULL, selection TEXT NOT NULL, revision TEXT NOT NULL,
  snapshot BLOB NOT NULL, PRIMARY KEY(origin, prefix, selection, revision)) WITHOUT ROWID;
CREATE TABLE snapshots(id BLOB PRIMARY KEY, state INTEGER NOT NULL, name TEXT NOT NULL, revision TEXT NOT NULL,
  pinned INTEGER NOT NULL, files INTEGER NOT NULL, directories INTEGER NOT NULL, symlinks INTEGER NOT NULL,
  bytes INTEGER NOT NULL, created INTEGER NOT NULL, last_use INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE leases(id INTEGER PRIMARY KEY AUTOINCREMENT, snapshot BLOB NOT NULL, owner TEXT NOT NULL,
  pid INTEGER NOT NULL, pid_started INTEGER NOT NULL, created INTEGER NOT NULL);
PRAGMA user_version = 1;
)";

/// Came later: an index without it is as good as one that has it empty, and an older zcdp passes it over.
constexpr const char* kSchemaOfSums = R"(
CREATE TABLE IF NOT EXISTS sums(origin INTEGER NOT NULL, sum TEXT NOT NULL, size INTEGER NOT NULL, kind INTEGER NOT NULL,
  digest BLOB NOT NULL, PRIMARY KEY(origin, sum, size)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sums_by_size ON sums(size, sum);
)";

std::span<const uint8_t> bytes_of(const SnapshotId& id) { return id.bytes; }

void read_digest(const sqlite::Statement& row, int kind_column, Digest& into) {
    into.kind = row.integer(kind_column) == 2 ? DigestKind::sha256tree : DigestKind::sha256;
    const auto bytes = row.blob(kind_column + 1);
    if (bytes.size() == into.bytes.size()) std::memcpy(into.bytes.data(), bytes.data(), bytes.size());
}

SnapshotId read_id(const sqlite::Statement& row, int column) {
    SnapshotId id;
    const auto bytes = row.blob(column);
    if (bytes.size() == id.bytes.size()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
    return id;
}

TagRow read_tag(const sqlite::Statement& row) {
    TagRow tag{row.text(0), Tag(row.text(1)), static_cast<uint64_t>(row.integer(2)), {}, {}};
    read_digest(row, 3, tag.digest);
    return tag;
}

SnapshotInfo read_snapshot(const sqlite::Statement& row) {
    SnapshotInfo info;
    info.id = read_id(row, 0);
    info.state = static_cast<SnapshotState>(row.integer(1));
    info.name = row.text(2);
    info.revision = Revision(row.text(3));
    info.pinned = row.integer(4) != 0;
    info.files = static_cast<uint64_t>(row.integer(5));
    info.directories = static_cast<uint64_t>(row.integer(6));
    info.symlinks = static_cast<uint64_t>(row.integer(7));
    info.bytes = static_cast<uint64_t>(row.integer(8));
    info.created_unix_s = row.integer(9);
    info.last_use_unix_s = row.integer(10);
    return info;
}

}  // namespace

Result<std::unique_ptr<Index>> Index::open(const std::string& path, bool writable) {
    auto index = std::unique_ptr<Index>(new Index);
    ZCDP_TRY(index->db_, sqlite::Database::open(path, writable));
    if (writable) {
        ZCDP_CHECK(index->db_.execute("PRAGMA journal_mode = WAL"));
        ZCDP_CHECK(index->db_.execute("PRAGMA synchronous = FULL"));
        ZCDP_CHECK(index->db_.execute("PRAGMA cache_size = -8192"));
    }
    auto found = index->version();
    if (!found && !writable) {
        ZCDP_TRY(index->db_, sqlite::Database::open_immutable(path));
        found = index->version();
    }
    if (!found) return std::move(found).error();
    const int64_t version = *found;
    if (version > kSchemaVersion)
        return Error(ErrorKind::refused, "was written by a newer zcdp", path, "use that one, or another --store");
    if (version == 0 && writable) {
        ZCDP_TRY(auto transaction, index->transaction());
        ZCDP_CHECK(index->db_.execute(kSchema));
        ZCDP_CHECK(index->db_.execute(kSchemaOfSums));
        ZCDP_CHECK(transaction.commit());
    }
    if (version != 0 && writable) ZCDP_CHECK(index->db_.execute(kSchemaOfSums));
    ZCDP_CHECK(index->prepare());
    if (index->has_sums()) ZCDP_CHECK(index->prepare_sums());
    return index;
}

bool Index::has_sums() {
    auto statement = db_.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sums_by_size'");
    if (!statement) return false;
    const auto row = statement->step();
    return row && *row;
}

Result<> Index::prepare_sums() {
    ZCDP_TRY(put_sum_, db_.prepare("INSERT OR REPLACE INTO sums VALUES(?,?,?,?,?)"));
    ZCDP_TRY(sums_like_,
             db_.prepare("SELECT sums.kind, sums.digest FROM sums JOIN origins ON origins.id = sums.origin "
                         "WHERE size=? AND sum=? AND endpoint=? AND bucket=? AND (credentials=? OR ?) LIMIT 4"));
    ZCDP_TRY(any_sums_, db_.prepare("SELECT 1 FROM sums JOIN origins ON origins.id = sums.origin "
                                    "WHERE size=? AND endpoint=? AND bucket=? LIMIT 1"));
    sums_ = true;
    return {};
}

Result<int64_t> Index::version() {
    ZCDP_TRY(auto statement, db_.prepare("PRAGMA user_version"));
    ZCDP_TRY(const bool row, statement.step());
    return row ? statement.integer(0) : 0;
}

Result<> Index::prepare() {
    const auto make = [this](sqlite::Statement& statement, const char* sql) -> Result<> {
        ZCDP_TRY(statement, db_.prepare(sql));
        return {};
    };
    ZCDP_CHECK(make(put_blob_, "INSERT OR REPLACE INTO blobs VALUES(?,?,?,?)"));
    ZCDP_CHECK(make(get_blob_, "SELECT size, chunks FROM blobs WHERE kind=? AND digest=?"));
    ZCDP_CHECK(make(has_blob_, "SELECT size FROM blobs WHERE kind=? AND digest=?"));
    ZCDP_CHECK(make(drop_blob_, "DELETE FROM blobs WHERE kind=? AND digest=?"));
    ZCDP_CHECK(make(put_origin_, "INSERT OR IGNORE INTO origins(endpoint, bucket, credentials) VALUES(?,?,?)"));
    ZCDP_CHECK(make(get_origin_, "SELECT id FROM origins WHERE endpoint=? AND bucket=? AND credentials=?"));
    ZCDP_CHECK(make(put_tag_, "INSERT OR REPLACE INTO tags VALUES(?,?,?,?,?,?)"));
    ZCDP_CHECK(make(drop_tag_, "DELETE FROM tags WHERE origin=? AND key=?"));
    ZCDP_CHECK(make(drop_revisions_, "DELETE FROM revisions WHERE origin=? AND prefix=?"));
    ZCDP_CHECK(
        make(tags_from_, "SELECT key, tag, size, kind, digest FROM tags WHERE origin=? AND key>=? ORDER BY key"));
    ZCDP_CHECK(make(tags_like_,
                    "SELECT key, tag, size, kind, digest FROM tags JOIN origins ON origins.id = tags.origin "
                    "WHERE tag=? AND size=? AND endpoint=? AND bucket=? LIMIT 16"));
    ZCDP_CHECK(make(any_tags_,
                    "SELECT 1 FROM origins WHERE endpoint=? AND bucket=? AND EXISTS "
                    "(SELECT 1 FROM tags WHERE origin = origins.id) LIMIT 1"));
    ZCDP_CHECK(make(get_revision_,
                    "SELECT snapshot FROM revisions WHERE origin=? AND prefix=? AND selection=? AND revision=?"));
    ZCDP_CHECK(make(put_revision_, "INSERT OR REPLACE INTO revisions VALUES(?,?,?,?,?)"));
    ZCDP_CHECK(make(put_snapshot_, "INSERT OR REPLACE INTO snapshots VALUES(?,?,?,?,?,?,?,?,?,?,?)"));
    ZCDP_CHECK(make(get_snapshot_, "SELECT * FROM snapshots WHERE id=?"));
    ZCDP_CHECK(make(drop_snapshot_, "DELETE FROM snapshots WHERE id=?"));
    ZCDP_CHECK(make(set_state_, "UPDATE snapshots SET state=?1 WHERE id=?2 AND (state<>2 OR ?1=2)"));
    ZCDP_CHECK(make(set_pinned_, "UPDATE snapshots SET pinned=? WHERE id=?"));
    ZCDP_CHECK(make(set_last_use_, "UPDATE snapshots SET last_use=? WHERE id=?"));
    ZCDP_CHECK(make(add_lease_,
                    "INSERT INTO leases(snapshot, owner, pid, pid_started, created) VALUES(?,?,?,?,?) RETURNING id"));
    return make(drop_lease_, "DELETE FROM leases WHERE id=?");
}

Result<> Index::check() {
    ZCDP_TRY(auto statement, db_.prepare("PRAGMA quick_check(1)"));
    ZCDP_TRY(const bool row, statement.step());
    if (row && statement.text(0) == "ok") return {};
    return Error(ErrorKind::corrupt, "the index is damaged", "index.db");
}

Result<> Index::put_blob(const Digest& digest, uint64_t size_bytes, std::span<const Sha256Bytes> chunks) {
    const auto raw = std::span(reinterpret_cast<const uint8_t*>(chunks.data()), chunks.size_bytes());
    return put_blob_.bind(1, static_cast<int>(digest.kind))
        .bind_blob(2, digest.bytes)
        .bind(3, size_bytes)
        .bind_blob(4, raw)
        .run();
}

Result<std::optional<Index::Blob>> Index::blob(const Digest& digest) {
    get_blob_.bind(1, static_cast<int>(digest.kind)).bind_blob(2, digest.bytes);
    ZCDP_TRY(const bool row, get_blob_.step());
    std::optional<Blob> found;
    if (row) {
        found.emplace().size_bytes = static_cast<uint64_t>(get_blob_.integer(0));
        const auto raw = get_blob_.blob(1);
        found->chunks.resize(raw.size() / sizeof(Sha256Bytes));
        if (!found->chunks.empty())
            std::memcpy(found->chunks.data(), raw.data(), found->chunks.size() * sizeof(Sha256Bytes));
    }
    get_blob_.reset();
    return found;
}

Result<bool> Index::has_blob(const Digest& digest, uint64_t size_bytes) {
    has_blob_.bind(1, static_cast<int>(digest.kind)).bind_blob(2, digest.bytes);
    ZCDP_TRY(const bool row, has_blob_.step());
    const bool has = row && static_cast<uint64_t>(has_blob_.integer(0)) == size_bytes;
    has_blob_.reset();
    return has;
}

Result<> Index::drop_blob(const Digest& digest) {
    return drop_blob_.bind(1, static_cast<int>(digest.kind)).bind_blob(2, digest.bytes).run();
}

Result<std::optional<int64_t>> Index::find_origin(const TagScope& scope) {
    get_origin_.bind_text(1, scope.endpoint).bind_text(2, scope.bucket).bind_text(3, scope.credentials);
    ZCDP_TRY(const bool row, get_origin_.step());
    std::optional<int64_t> id;
    if (row) id = get_origin_.integer(0);
    get_origin_.reset();
    return id;
}

Result<int64_t> Index::origin_id(const TagScope& scope) {
    ZCDP_TRY(auto id, find_origin(scope));
    if (!id) {
        ZCDP_CHECK(
            put_origin_.bind_text(1, scope.endpoint).bind_text(2, scope.bucket).bind_text(3, scope.credentials).run());
        ZCDP_TRY(id, find_origin(scope));
    }
    return *id;
}

Result<> Index::put_tag(int64_t origin, const TagRow& row) {
    if (!row.sum.empty() && sums_)
        ZCDP_CHECK(put_sum_.bind(1, origin)
                       .bind_text(2, row.sum)
                       .bind(3, row.size_bytes)
                       .bind(4, static_cast<int>(row.digest.kind))
                       .bind_blob(5, row.digest.bytes)
                       .run());
    return put_tag_.bind(1, origin)
        .bind_text(2, row.key)
        .bind_text(3, row.tag.str())
        .bind(4, row.size_bytes)
        .bind(5, static_cast<int>(row.digest.kind))
        .bind_blob(6, row.digest.bytes)
        .run();
}

Result<> Index::drop_tag(int64_t origin, const std::string& key) {
    return drop_tag_.bind(1, origin).bind_text(2, key).run();
}

Result<> Index::drop_revisions(int64_t origin, const std::string& prefix) {
    return drop_revisions_.bind(1, origin).bind_text(2, prefix).run();
}

Result<> Index::for_each_tag(int64_t origin, const std::string& prefix, const std::string& from,
                             const std::function<bool(const TagRow&)>& row) {
    tags_from_.bind(1, origin).bind_text(2, std::max(prefix, from));
    while (true) {
        ZCDP_TRY(const bool more, tags_from_.step());
        if (!more) break;
        const TagRow tag = read_tag(tags_from_);
        if (!tag.key.starts_with(prefix) || !row(tag)) break;
    }
    tags_from_.reset();
    return {};
}

Result<std::vector<TagRow>> Index::tags_like(const TagScope& scope, const Tag& tag, uint64_t size_bytes) {
    tags_like_.bind_text(1, tag.str()).bind(2, size_bytes).bind_text(3, scope.endpoint).bind_text(4, scope.bucket);
    std::vector<TagRow> rows;
    while (true) {
        ZCDP_TRY(const bool more, tags_like_.step());
        if (!more) break;
        rows.push_back(read_tag(tags_like_));
    }
    tags_like_.reset();
    return rows;
}

Result<bool> Index::any_tags(const TagScope& scope) {
    any_tags_.bind_text(1, scope.endpoint).bind_text(2, scope.bucket);
    ZCDP_TRY(const bool row, any_tags_.step());
    any_tags_.reset();
    return row;
}

Result<std::vector<Digest>> Index::sums_like(const TagScope& scope, const std::string& sum, uint64_t size_bytes,
                                             bool anybodys) {
    std::vector<Digest> found;
    if (!sums_) return found;
    sums_like_.bind(1, size_bytes)
        .bind_text(2, sum)
        .bind_text(3, scope.endpoint)
        .bind_text(4, scope.bucket)
        .bind_text(5, scope.credentials)
        .bind(6, anybodys ? 1 : 0);
    while (true) {
        ZCDP_TRY(const bool more, sums_like_.step());
        if (!more) break;
        read_digest(sums_like_, 0, found.emplace_back());
    }
    sums_like_.reset();
    return found;
}

Result<bool> Index::any_sums(const TagScope& scope, uint64_t size_bytes) {
    if (!sums_) return false;
    any_sums_.bind(1, size_bytes).bind_text(2, scope.endpoint).bind_text(3, scope.bucket);
    ZCDP_TRY(const bool row, any_sums_.step());
    any_sums_.reset();
    return row;
}

Result<std::optional<SnapshotId>> Index::find_revision(int64_t origin, const std::string& prefix,
                                                       const std::string& selection, const Revision& revision) {
    get_revision_.bind(1, origin).bind_text(2, prefix).bind_text(3, selection).bind_text(4, revision.str());
    ZCDP_TRY(const bool row, get_revision_.step());
    std::optional<SnapshotId> id;
    if (row) id = read_id(get_revision_, 0);
    get_revision_.reset();
    return id;
}

Result<> Index::put_revision(int64_t origin, const std::string& prefix, const std::string& selection,
                             const Revision& revision, const SnapshotId& snapshot) {
    return put_revision_.bind(1, origin)
        .bind_text(2, prefix)
        .bind_text(3, selection)
        .bind_text(4, revision.str())
        .bind_blob(5, bytes_of(snapshot))
        .run();
}

Result<> Index::put_snapshot(const SnapshotInfo& info) {
    return put_snapshot_.bind_blob(1, bytes_of(info.id))
        .bind(2, static_cast<int>(info.state))
        .bind_text(3, info.name)
        .bind_text(4, info.revision.str())
        .bind(5, info.pinned ? 1 : 0)
        .bind(6, info.files)
        .bind(7, info.directories)
        .bind(8, info.symlinks)
        .bind(9, info.bytes)
        .bind(10, info.created_unix_s)
        .bind(11, info.last_use_unix_s)
        .run();
}

Result<> Index::drop_snapshot(const SnapshotId& id) { return drop_snapshot_.bind_blob(1, bytes_of(id)).run(); }

Result<std::optional<SnapshotInfo>> Index::snapshot(const SnapshotId& id) {
    get_snapshot_.bind_blob(1, bytes_of(id));
    ZCDP_TRY(const bool row, get_snapshot_.step());
    std::optional<SnapshotInfo> info;
    if (row) info = read_snapshot(get_snapshot_);
    get_snapshot_.reset();
    return info;
}

Result<std::vector<SnapshotInfo>> Index::snapshots() {
    ZCDP_TRY(auto statement, db_.prepare("SELECT * FROM snapshots ORDER BY created, id"));
    std::vector<SnapshotInfo> all;
    while (true) {
        ZCDP_TRY(const bool more, statement.step());
        if (!more) return all;
        all.push_back(read_snapshot(statement));
    }
}

Result<> Index::set_state(const SnapshotId& id, SnapshotState state) {
    return set_state_.bind(1, static_cast<int>(state)).bind_blob(2, bytes_of(id)).run();
}

Result<> Index::set_pinned(const SnapshotId& id, bool pinned) {
    return set_pinned_.bind(1, pinned ? 1 : 0).bind_blob(2, bytes_of(id)).run();
}

Result<> Index::set_last_use(const SnapshotId& id, int64_t unix_s) {
    return set_last_use_.bind(1, unix_s).bind_blob(2, bytes_of(id)).run();
}

Result<int64_t> Index::add_lease(const SnapshotId& id, const std::string& owner, int64_t pid, int64_t pid_started,
                                 int64_t now_unix_s) {
    add_lease_.bind_blob(1, bytes_of(id)).bind_text(2, owner).bind(3, pid).bind(4, pid_started).bind(5, now_unix_s);
    ZCDP_TRY(const bool row, add_lease_.step());
    const int64_t lease = row ? add_lease_.integer(0) : 0;
    ZCDP_CHECK(add_lease_.run());
    return lease;
}

Result<> Index::drop_lease(int64_t lease) { return drop_lease_.bind(1, lease).run(); }

Result<std::vector<Index::Lease>> Index::leases() {
    ZCDP_TRY(auto statement, db_.prepare("SELECT id, snapshot, owner, pid, pid_started FROM leases"));
    std::vector<Lease> all;
    while (true) {
        ZCDP_TRY(const bool more, statement.step());
        if (!more) return all;
        all.push_back({statement.integer(0), read_id(statement, 1), statement.text(2), statement.integer(3),
                       statement.integer(4)});
    }
}

Result<Index::Usage> Index::usage() {
    ZCDP_TRY(auto statement, db_.prepare("SELECT count(*), coalesce(sum(size), 0) FROM blobs"));
    ZCDP_TRY(const bool row, statement.step());
    if (!row) return Usage{};
    return Usage{static_cast<uint64_t>(statement.integer(0)), static_cast<uint64_t>(statement.integer(1))};
}

}  // namespace zcdp::store
