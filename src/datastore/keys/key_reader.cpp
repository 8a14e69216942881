#include "src/datastore/keys/key_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

constexpr std::string_view kBehindAll = "\xff";  ///< no key has this byte (docs/formats.md "Paths")

Error no_key(const std::string& key) { return Error(ErrorKind::not_found, "there is no such key", key); }

Error no_version(const std::string& key, uint64_t version) {
    return Error(ErrorKind::not_found, fmt::format("has no version {} (any more)", version), key);
}

/// The columns that an old version has not, from the present one.
Item older_item(const sqlite::Statement& row, const KeyRow& present) {
    KeyRow older = present;
    older.version = static_cast<uint64_t>(row.integer(0));
    older.kind = static_cast<KeyKind>(row.integer(1));
    older.snapshot = snapshot_of(row, 2);
    older.size_bytes = static_cast<uint64_t>(row.integer(3)), older.files = static_cast<uint64_t>(row.integer(4));
    older.modified_unix_s = row.integer(5);
    return item_of(older, last_segment(present.key));
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
    ZCDP_CHECK(make(find_, "SELECT " + columns + " FROM keys WHERE key = ?1 AND " + live + "?2)"));
    ZCDP_CHECK(
        make(range_, "SELECT " + columns + " FROM keys WHERE key > ?1 AND key < ?2 AND " + live + "?3) ORDER BY key"));
    const std::string older = "SELECT version, kind, snapshot, size, files, modified FROM history WHERE key = ?1";
    ZCDP_CHECK(make(history_, older + " ORDER BY version DESC"));
    ZCDP_CHECK(make(version_, older + " AND version = ?2"));
    ZCDP_CHECK(make(retired_, "SELECT kind, snapshot FROM retired WHERE key = ?1 AND version = ?2"));
    return make(removed_, "SELECT version FROM removed WHERE key = ?1");
}

Result<std::optional<KeyRow>> KeyReader::row(const std::string& key, int64_t now) {
    Rows rows(find_.bind_blob(1, blob_of(key)).bind(2, now));
    ZCDP_TRY(const bool found, rows.step());
    return found ? std::optional(read_key_row(find_)) : std::nullopt;
}

Result<Item> KeyReader::find(const std::string& key, uint64_t version, int64_t now) {
    ZCDP_TRY(const auto present, row(key, now));
    if (!present) return no_key(key);
    if (version == 0 || version == present->version) return item_of(*present, last_segment(key));
    Rows rows(version_.bind_blob(1, blob_of(key)).bind(2, version));
    ZCDP_TRY(const bool found, rows.step());
    if (!found) return no_version(key, version);
    return older_item(version_, *present);
}

/// A version only moves from `keys` to `history` to `retired`: who looks in this order does not miss it.
Result<FoundVersion> KeyReader::find_to_read(const std::string& key, uint64_t version, int64_t now) {
    ZCDP_TRY(const auto present, row(key, now));
    if (version == 0 && !present) return no_key(key);
    if (present && (version == 0 || version == present->version))
        return FoundVersion{FoundVersion::State::kept, present->version, present->kind, present->snapshot};
    ZCDP_TRY(const auto older, not_present(key, version));
    if (older) return *older;
    if (present && version < present->version) return FoundVersion{FoundVersion::State::gone, version, {}, {}};
    Rows rows(removed_.bind_blob(1, blob_of(key)));
    ZCDP_TRY(const bool removed, rows.step());
    if (removed && version <= static_cast<uint64_t>(removed_.integer(0)))
        return FoundVersion{FoundVersion::State::gone, version, {}, {}};
    if (!present) return no_key(key);
    return no_version(key, version);
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

Result<std::vector<Item>> KeyReader::history(const std::string& key, int64_t now) {
    ZCDP_TRY(const auto present, row(key, now));
    if (!present) return no_key(key);
    std::vector<Item> items{item_of(*present, last_segment(key))};
    Rows rows(history_.bind_blob(1, blob_of(key)));
    while (true) {
        ZCDP_TRY(const bool more, rows.step());
        if (!more) return items;
        items.push_back(older_item(history_, *present));
    }
}

/// What a page is made of: the keys k with behind < k < end.
struct KeyReader::Range {
    std::string base;  ///< "" or the prefix with its '/'
    std::string behind, end;
    bool recursive = false;
    size_t items_most = 0;
    int64_t now = 0;
};

Result<ItemPage> KeyReader::list(const std::string& prefix, bool recursive, const std::string& after, uint64_t limit,
                                 int64_t now) {
    Range range;
    range.base = prefix.empty() ? "" : prefix + "/";
    range.end = prefix.empty() ? std::string(kBehindAll) : prefix + static_cast<char>('/' + 1);
    range.behind = std::max(range.base, after.ends_with('/') ? after + std::string(kBehindAll) : after);
    range.recursive = recursive, range.items_most = limit + 1, range.now = now;
    ItemPage page;
    for (bool more = true; more;) {
        ZCDP_TRY(more, add_items(page, range));
    }
    if (page.items.size() <= limit) return page;
    page.items.pop_back();
    const Item& last = page.items.back();
    page.next = last.is_directory ? last.key + "/" : last.key;
    return page;
}

/// Adds items up to and with the next folder, and says whether more may come: what lies below a folder is passed over
/// by looking behind it.
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

Result<bool> KeyReader::is_folder(const std::string& key, int64_t now) {
    ZCDP_TRY(const ItemPage page, list(key, true, "", 1, now));
    return !page.items.empty();
}

Result<uint64_t> KeyReader::count() {
    ZCDP_TRY(auto statement, db_.prepare("SELECT count(*) FROM keys"));
    ZCDP_TRY(const bool row, statement.step());
    return row ? static_cast<uint64_t>(statement.integer(0)) : 0;
}

}  // namespace zcdp::datastore
