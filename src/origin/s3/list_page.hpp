// One answer of ListObjectsV2, parsed straight into entries as its bytes arrive.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xml.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin::s3 {

struct ListPage {
    std::vector<Entry> entries;         ///< `path` is the whole key; a key that ends in '/' is a directory
    std::vector<std::string> prefixes;  ///< CommonPrefixes, when a delimiter was asked for
    bool truncated = false;
    std::string next_token;
};

class ListParser {
  public:
    /// A chunk of the body. Errors: refused, with what is wrong; the parser is of no use after one.
    Result<> feed(std::string_view bytes);
    /// The page, after the last chunk.
    Result<ListPage> finish();

  private:
    Result<> run();
    Result<> bad(std::string_view what) const;
    void start(std::string_view name);
    Result<> end(std::string_view name);
    Result<> end_of_object();
    Result<> root_field(std::string_view name);
    Result<> object_field(std::string_view name);
    Result<> decode_keys();

    enum class Inside { root, object, prefix, other };
    XmlReader reader_;
    ListPage page_;
    Inside inside_ = Inside::other;
    std::string text_;
    Entry entry_;
    bool key_seen_ = false, size_seen_ = false, url_encoded_ = false;
};

/// Undoes the listing's encoding-type=url in place: %XX, and '+' for a space. False when it is malformed.
bool url_decode(std::string& text);

}  // namespace zcdp::origin::s3
