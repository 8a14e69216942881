// Base64 (RFC 4648 section 4). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace zcdp {

std::string to_base64(std::string_view bytes);  ///< padded, on one line
/// Line ends are passed over; nullopt for anything else that is no base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace zcdp
