#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "zcdp/net/endpoint.hpp"

namespace zcdp::net {
namespace {

/// 16 bytes of an IPv4 or IPv6 address; false when it is neither.
bool to_bytes(const std::string& text, std::array<uint8_t, 16>& bytes, bool& is_v4) {
    const std::string plain = text.substr(0, text.find('%'));  // a zone says nothing about the range
    is_v4 = ::inet_pton(AF_INET, plain.c_str(), bytes.data() + 12) == 1;
    if (is_v4) {
        std::memset(bytes.data(), 0, 10);
        bytes[10] = bytes[11] = 0xff;
        return true;
    }
    return ::inet_pton(AF_INET6, plain.c_str(), bytes.data()) == 1;
}

bool same_bits(const std::array<uint8_t, 16>& a, const std::array<uint8_t, 16>& b, unsigned bits) {
    if (std::memcmp(a.data(), b.data(), bits / 8) != 0) return false;
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

}  // namespace

Result<AddressRules> AddressRules::parse(const std::vector<std::string>& denied) {
    AddressRules rules;
    for (const std::string& text : denied) {
        const size_t slash = text.find('/');
        Range range{};
        bool is_v4 = false;
        unsigned bits = 0;
        const char* end = text.data() + text.size();
        const bool has_bits = slash != std::string::npos &&
                              std::from_chars(text.data() + slash + 1, end, bits).ptr == end && slash + 1 < text.size();
        if (!has_bits || !to_bytes(text.substr(0, slash), range.bytes, is_v4) || bits > (is_v4 ? 32u : 128u))
            return Error(ErrorKind::usage, "is no range of addresses", text, "write for example 10.0.0.0/8");
        range.bits = bits + (is_v4 ? 96 : 0);
        rules.denied_.push_back(range);
    }
    return rules;
}

bool AddressRules::allows(const std::string& address) const {
    if (denied_.empty()) return true;
    std::array<uint8_t, 16> bytes{};
    bool is_v4 = false;
    if (!to_bytes(address, bytes, is_v4)) return false;
    return std::none_of(denied_.begin(), denied_.end(),
                        [&](const Range& range) { return same_bits(bytes, range.bytes, range.bits); });
}

}  // namespace zcdp::net
