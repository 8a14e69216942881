// Numbers of eight bytes, the lowest first, as zcdp's formats have them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace zcdp {

inline constexpr size_t kU64Bytes = 8;

/// Appends it.
inline void put_u64(std::string& out, uint64_t value) {
    for (size_t i = 0; i < kU64Bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

/// The first eight bytes. Contract: there are as many.
inline uint64_t get_u64(std::span<const uint8_t> bytes) {
    uint64_t value = 0;
    for (size_t i = kU64Bytes; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}
inline uint64_t get_u64(std::string_view bytes) {
    return get_u64(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

}  // namespace zcdp
