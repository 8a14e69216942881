// The rows of keys.db as they are changed, over the one connection that writes. What is changed together, and when, is
// KeyIndex's matter; it holds the transaction.
//
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/datastore/keys/key_rows.hpp"

namespace zcdp::datastore {

/// A version that is kept for its readers alone.
struct RetiredVersion {
    std::string key;
    uint64_t version = 0;
    KeyKind kind = KeyKind::tree;
    store::SnapshotId snapshot;
};

class KeyWriter {
  public:
    static Result<std::unique_ptr<KeyWriter>> open(const std::string& path);
    Result<sqlite::Transaction> transaction() { return sqlite::Transaction::begin(db_); }

    // Keys, their history, and what is left of them.
    Result<std::optional<KeyRow>> row(const std::string& key);
    Result<> put(const KeyRow& row);
    Result<> set_expiry(const std::string& key, int64_t expires_unix_s);
    Result<> put_history(const KeyRow& row);
    /// The oldest version of the history becomes a retired one.
    Result<> retire_oldest(const std::string& key, int64_t now);
    /// The key goes: all its versions are retired, and its number is remembered.
    Result<> remove(const KeyRow& row, int64_t now);
    /// The number that a removed key had reached, 0 for none; it is remembered no more.
    Result<uint64_t> take_removed(const std::string& key);
    Result<uint64_t> drop_removed_before(int64_t before, uint64_t limit);
    /// At most `limit` of the keys k with behind < k < end, in order.
    Result<std::vector<KeyRow>> between(const std::string& behind, const std::string& end, uint64_t limit);
    Result<std::vector<KeyRow>> over(int64_t now, uint64_t limit);

    // Retired versions.
    Result<std::vector<RetiredVersion>> retired_before(int64_t before, uint64_t limit);
    Result<> touch(const RetiredVersion& version, int64_t now);
    /// With its reference.
    Result<> drop(const RetiredVersion& version);

    // Snapshots and how many versions need them.
    Result<> refer(const store::SnapshotId& snapshot);
    Result<> intend(const store::SnapshotId& snapshot, int64_t now);
    Result<std::vector<store::SnapshotId>> unreferenced(int64_t before, uint64_t limit);
    Result<uint64_t> references(const store::SnapshotId& snapshot);
    Result<> forget(const store::SnapshotId& snapshot);

  private:
    Result<> prepare();
    Result<> retire(const RetiredVersion& version, int64_t now);
    Result<std::vector<KeyRow>> all_of(sqlite::Statement& statement);

    sqlite::Database db_;
    sqlite::Statement get_, put_, drop_, set_expiry_, below_, expired_, put_history_, oldest_, drop_history_,
        put_retired_, old_retired_, touch_retired_, drop_retired_, get_removed_, put_removed_, drop_removed_,
        drop_old_removed_, refer_, unrefer_, intend_, unreferenced_, references_, forget_;
};

}  // namespace zcdp::datastore
