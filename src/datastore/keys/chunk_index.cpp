#include "src/datastore/keys/chunk_index.hpp"

#include <unistd.h>

#include <cstring>

#include "src/datastore/keys/key_rows.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kBatchChunks = 4096;  ///< a transaction has so many: others ask between two

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS blobs(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS chunks(digest BLOB NOT NULL, blob INTEGER NOT NULL, number INTEGER NOT NULL,
  PRIMARY KEY(digest, blob)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chunks_by_blob ON chunks(blob);
PRAGMA user_version = 1;
)";

Digest tree_digest(const sqlite::Statement& row, int column) {
    Digest digest{DigestKind::sha256tree, {}};
    const auto bytes = row.blob(column);
    if (bytes.size() == digest.bytes.size()) std::memcpy(digest.bytes.data(), bytes.data(), bytes.size());
    return digest;
}

}  // namespace

Result<std::unique_ptr<ChunkIndex>> ChunkIndex::open(const std::string& path) {
    auto index = open_now(path);
    if (index || index.error().kind() != ErrorKind::corrupt) return index;
    for (const char* end : {"", "-wal", "-shm"}) ::unlink((path + end).c_str());
    return open_now(path);
}

Result<std::unique_ptr<ChunkIndex>> ChunkIndex::open_now(const std::string& path) {
    auto index = std::unique_ptr<ChunkIndex>(new ChunkIndex);
    const MutexLock lock(index->mutex_);
    ZCDP_TRY(index->db_, sqlite::Database::open(path, true));
    for (const char* sql :
         {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -4096", kSchema})
        ZCDP_CHECK(index->db_.execute(sql));
    ZCDP_CHECK(index->prepare());
    return index;
}

Result<> ChunkIndex::prepare() {
    ZCDP_TRY(get_, db_.prepare("SELECT id FROM blobs WHERE digest = ?1"));
    ZCDP_TRY(put_, db_.prepare("INSERT INTO blobs(digest) VALUES(?1) RETURNING id"));
    ZCDP_TRY(drop_, db_.prepare("DELETE FROM blobs WHERE id = ?1"));
    ZCDP_TRY(after_, db_.prepare("SELECT digest FROM blobs WHERE digest > ?1 ORDER BY digest LIMIT ?2"));
    ZCDP_TRY(find_, db_.prepare("SELECT blobs.digest, number FROM chunks JOIN blobs ON blobs.id = blob "
                                "WHERE chunks.digest = ?1 LIMIT ?2"));
    ZCDP_TRY(put_chunk_, db_.prepare("INSERT OR IGNORE INTO chunks VALUES(?1,?2,?3)"));
    ZCDP_TRY(drop_chunks_, db_.prepare("DELETE FROM chunks WHERE blob = ?1"));
    return {};
}

/// 0: it is not known.
Result<int64_t> ChunkIndex::id_of(const Digest& blob) {
    Rows rows(get_.bind_blob(1, blob.bytes));
    ZCDP_TRY(const bool known, rows.step());
    return known ? get_.integer(0) : 0;
}

Result<> ChunkIndex::add(const Digest& blob, std::span<const Sha256Bytes> chunks) {
    if (blob.kind != DigestKind::sha256tree) return {};
    int64_t id = 0;
    {
        const MutexLock lock(mutex_);
        ZCDP_TRY(id, id_of(blob));
        if (id != 0) return {};
        Rows rows(put_.bind_blob(1, blob.bytes));
        ZCDP_TRY(const bool made, rows.step());
        if (made) id = put_.integer(0);
    }
    for (size_t at = 0; at < chunks.size();) {
        const MutexLock lock(mutex_);
        ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db_));
        for (const size_t end = std::min(chunks.size(), at + kBatchChunks); at < end; ++at)
            ZCDP_CHECK(put_chunk_.bind_blob(1, chunks[at]).bind(2, id).bind(3, uint64_t{at}).run());
        ZCDP_CHECK(transaction.commit());
    }
    return {};
}

Result<std::vector<ChunkPlace>> ChunkIndex::find(const Sha256Bytes& chunk, uint64_t limit) {
    const MutexLock lock(mutex_);
    std::vector<ChunkPlace> places;
    Rows rows(find_.bind_blob(1, chunk).bind(2, limit));
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return places;
        places.push_back({tree_digest(find_, 0), static_cast<uint64_t>(find_.integer(1))});
    }
}

Result<> ChunkIndex::forget(const Digest& blob) {
    const MutexLock lock(mutex_);
    ZCDP_TRY(const int64_t id, id_of(blob));
    if (id == 0) return {};
    ZCDP_TRY(auto transaction, sqlite::Transaction::begin(db_));
    ZCDP_CHECK(drop_chunks_.bind(1, id).run());
    ZCDP_CHECK(drop_.bind(1, id).run());
    return transaction.commit();
}

Result<std::vector<Digest>> ChunkIndex::blobs(const Digest& after, uint64_t limit) {
    const MutexLock lock(mutex_);
    std::vector<Digest> found;
    Rows rows(after_.bind_blob(1, after.bytes).bind(2, limit));
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return found;
        found.push_back(tree_digest(after_, 0));
    }
}

}  // namespace zcdp::datastore
