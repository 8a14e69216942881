// One JSON object, written field by field. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zcdp::modes {

/// A JSON string (RFC 8259); bytes that are no UTF-8 become U+FFFD.
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

}  // namespace zcdp::modes
