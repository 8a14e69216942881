// The XML and the headers that S3 clients expect. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "list_page.hpp"

namespace zcdp::services::serve {

struct Answer {
    int status = 200;
    std::string headers;  ///< whole lines, each with its end
    std::string body;
};

Answer error_answer(int status, std::string_view code, std::string_view message, std::string_view resource);
/// A property of a bucket that is not set, by its element's name.
Answer bucket_property(std::string_view name);
Answer list_buckets(const std::vector<std::string>& buckets);

struct ListRequest {
    bool version_2 = true, url_encoded = false;
    std::string bucket, prefix, delimiter, marker, start_after, token;
    size_t max_keys = 1000;
};
Answer list_objects(const ListRequest& request, const ListPage& page);

/// A continuation token for a place in the keys, and back; "" and false when it is none.
std::string token_for(std::string_view from);
bool from_token(std::string_view token, std::string& from);

}  // namespace zcdp::services::serve
