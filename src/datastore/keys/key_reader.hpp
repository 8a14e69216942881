// What keys.db is asked, over one connection that only reads. See KeyIndex for what the answers mean.
//
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "src/datastore/keys/key_rows.hpp"

namespace zcdp::datastore {

class KeyReader {
  public:
    static Result<std::unique_ptr<KeyReader>> open(const std::string& path);

    Result<Item> find(const std::string& key, uint64_t version, int64_t now);
    Result<FoundVersion> find_to_read(const std::string& key, uint64_t version, int64_t now);
    Result<std::vector<Item>> history(const std::string& key, int64_t now);
    Result<ItemPage> list(const std::string& prefix, bool recursive, const std::string& after, uint64_t limit,
                          int64_t now);
    Result<bool> is_folder(const std::string& key, int64_t now);
    Result<uint64_t> count();

  private:
    struct Range;
    Result<> prepare();
    Result<std::optional<KeyRow>> row(const std::string& key, int64_t now);
    Result<std::optional<FoundVersion>> not_present(const std::string& key, uint64_t version);
    Result<bool> add_items(ItemPage& page, Range& range);
    sqlite::Database db_;
    sqlite::Statement find_, history_, version_, retired_, removed_, range_;
};

}  // namespace zcdp::datastore
