#include "zcdp/base/json.hpp"

#include <fmt/format.h>

#include "zcdp/base/utf8.hpp"

namespace zcdp {

void append_json_string(std::string& out, std::string_view text, JsonReader reader) {
    const bool person = reader == JsonReader::person;
    out += '"';
    for (size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[i++];
        } else if (byte < 0x20 || (person && byte == 0x7f)) {
            out += fmt::format("\\u{:04x}", byte);
            ++i;
        } else if (const size_t length = utf8_sequence_length(text.substr(i))) {
            out += text.substr(i, length);
            i += length;
        } else {
            out += person ? fmt::format("\\\\x{:02x}", byte) : "\xef\xbf\xbd";
            ++i;
        }
    }
    out += '"';
}

std::string json_string(std::string_view text) {
    std::string out;
    append_json_string(out, text, JsonReader::program);
    return out;
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

}  // namespace zcdp
