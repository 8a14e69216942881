// What keys.db has, row by row, over one connection that only reads. What the rows mean is KeyIndex's matter.
//
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/datastore/keys/key_rows.hpp"

namespace zcdp::datastore {

class KeyReader {
  public:
    static Result<std::unique_ptr<KeyReader>> open(const std::string& path);

    /// Also one whose time is over.
    Result<std::optional<KeyRow>> row(const std::string& key);
    /// Versions of the key's history, newest first; `version`: that one alone.
    Result<std::vector<KeyRow>> older(const KeyRow& present, std::optional<uint64_t> version = std::nullopt);
    /// A version that is not the present one, of the history or retired.
    Result<std::optional<FoundVersion>> not_present(const std::string& key, uint64_t version);
    /// The number that a removed key had reached; 0: nothing is remembered.
    Result<uint64_t> removed_version(const std::string& key);
    Result<uint64_t> count();

    /// What a page of a listing is made of: the keys k with behind < k < end.
    struct Range {
        std::string base;  ///< "" or the prefix with its '/'
        std::string behind, end;
        bool recursive = false;
        size_t items_most = 0;
        int64_t now = 0;
    };
    /// Adds items up to and with the next folder, and says whether more may come: what lies below a folder is passed
    /// over by looking behind it.
    Result<bool> add_items(ItemPage& page, Range& range);
    /// No key has this byte (docs/formats.md "Paths"): behind all that begin alike.
    static constexpr std::string_view kBehindAll = "\xff";

  private:
    Result<> prepare();
    sqlite::Database db_;
    sqlite::Statement find_, history_, version_, retired_, removed_, range_;
};

}  // namespace zcdp::datastore
