// What an origin calls its objects, and what the store remembers of them. Values.
#pragma once

#include <cstdint>
#include <string>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/ids.hpp"

namespace zcdp::store {

/// An origin object whose bytes are in the store: what makes "second sync fetches nothing" true.
struct TagRow {
    std::string key;  ///< full key in the bucket (prefix + path)
    Tag tag;
    uint64_t size_bytes = 0;
    Digest digest;
    std::string sum = {};  ///< put_tags and commit: what the origin states of the content, if that tells contents apart
};

/// Names an origin in the index; equal fields, equal id.
struct TagScope {
    std::string endpoint, bucket, credentials;
};

}  // namespace zcdp::store
