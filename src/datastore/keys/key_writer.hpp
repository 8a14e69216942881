// What changes in keys.db, over the one connection that writes: each call is one transaction. See KeyIndex.
//
// Thread rule: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "src/datastore/keys/key_rows.hpp"

namespace zcdp::datastore {

class KeyWriter {
  public:
    static Result<std::unique_ptr<KeyWriter>> open(const std::string& path, KeyIndexOptions options);

    Result<Switched> switch_to(const NewVersion& version, int64_t now);
    Result<bool> remove(const std::string& key, int64_t now);
    Result<RemovedKeys> remove_below(const std::string& prefix, const std::string& from, uint64_t limit, int64_t now);
    Result<uint64_t> expire(int64_t now, uint64_t limit);

    Result<> intend(const store::SnapshotId& snapshot, int64_t now);
    Result<std::vector<store::SnapshotId>> unreferenced(int64_t before, uint64_t limit);
    Result<bool> is_unreferenced(const store::SnapshotId& snapshot);
    Result<> forget(const store::SnapshotId& snapshot);
    Result<uint64_t> let_go(int64_t before, int64_t now, uint64_t limit,
                            const std::function<bool(const store::SnapshotId&)>& in_use);
    Result<uint64_t> forget_removed(int64_t before, uint64_t limit);

    /// How many keys there are: what the caller set at first, and every change since that was committed.
    uint64_t keys() const { return keys_; }
    void set_keys(uint64_t keys) { keys_ = keys; }

  private:
    Result<> prepare();
    Result<std::optional<KeyRow>> row(const std::string& key);
    Result<std::optional<KeyRow>> live_row(const std::string& key, int64_t now, uint64_t& keys);
    Result<uint64_t> next_version(const NewVersion& version, const std::optional<KeyRow>& before, uint64_t& keys);
    Result<> put_row(const KeyRow& row);
    Result<> put_history(const KeyRow& row);
    Result<> retire(const std::string& key, int64_t now);
    Result<> retire_row(const std::string& key, uint64_t version, KeyKind kind, const store::SnapshotId& snapshot,
                        int64_t now);
    Result<> remove_row(const KeyRow& row, int64_t now);
    Result<> refer(const store::SnapshotId& snapshot);

    sqlite::Database db_;
    sqlite::Statement get_, put_, drop_, set_expiry_, below_, expired_, put_history_, oldest_, drop_history_,
        put_retired_, old_retired_, touch_retired_, drop_retired_, get_removed_, put_removed_, drop_removed_,
        drop_old_removed_, refer_, unrefer_, intend_, unreferenced_, references_, forget_;
    KeyIndexOptions options_;
    uint64_t keys_ = 0;
};

}  // namespace zcdp::datastore
