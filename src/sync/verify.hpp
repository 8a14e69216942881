// What an origin claims of an object against the bytes that came. A claim only ever verifies: it never becomes the
// digest. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "zcdp/base/digest.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::sync {

/// An object that arrives damaged is read this often before that is an error.
inline constexpr int kReadsOfDamaged = 3;

/// A whole content in memory. Errors: corrupt, with both values.
Result<> verify_content(std::span<const std::byte> content, const Digest& digest, const origin::ObjectChecksum& claimed);

/// A content of chunks. `chunk_crcs` holds each chunk's CRC when the claim is a CRC, else it is empty. SHA-256 composites
/// of 8 MiB parts are compared with the tree digest; a claim that chunks in any order cannot answer is passed over: MD5,
/// SHA-1, and SHA-256 of more than one chunk, for which there is verify_whole().
Result<> verify_chunks(uint64_t size_bytes, const Digest& digest, std::span<const uint64_t> chunk_crcs,
                       const origin::ObjectChecksum& claimed);

/// The SHA-256 of all the bytes against what was stated. Errors: corrupt.
Result<> verify_whole(const Sha256Bytes& sum, const origin::ObjectChecksum& claimed);

}  // namespace zcdp::sync
