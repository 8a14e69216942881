#include "src/datastore/keys/key_reader.hpp"

namespace zcdp::datastore {
namespace {

/// The columns that an old version has not are the present one's.
KeyRow older_row(const sqlite::Statement& row, const KeyRow& present) {
    KeyRow older = present;
    older.version = static_cast<uint64_t>(row.integer(0));
    older.kind = static_cast<KeyKind>(row.integer(1));
    older.snapshot = snapshot_of(row, 2);
    older.size_bytes = static_cast<uint64_t>(row.integer(3)), older.files = static_cast<uint64_t>(row.integer(4));
    older.modified_unix_s = row.integer(5);
    return older;
}

}  // namespace

Result<std::unique_ptr<KeyReader>> KeyReader::open(const std::string& path) {
    auto reader = std::make_unique<KeyReader>();
    ZCDP_TRY(reader->db_, open_keys(path, false));
    ZCDP_CHECK(reader->prepare());
    return reader;
}

Result<> KeyReader::prepare() {
    const std::string columns = kKeyColumns, live = "(expires = 0 OR expires > ";
    const auto make = [this](sqlite::Statement& into, const std::string& sql) -> Result<> {
        ZCDP_TRY(into, db_.prepare(sql.c_str()));
        return {};
    };
    ZCDP_CHECK(make(find_, "SELECT " + columns + " FROM keys WHERE key = ?1"));
    ZCDP_CHECK(
        make(range_, "SELECT " + columns + " FROM keys WHERE key > ?1 AND key < ?2 AND " + live + "?3) ORDER BY key"));
    const std::string older = "SELECT version, kind, snapshot, size, files, modified FROM history WHERE key = ?1";
    ZCDP_CHECK(make(history_, older + " ORDER BY version DESC"));
    ZCDP_CHECK(make(version_, older + " AND version = ?2"));
    ZCDP_CHECK(make(retired_, "SELECT kind, snapshot FROM retired WHERE key = ?1 AND version = ?2"));
    return make(removed_, "SELECT version FROM removed WHERE key = ?1");
}

Result<std::optional<KeyRow>> KeyReader::row(const std::string& key) {
    Rows rows(find_.bind_blob(1, blob_of(key)));
    ZCDP_TRY(const bool found, rows.step());
    return found ? std::optional(read_key_row(find_)) : std::nullopt;
}

Result<std::optional<FoundVersion>> KeyReader::not_present(const std::string& key, uint64_t version) {
    const auto found_by = [version](const sqlite::Statement& row, int column, FoundVersion::State state) {
        return FoundVersion{state, version, static_cast<KeyKind>(row.integer(column)), snapshot_of(row, column + 1)};
    };
    {
        Rows rows(version_.bind_blob(1, blob_of(key)).bind(2, version));
        ZCDP_TRY(const bool kept, rows.step());
        if (kept) return found_by(version_, 1, FoundVersion::State::kept);
    }
    Rows rows(retired_.bind_blob(1, blob_of(key)).bind(2, version));
    ZCDP_TRY(const bool retired, rows.step());
    if (retired) return found_by(retired_, 0, FoundVersion::State::retired);
    return std::nullopt;
}

Result<std::vector<KeyRow>> KeyReader::older(const KeyRow& present, std::optional<uint64_t> version) {
    sqlite::Statement& statement = version ? version_ : history_;
    Rows rows(statement.bind_blob(1, blob_of(present.key)));
    if (version) statement.bind(2, *version);
    std::vector<KeyRow> found;
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return found;
        found.push_back(older_row(statement, present));
    }
}

Result<uint64_t> KeyReader::removed_version(const std::string& key) {
    Rows rows(removed_.bind_blob(1, blob_of(key)));
    ZCDP_TRY(const bool removed, rows.step());
    return removed ? static_cast<uint64_t>(removed_.integer(0)) : 0;
}

Result<bool> KeyReader::add_items(ItemPage& page, Range& range) {
    const std::string behind = range.behind;
    Rows rows(range_.bind_blob(1, blob_of(behind)).bind_blob(2, blob_of(range.end)).bind(3, range.now));
    while (page.items.size() < range.items_most) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return false;
        const KeyRow row = read_key_row(range_);
        const std::string_view rest = std::string_view(row.key).substr(range.base.size());
        const size_t slash = range.recursive ? rest.npos : rest.find('/');
        if (slash == rest.npos) {
            page.items.push_back(item_of(row, rest));
            continue;
        }
        Item folder;
        folder.name = rest.substr(0, slash), folder.key = range.base + folder.name;
        folder.is_directory = true;
        range.behind = folder.key + "/" + std::string(kBehindAll);
        page.items.push_back(std::move(folder));
        return true;
    }
    return false;
}

Result<uint64_t> KeyReader::count() {
    ZCDP_TRY(auto statement, db_.prepare("SELECT count(*) FROM keys"));
    ZCDP_TRY(const bool row, statement.step());
    return row ? static_cast<uint64_t>(statement.integer(0)) : 0;
}

}  // namespace zcdp::datastore
