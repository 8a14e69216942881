// LEB128: seven bits a byte, lowest first, the top bit says that more follow. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace zcdp {

/// Appends `value` in its shortest form.
inline void put_varint(std::string& out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
}

}  // namespace zcdp
