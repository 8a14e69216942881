// Polynomial arithmetic for the reflected CRCs, all at compile time. In a reflected word of W bits, bit W-1-i stands
// for x^i, so that multiplying by x is a shift to the right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace zcdp::origin::crc {

template <class Word_, Word_ kPolynomial>
struct Field {
    using Word = Word_;
    static constexpr int kBits = sizeof(Word) * 8;
    static constexpr Word kOne = Word{1} << (kBits - 1);

    static constexpr Word times_x(Word v) { return (v >> 1) ^ (v & 1 ? kPolynomial : Word{0}); }

    static constexpr Word multiply(Word a, Word b) {
        Word product = 0;
        for (Word bit = kOne; bit != 0; bit >>= 1) {
            if (a & bit) product ^= b;
            b = times_x(b);
        }
        return product;
    }

    /// x^n mod P, for the small n that folding needs. consteval: at run time it would cost more than what it helps to
    /// compute.
    static consteval Word x_to_the(unsigned n) {
        Word v = kOne;
        while (n-- > 0) v = times_x(v);
        return v;
    }
    /// The same as the upper end of 64 reflected bits, as a carry-less multiplication takes it.
    static consteval uint64_t fold_constant(unsigned n) { return static_cast<uint64_t>(x_to_the(n)) << (64 - kBits); }

    /// x^(8 * 2^i) for every i: what appending 2^i zero bytes multiplies by.
    static consteval std::array<Word, 64> zero_bytes_powers() {
        std::array<Word, 64> powers{};
        powers[0] = x_to_the(8);
        for (size_t i = 1; i < powers.size(); i++) powers[i] = multiply(powers[i - 1], powers[i - 1]);
        return powers;
    }

    /// table[j][b]: byte b followed by j zero bytes.
    static consteval std::array<std::array<Word, 256>, 8> byte_tables() {
        std::array<std::array<Word, 256>, 8> tables{};
        for (unsigned b = 0; b < 256; b++) {
            Word v = static_cast<Word>(b);
            for (int i = 0; i < 8; i++) v = times_x(v);
            tables[0][b] = v;
        }
        for (size_t j = 1; j < 8; j++)
            for (unsigned b = 0; b < 256; b++) {
                const Word before = tables[j - 1][b];
                tables[j][b] = (before >> 8) ^ tables[0][before & 0xff];
            }
        return tables;
    }
};

using Crc32Field = Field<uint32_t, 0xedb88320u>;
using Crc32cField = Field<uint32_t, 0x82f63b78u>;
using Crc64XzField = Field<uint64_t, 0xc96c5795d7870f42ull>;
using Crc64NvmeField = Field<uint64_t, 0x9a6c9329ac4bc9b5ull>;

}  // namespace zcdp::origin::crc
