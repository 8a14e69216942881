// JSON that others sent, read by Boost.JSON within bounds. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace zcdp {

/// A document that is nested at most `depth_max` deep; nothing for anything else.
std::optional<boost::json::value> parse_json(std::string_view text, unsigned depth_max);

/// A member's text, "" when there is none.
std::string text_of(const boost::json::object& object, std::string_view name);

}  // namespace zcdp
