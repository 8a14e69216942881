#include "src/origin/s3/url_form.hpp"

#include <array>
#include <string>

namespace zcdp::origin::s3 {
namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// What is neither an escape, nor a '+', nor left alone by every encoding.
constexpr std::array<bool, 256> kTelling = [] {
    std::array<bool, 256> telling{};
    telling.fill(true);
    for (int c = '0'; c <= '9'; ++c) telling[static_cast<size_t>(c)] = false;
    for (int c = 'a'; c <= 'z'; ++c)
        telling[static_cast<size_t>(c)] = telling[static_cast<size_t>(c - 'a' + 'A')] = false;
    for (const char c : {'-', '.', '_', '~', '/', '*', '+'}) telling[static_cast<unsigned char>(c)] = false;
    return telling;
}();

}  // namespace

void UrlForm::see(std::string_view name) {
    for (size_t i = 0; i < name.size(); ++i) {
        const auto byte = static_cast<unsigned char>(name[i]);
        if (!kTelling[byte]) continue;
        if (byte != '%') {
            other_rules_ = true;
            plain_ = plain_ || byte <= ' ';
        } else if (i + 2 >= name.size() || !is_hex(name[i + 1]) || !is_hex(name[i + 2])) {
            plain_ = true;
        } else {
            const std::string_view escape = name.substr(i + 1, 2);
            plus_encoded_ = plus_encoded_ || escape == "2B" || escape == "2b";
            other_rules_ = other_rules_ || escape == "20";
        }
    }
}

}  // namespace zcdp::origin::s3
