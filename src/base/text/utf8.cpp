#include "zcdp/base/utf8.hpp"

namespace zcdp {

size_t utf8_sequence_length(std::string_view text) {
    if (text.empty()) return 0;
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
    const unsigned char b0 = byte(0);
    if (b0 < 0x80) return 1;
    if (b0 < 0xc2) return 0;  // a continuation byte, or the overlong C0 and C1
    if (b0 < 0xe0) return continues(1) ? 2 : 0;
    if (b0 < 0xf0) {
        if (!continues(1) || !continues(2)) return 0;
        if (b0 == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
        if (b0 == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
        return 3;
    }
    if (b0 < 0xf5) {
        if (!continues(1) || !continues(2) || !continues(3)) return 0;
        if (b0 == 0xf0 && byte(1) < 0x90) return 0;   // overlong
        if (b0 == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
        return 4;
    }
    return 0;
}

bool utf8_valid(std::string_view text) {
    while (!text.empty()) {
        const size_t length = utf8_sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace zcdp
