#include "src/sync/verify.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "zcdp/base/faults.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::sync {
namespace {

using Kind = origin::ObjectChecksum::Kind;

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::none: return "none";
        case Kind::crc32: return "CRC32";
        case Kind::crc32c: return "CRC32C";
        case Kind::crc64xz: return "CRC64";
        case Kind::crc64nvme: return "CRC64NVME";
        case Kind::sha256: return "SHA-256";
        case Kind::sha256_composite: return "SHA-256 of parts";
        case Kind::sha1: return "SHA-1";
        case Kind::md5: return "MD5";
    }
    return "checksum";
}

std::string raw_of(const Sha256Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string evp_digest(const EVP_MD* md, std::span<const std::byte> content) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(content.data(), content.size(), bytes, &length, md, nullptr) != 1) return {};
    return {reinterpret_cast<const char*>(bytes), length};
}

Result<> compare(const std::string& have, const origin::ObjectChecksum& claimed) {
    if (have == claimed.raw || faults::broken("checksum")) return {};
    return Error(ErrorKind::corrupt, fmt::format("the bytes received have {} {}, the origin states {}",
                                                 name_of(claimed.kind), to_hex_of(have), to_hex_of(claimed.raw)));
}

/// A composite of one part is the hash of that part's hash.
Result<> compare_composite(uint64_t size_bytes, const Digest& digest, const origin::ObjectChecksum& claimed) {
    if (digest.kind == DigestKind::sha256)
        return claimed.parts == 1 ? compare(raw_of(Sha256::of(std::as_bytes(std::span(digest.bytes)))), claimed)
                                  : Result<>();
    // Parts of another size can be as many as ours: only a stated size makes a difference an error.
    const bool our_parts = claimed.part_bytes == kChunkBytes && claimed.parts == chunk_count(size_bytes);
    return our_parts ? compare(raw_of(digest.bytes), claimed) : Result<>();
}

}  // namespace

Result<> verify_content(std::span<const std::byte> content, const Digest& digest,
                        const origin::ObjectChecksum& claimed) {
    if (const auto crc_kind = origin::crc_kind(claimed.kind)) {
        origin::Crc crc(*crc_kind);
        crc.update(content);
        return compare(origin::crc_raw(*crc_kind, crc.value()), claimed);
    }
    switch (claimed.kind) {
        case Kind::sha256: return compare(raw_of(digest.bytes), claimed);
        case Kind::sha256_composite: return compare_composite(content.size(), digest, claimed);
        case Kind::sha1: return compare(evp_digest(EVP_sha1(), content), claimed);
        case Kind::md5: return compare(evp_digest(EVP_md5(), content), claimed);
        default: return {};
    }
}

Result<> verify_chunks(uint64_t size_bytes, const Digest& digest, std::span<const uint64_t> chunk_crcs,
                       const origin::ObjectChecksum& claimed) {
    if (const auto crc_kind = origin::crc_kind(claimed.kind); crc_kind && !chunk_crcs.empty()) {
        uint64_t whole = chunk_crcs[0];
        for (uint64_t i = 1; i < chunk_crcs.size(); ++i)
            whole = origin::crc_combine(*crc_kind, whole, chunk_crcs[i], chunk_length(size_bytes, i));
        return compare(origin::crc_raw(*crc_kind, whole), claimed);
    }
    if (claimed.kind == Kind::sha256 && digest.kind == DigestKind::sha256) return compare(raw_of(digest.bytes), claimed);
    if (claimed.kind == Kind::sha256_composite) return compare_composite(size_bytes, digest, claimed);
    return {};
}

Result<> verify_whole(const Sha256Bytes& sum, const origin::ObjectChecksum& claimed) { return compare(raw_of(sum), claimed); }

}  // namespace zcdp::sync
