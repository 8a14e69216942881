// Base64 (RFC 4648 section 4), and its form for URLs and tokens (section 5). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace zcdp {

std::string to_base64(std::string_view bytes);  ///< padded, on one line
/// Line ends are passed over; nullopt for anything else that is no base64.
std::optional<std::string> from_base64(std::string_view text);
/// With '-' and '_' for '+' and '/', and without padding, as in a JWT; nullopt for anything else.
std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace zcdp
