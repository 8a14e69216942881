// Digests: their text, HMAC, and trees of chunks. The hash itself: sha256.cpp.
#include "zcdp/base/digest.hpp"

#include <algorithm>

#include "zcdp/base/ascii.hpp"

namespace zcdp {
namespace {

int nibble(char c) { return c == to_lower(c) ? hex_digit(c) : -1; }

}  // namespace

std::string to_hex_of(std::string_view bytes) {
    return to_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::string to_hex(std::span<const uint8_t> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    hex.resize(bytes.size() * 2);
    size_t at = 0;
    for (const uint8_t byte : bytes) {
        hex[at++] = digits[byte >> 4];
        hex[at++] = digits[byte & 15];
    }
    return hex;
}

std::optional<Sha256Bytes> sha256_from_hex(std::string_view hex) {
    Sha256Bytes bytes;
    if (hex.size() != bytes.size() * 2) return std::nullopt;
    for (size_t i = 0; i < bytes.size(); ++i) {
        const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes[i] = static_cast<uint8_t>(high << 4 | low);
    }
    return bytes;
}

std::string Digest::hex() const { return to_hex(bytes); }

std::string Digest::str() const { return (kind == DigestKind::sha256 ? "sha256:" : "sha256tree:") + hex(); }

std::optional<Digest> Digest::parse(std::string_view text) {
    Digest digest;
    if (text.starts_with("sha256:")) {
        digest.kind = DigestKind::sha256;
    } else if (text.starts_with("sha256tree:")) {
        digest.kind = DigestKind::sha256tree;
    } else {
        return std::nullopt;
    }
    const auto bytes = sha256_from_hex(text.substr(text.find(':') + 1));
    if (!bytes) return std::nullopt;
    digest.bytes = *bytes;
    return digest;
}

Sha256Bytes hmac_sha256(std::span<const uint8_t> key, std::string_view message) {
    // RFC 2104 on SHA256_* would be deprecated API; the EVP state is reused so that signing stays at a few
    // microseconds.
    std::array<uint8_t, 64> block{};
    if (key.size() > block.size()) {
        const Sha256Bytes hashed = Sha256::of(std::as_bytes(key));
        std::copy(hashed.begin(), hashed.end(), block.begin());
    } else {
        std::copy(key.begin(), key.end(), block.begin());
    }
    std::array<uint8_t, 64> pad;
    Sha256 hash;
    for (size_t i = 0; i < block.size(); ++i) pad[i] = block[i] ^ 0x36;
    hash.update(std::as_bytes(std::span(pad)));
    hash.update(message);
    const Sha256Bytes inner = hash.finish();
    for (size_t i = 0; i < block.size(); ++i) pad[i] = block[i] ^ 0x5c;
    hash.reset();
    hash.update(std::as_bytes(std::span(pad)));
    hash.update(std::as_bytes(std::span(inner)));
    return hash.finish();
}

std::vector<Sha256Bytes> hash_each(std::span<const std::span<const std::byte>> contents) {
    std::vector<Sha256> hashes(contents.size());
    std::vector<HashUpdate> updates;
    updates.reserve(contents.size());
    for (size_t i = 0; i < contents.size(); ++i) updates.push_back({&hashes[i], contents[i]});
    update_together(updates);
    std::vector<Sha256Bytes> digests;
    digests.reserve(contents.size());
    for (Sha256& hash : hashes) digests.push_back(hash.finish());
    return digests;
}

Digest digest_of_chunks(std::span<const Sha256Bytes> chunks) {
    if (chunks.size() == 1) return {DigestKind::sha256, chunks[0]};
    Sha256 hash;
    hash.update(std::as_bytes(chunks));
    return {DigestKind::sha256tree, hash.finish()};
}

}  // namespace zcdp
