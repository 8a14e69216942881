#include "src/origin/remote/given.hpp"

#include <algorithm>
#include <array>

#include "src/origin/remote/token.hpp"

namespace zcdp::origin {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// White space of more than one byte: U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
constexpr std::array<std::string_view, 19> kWideSpaces{
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
    "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); }

size_t space_after(std::string_view text) {
    if (!text.empty() && is_space(text.back())) return 1;
    for (const std::string_view space : kWideSpaces)
        if (text.ends_with(space)) return space.size();
    return 0;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

size_t space_before(std::string_view text) {
    if (!text.empty() && is_space(text.front())) return 1;
    for (const std::string_view space : kWideSpaces)
        if (text.starts_with(space)) return space.size();
    return 0;
}

std::string_view without_space_around(std::string_view text) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    while (const size_t bytes = space_before(text)) text.remove_prefix(bytes);
    while (const size_t bytes = space_after(text)) text.remove_suffix(bytes);
    return text;
}

Result<std::string> clean_secret(std::string_view given, const std::string& name) {
    const std::string_view secret = without_space_around(given);
    if (std::any_of(secret.begin(), secret.end(), is_control))
        return Error(ErrorKind::usage, "has a line break or another control character inside", name,
                     "give it again, on one line");
    return std::string(secret);
}

Result<std::string> clean_header_secret(std::string_view given, const std::string& name) {
    ZCDP_TRY(std::string secret, clean_secret(given, name));
    if (!secret.empty() && !is_header_word(secret))
        return Error(ErrorKind::usage, "has a space or another character inside that no key or token has", name,
                     "give it again, without quotes and comments");
    return secret;
}

Result<std::string> read_secret_file(Fs& fs, const std::string& path, const std::string& name) {
    const auto content = read_user_file(fs, path, kFileBytesMax);
    if (!content) return system_error(content.error(), "reading " + name, path);
    ZCDP_TRY(std::string secret, clean_secret(*content, name + " " + path));
    if (secret.empty()) return Error(ErrorKind::denied, "is an empty file", name + " " + path);
    return secret;
}

}  // namespace zcdp::origin
