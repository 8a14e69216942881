#include "src/sync/fetch/verify.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "zcdp/base/faults.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::sync {
namespace {

using Kind = origin::ObjectChecksum::Kind;

std::string name_of(const origin::ObjectChecksum& claimed) {
    const char* name = "checksum";
    switch (claimed.kind) {
        case Kind::none: break;
        case Kind::crc32: name = "CRC32"; break;
        case Kind::crc32c: name = "CRC32C"; break;
        case Kind::crc64xz: name = "CRC64"; break;
        case Kind::crc64nvme: name = "CRC64NVME"; break;
        case Kind::sha256: name = "SHA-256"; break;
        case Kind::sha1: name = "SHA-1"; break;
        case Kind::md5: name = "MD5"; break;
    }
    return claimed.is_composite() ? fmt::format("{} of {} parts", name, claimed.parts) : name;
}

std::string raw_of(const Sha256Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string evp_digest(const EVP_MD* md, std::span<const std::byte> content) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(content.data(), content.size(), bytes, &length, md, nullptr) != 1) return {};
    return {reinterpret_cast<const char*>(bytes), length};
}

/// The sum of a content in memory; "" for a kind that there is none of here.
std::string sum_of(Kind kind, std::span<const std::byte> content) {
    if (const auto crc_kind = origin::crc_kind(kind)) {
        origin::Crc crc(*crc_kind);
        crc.update(content);
        return origin::crc_raw(*crc_kind, crc.value());
    }
    switch (kind) {
        case Kind::sha256: return raw_of(Sha256::of(content));
        case Kind::sha1: return evp_digest(EVP_sha1(), content);
        case Kind::md5: return evp_digest(EVP_md5(), content);
        default: return {};
    }
}

bool is_tree_of(const origin::ObjectChecksum& claimed, const LongContent& content) {
    return content.digest.kind == DigestKind::sha256tree && content.part_bytes == kChunkBytes &&
           claimed.parts == chunk_count(content.size_bytes);
}

}  // namespace

Result<> verify_sum(const std::string& raw, const origin::ObjectChecksum& claimed) {
    if (raw == claimed.raw || faults::broken("checksum")) return {};
    return Error(ErrorKind::corrupt, fmt::format("the bytes received have {} {}, the origin states {}",
                                                 name_of(claimed), to_hex_of(raw), to_hex_of(claimed.raw)));
}

Result<> verify_content(std::span<const std::byte> content, const Digest& digest,
                        const origin::ObjectChecksum& claimed) {
    if (claimed.kind == Kind::none || claimed.parts > 1) return {};
    const std::string sum = claimed.kind == Kind::sha256 ? raw_of(digest.bytes) : sum_of(claimed.kind, content);
    if (!claimed.is_composite()) return verify_sum(sum, claimed);
    return verify_sum(sum_of(claimed.kind, std::as_bytes(std::span(sum))), claimed);
}

bool is_judged_by_chunks(const LongContent& content, const origin::ObjectChecksum& claimed) {
    if (origin::crc_kind(claimed.kind)) return !claimed.is_composite() || content.part_bytes > 0;
    if (claimed.kind != Kind::sha256) return false;
    if (content.digest.kind == DigestKind::sha256) return claimed.parts <= 1;
    return claimed.is_composite() && is_tree_of(claimed, content);
}

Result<> verify_chunks(const LongContent& content, const origin::ObjectChecksum& claimed) {
    if (origin::crc_kind(claimed.kind))
        return verify_sum(claimed.is_composite() ? content.crcs.of_parts() : content.crcs.whole(), claimed);
    const bool of_one_part = content.digest.kind == DigestKind::sha256 && claimed.is_composite();
    return verify_sum(
        raw_of(of_one_part ? Sha256::of(std::as_bytes(std::span(content.digest.bytes))) : content.digest.bytes),
        claimed);
}

}  // namespace zcdp::sync
