// What an origin claims of an object against the bytes that came. A claim only ever verifies: it never becomes the
// digest. Pure. docs/origins.md says which claim is compared when; those of long objects: verify_long.hpp.
#pragma once

#include <cstdint>
#include <span>

#include "src/sync/fetch/piece_crcs.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::sync {

/// An object that arrives damaged is read this often before that is an error.
inline constexpr int kReadsOfDamaged = 3;

/// A whole content in memory. Errors: corrupt, with both values. A composite of several parts is passed over.
Result<> verify_content(std::span<const std::byte> content, const Digest& digest,
                        const origin::ObjectChecksum& claimed);

/// What is known of a long content once all its chunks are here.
struct LongContent {
    uint64_t size_bytes;
    const Digest& digest;
    const PieceCrcs& crcs;
    uint64_t part_bytes;  ///< of its parts, but of the last; 0: not known
};
/// Whether `claimed` can be judged without reading the bytes again.
bool is_judged_by_chunks(const LongContent& content, const origin::ObjectChecksum& claimed);
/// Errors: corrupt.
Result<> verify_chunks(const LongContent& content, const origin::ObjectChecksum& claimed);

/// A sum, or a sum of parts' sums, as raw bytes against what was stated. Errors: corrupt.
Result<> verify_sum(const std::string& raw, const origin::ObjectChecksum& claimed);

}  // namespace zcdp::sync
