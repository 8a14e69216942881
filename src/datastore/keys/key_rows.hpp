// keys.db as it lies on disk (docs/formats.md "Keys"): its schema, and how its rows are read.
//
// Thread rule: as of the connection.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "zcdp/base/sqlite.hpp"
#include "zcdp/datastore/key_index.hpp"

namespace zcdp::datastore {

/// A connection to the file; the first one that writes makes the schema. Errors: corrupt; refused: a newer schema, a
/// file system on which SQLite has no WAL.
Result<sqlite::Database> open_keys(const std::string& path, bool writable);

/// The columns of `keys`, in their order.
inline constexpr const char* kKeyColumns = "key, version, versions, kind, snapshot, size, files, modified, expires";

/// A row of `keys`.
struct KeyRow {
    std::string key;
    uint64_t version = 0, versions = 0;
    KeyKind kind = KeyKind::tree;
    store::SnapshotId snapshot;
    uint64_t size_bytes = 0, files = 0;
    int64_t modified_unix_s = 0, expires_unix_s = 0;

    bool is_over(int64_t now) const { return expires_unix_s > 0 && expires_unix_s <= now; }
};
KeyRow read_key_row(const sqlite::Statement& row);
/// As a client sees it; `name` is what follows the prefix that was asked for.
Item item_of(const KeyRow& row, std::string_view name);

std::span<const uint8_t> blob_of(std::string_view bytes);
std::string bytes_of(const sqlite::Statement& row, int column);
store::SnapshotId snapshot_of(const sqlite::Statement& row, int column);

/// Ends a statement's rows with its scope.
class Rows {
  public:
    explicit Rows(sqlite::Statement& statement) : statement_(statement) {}
    ~Rows() { statement_.reset(); }
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;
    Result<bool> step() { return statement_.step(); }

  private:
    sqlite::Statement& statement_;
};

}  // namespace zcdp::datastore
