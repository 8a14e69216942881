// Opening, and what is asked. What changes: key_changes.cpp.
#include "src/datastore/keys/key_index.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

using State = FoundVersion::State;

Error no_key(const std::string& key) { return Error(ErrorKind::not_found, "there is no such key", key); }

Error no_version(const std::string& key, uint64_t version) {
    return Error(ErrorKind::not_found, fmt::format("has no version {}", version), key);
}

}  // namespace

Result<std::unique_ptr<KeyIndex>> KeyIndex::open(const std::string& path, KeyIndexOptions options) {
    auto parts = std::make_unique<Parts>();
    parts->options = options;
    parts->options.keep_versions = std::max<uint64_t>(1, options.keep_versions);
    ZCDP_TRY(parts->writer, KeyWriter::open(path));
    std::vector<std::unique_ptr<KeyReader>> readers;
    while (readers.size() < Parts::kReaders) {
        ZCDP_TRY(auto reader, KeyReader::open(path));
        readers.push_back(std::move(reader));
    }
    ZCDP_TRY(parts->keys, readers.front()->count());
    {
        const MutexLock lock(parts->lending);
        parts->readers = std::move(readers);
    }
    return std::unique_ptr<KeyIndex>(new KeyIndex(std::move(parts)));
}

KeyIndex::KeyIndex(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
KeyIndex::~KeyIndex() = default;

uint64_t KeyIndex::keys() const { return parts_->keys.load(std::memory_order_relaxed); }

Result<Item> KeyIndex::find(const std::string& key, uint64_t version, int64_t now) {
    const Reading reading(*parts_);
    ZCDP_TRY(const auto present, reading->row(key));
    if (!present || present->is_over(now)) return no_key(key);
    if (version == 0 || version == present->version) return item_of(*present, last_segment(key));
    ZCDP_TRY(const auto older, reading->older(*present, version));
    if (older.empty()) return no_version(key, version);
    return item_of(older.front(), last_segment(key));
}

/// A version only moves from the keys to the history to the retired: who looks in this order does not miss it. Those of
/// a key whose time is over are as good as retired.
Result<FoundVersion> KeyIndex::find_to_read(const std::string& key, uint64_t version, int64_t now) {
    const Reading reading(*parts_);
    ZCDP_TRY(const auto present, reading->row(key));
    const bool is_there = present && !present->is_over(now);
    if (version == 0 && !is_there) return no_key(key);
    if (present && (version == 0 || version == present->version))
        return FoundVersion{is_there ? State::kept : State::retired, present->version, present->kind,
                            present->snapshot};
    ZCDP_TRY(const auto older, reading->not_present(key, version));
    if (older) return *older;
    ZCDP_TRY(const uint64_t removed, reading->removed_version(key));
    if (version < (present ? present->version : removed + 1)) return FoundVersion{State::gone, version, {}, {}};
    return is_there ? no_version(key, version) : no_key(key);
}

Result<std::vector<Item>> KeyIndex::history(const std::string& key, int64_t now) {
    const Reading reading(*parts_);
    ZCDP_TRY(const auto present, reading->row(key));
    if (!present || present->is_over(now)) return no_key(key);
    ZCDP_TRY(const auto older, reading->older(*present));
    std::vector<Item> items{item_of(*present, last_segment(key))};
    for (const KeyRow& row : older) items.push_back(item_of(row, last_segment(key)));
    return items;
}

Result<ItemPage> KeyIndex::list(const std::string& prefix, bool recursive, const std::string& after, uint64_t limit,
                                int64_t now) {
    KeyReader::Range range;
    range.base = prefix.empty() ? "" : prefix + "/";
    range.end = prefix.empty() ? std::string(KeyReader::kBehindAll) : prefix + static_cast<char>('/' + 1);
    range.behind = std::max(range.base, after.ends_with('/') ? after + std::string(KeyReader::kBehindAll) : after);
    range.recursive = recursive, range.items_most = limit + 1, range.now = now;
    ItemPage page;
    const Reading reading(*parts_);
    for (bool more = true; more;) {
        ZCDP_TRY(more, reading->add_items(page, range));
    }
    if (page.items.size() <= limit) return page;
    page.items.pop_back();
    const Item& last = page.items.back();
    page.next = last.is_directory ? last.key + "/" : last.key;
    return page;
}

Result<bool> KeyIndex::is_folder(const std::string& key, int64_t now) {
    ZCDP_TRY(const ItemPage page, list(key, true, "", 1, now));
    return !page.items.empty();
}

}  // namespace zcdp::datastore
