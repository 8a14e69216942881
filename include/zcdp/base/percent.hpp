// Percent-encoding (RFC 3986 2.1). Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zcdp {

/// Leaves A-Z a-z 0-9 - . _ ~ (and '/' where `keep_slash`), encodes the rest in upper-case hex: the form that SigV4
/// signs and that S3's encoding-type=url answers with.
std::string uri_encode(std::string_view text, bool keep_slash);
void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash);

/// "name=value&name=value", both encoded, in the order given: a query, or a form's body.
std::string uri_encode_pairs(const std::vector<std::pair<std::string, std::string>>& pairs);

/// Undoes %XX in place, and '+' for a space where `plus`. False when a '%' is not followed by two hex digits.
bool percent_decode(std::string& text, bool plus);

}  // namespace zcdp
