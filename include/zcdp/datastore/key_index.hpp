// Which key points at which version: ROOT/keys.db (docs/formats.md "Keys"). A version is a snapshot of the store; here
// are names, numbers and references alone.
//
// Keys are compared as raw bytes. A key that others lie below is a key and a folder. A key whose time is over is not
// there, whether expire() has come by or not. A version that fell out of its key's history, or was removed, is retired:
// who asks for it by its number still finds it, until let_go(). A number is used once: a key that was removed and is
// made again goes on counting as long as that is remembered (kRemovedS).
//
// Durable when a call returns (WAL, synchronous=FULL). Thread rule: any thread; all calls block, readers not on
// writers. Time comes in as seconds since 1970.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/datastore/wire.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::datastore {

struct KeyIndexOptions {
    uint64_t keep_versions = 10;  ///< of each key, the present one among them; at least 1
    uint64_t quota_keys = 0;      ///< 0: any number
};

/// What a key is to point at from now on.
struct NewVersion {
    std::string key;
    KeyKind kind = KeyKind::tree;
    store::SnapshotId snapshot;
    uint64_t size_bytes = 0, files = 0;
    std::optional<uint64_t> if_version;  ///< the key's version has to be this one; 0: there must be none
    bool force = false;                  ///< a version also when the key has this snapshot
    int64_t expires_unix_s = 0;          ///< of the key; 0: never
};

struct Switched {
    uint64_t version = 0;
    bool unchanged = false;  ///< the key had that snapshot, and has it under the same number
};

/// A version as its reader finds it.
struct FoundVersion {
    enum class State {
        kept,     ///< the present one, or one of the key's history
        retired,  ///< for those in the middle of it
        gone      ///< there was one of this number; `snapshot` says nothing
    };
    State state = State::kept;
    uint64_t version = 0;
    KeyKind kind = KeyKind::tree;
    store::SnapshotId snapshot;
};

struct RemovedKeys {
    uint64_t keys = 0;  ///< whose time was not over
    std::string next;   ///< where to go on; "" at the end
};

class KeyIndex {
  public:
    /// How long it is remembered which number a removed key had reached.
    static constexpr int64_t kRemovedS = 30 * 86'400;

    /// Opens or makes it. Errors: corrupt, refused (a newer schema, no WAL), denied, no_space.
    static Result<std::unique_ptr<KeyIndex>> open(const std::string& path, KeyIndexOptions options);
    ~KeyIndex();

    /// The key's version `version`, of those that are kept; 0: the present one. Errors: not_found.
    Result<Item> find(const std::string& key, uint64_t version, int64_t now);
    /// The same for who reads its bytes; retired ones are found by their numbers. Errors: not_found: it never was, as
    /// far as is remembered.
    Result<FoundVersion> find_to_read(const std::string& key, uint64_t version, int64_t now);
    /// The kept versions, newest first. Errors: not_found.
    Result<std::vector<Item>> history(const std::string& key, int64_t now);
    /// What lies below `prefix` (a key, or "" for all), in raw byte order, at most `limit` items from behind `after` on
    /// (a page's `next`, or ""). Recursive: keys alone. Else one level, in which a folder stands where "NAME/" does.
    Result<ItemPage> list(const std::string& prefix, bool recursive, const std::string& after, uint64_t limit,
                          int64_t now);
    /// Whether keys lie below it.
    Result<bool> is_folder(const std::string& key, int64_t now);
    /// How many there are, those among them whose time is over and that expire() has not met yet.
    uint64_t keys() const;
    /// There are as many as may be; and what is said of one more.
    bool is_full() const;
    Error quota_error(const std::string& key) const;

    /// Points the key at another version, in one transaction. Errors: source_changed: not `if_version`; no_space: over
    /// quota_keys; both with the numbers.
    Result<Switched> switch_to(const NewVersion& version, int64_t now);
    /// False: there was none.
    Result<bool> remove(const std::string& key, int64_t now);
    /// At most `limit` of the keys below `prefix` that sort behind `from` ("" at first).
    Result<RemovedKeys> remove_below(const std::string& prefix, const std::string& from, uint64_t limit, int64_t now);
    /// Removes at most `limit` of the keys whose time is over; how many.
    Result<uint64_t> expire(int64_t now, uint64_t limit);

    /// Writes down, before the snapshot is pinned, that it may be without a reference.
    Result<> intend(const store::SnapshotId& snapshot, int64_t now);
    /// At most `limit` of the snapshots that no version needs, neither a kept nor a retired one, and that have been so
    /// since `before` or longer.
    Result<std::vector<store::SnapshotId>> unreferenced(int64_t before, uint64_t limit);
    /// Whether still none needs it; what was never heard of is needed by none.
    Result<bool> is_unreferenced(const store::SnapshotId& snapshot);
    /// It is gone from the store: drops what stands here, if still none needs it.
    Result<> forget(const store::SnapshotId& snapshot);
    /// Drops at most `limit` of the versions retired at `before` or earlier; those that `in_use` says are being read
    /// count as retired at `now`. How many it looked at.
    Result<uint64_t> let_go(int64_t before, int64_t now, uint64_t limit,
                            const std::function<bool(const store::SnapshotId&)>& in_use);
    /// Forgets which numbers keys had that were removed before `before`; how many, at most `limit`.
    Result<uint64_t> forget_removed(int64_t before, uint64_t limit);

  private:
    struct Parts;
    class Reading;
    explicit KeyIndex(std::unique_ptr<Parts> parts);
    const std::unique_ptr<Parts> parts_;
};

}  // namespace zcdp::datastore
