#include "zcdp/base/json_parse.hpp"

#include <boost/json/parse.hpp>

namespace zcdp {

std::optional<boost::json::value> parse_json(std::string_view text, unsigned depth_max) {
    boost::system::error_code code;
    boost::json::parse_options options;
    options.max_depth = depth_max;
    boost::json::value value = boost::json::parse(text, code, {}, options);
    if (code) return std::nullopt;
    return value;
}

std::string text_of(const boost::json::object& object, std::string_view name) {
    const boost::json::value* value = object.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace zcdp
