#include "src/modes/json.hpp"

#include <fmt/format.h>

#include "zcdp/base/utf8.hpp"

namespace zcdp::modes {

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[i++];
        } else if (byte < 0x20) {
            out += fmt::format("\\u{:04x}", byte);
            ++i;
        } else if (const size_t length = utf8_sequence_length(text.substr(i))) {
            out += text.substr(i, length);
            i += length;
        } else {
            out += "\xef\xbf\xbd";
            ++i;
        }
    }
    return out + '"';
}

JsonObject& JsonObject::add(std::string_view name, double value) { return raw(name, fmt::format("{:.3f}", value)); }

JsonObject& JsonObject::add(std::string_view name, const std::vector<std::string>& values) {
    std::string list;
    for (const std::string& value : values) list += (list.empty() ? "" : ",") + json_string(value);
    return raw(name, "[" + list + "]");
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
    if (!fields_.empty()) fields_ += ',';
    fields_ += json_string(name);
    fields_ += ':';
    fields_ += json;
    return *this;
}

}  // namespace zcdp::modes
