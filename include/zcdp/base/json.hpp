// JSON (RFC 8259) as it is written: one string, one object field by field. What is read is Boost.JSON's. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zcdp {

/// Whom bytes are written for that are no UTF-8: to a program they become U+FFFD; a person, who reads a log on a
/// terminal, sees them as \xHH, and DEL as \u007f.
enum class JsonReader { program, person };
/// `text` as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text, JsonReader reader);
/// The same alone, for a program.
std::string json_string(std::string_view text);

class JsonObject {
  public:
    JsonObject& add(std::string_view name, std::string_view text) { return raw(name, json_string(text)); }
    JsonObject& add(std::string_view name, const char* text) { return raw(name, json_string(text)); }
    JsonObject& add(std::string_view name, uint64_t value) { return raw(name, std::to_string(value)); }
    JsonObject& add(std::string_view name, int64_t value) { return raw(name, std::to_string(value)); }
    JsonObject& add(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
    JsonObject& add(std::string_view name, double value);
    JsonObject& add(std::string_view name, const std::vector<std::string>& values);
    /// A value that is JSON already.
    JsonObject& raw(std::string_view name, std::string_view json);
    std::string str() const { return "{" + fields_ + "}"; }

  private:
    std::string fields_;
};

}  // namespace zcdp
