// Digests with their kind, and the hash state that runs along with a transfer (docs/design.md section 2).
//
// `sha256:HEX` is the SHA-256 of a content of at most one chunk (8 MiB); `sha256tree:HEX` is the SHA-256 over the raw
// chunk digests, in order, of a longer one. The two kinds never compare equal and never share a folder or a column.
//
// Thread rule: values; a Sha256 belongs to one thread at a time.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zcdp {

/// A chunk is a fixed 8 MiB piece of a file; only the last one is shorter.
inline constexpr uint64_t kChunkBytes = 8ull << 20;

using Sha256Bytes = std::array<uint8_t, 32>;

enum class DigestKind : uint8_t { sha256 = 1, sha256tree = 2 };

struct Digest {
    DigestKind kind = DigestKind::sha256;
    Sha256Bytes bytes{};

    auto operator<=>(const Digest&) const = default;

    /// 64 lower-case hex digits, without the kind.
    std::string hex() const;
    /// "sha256:HEX" or "sha256tree:HEX".
    std::string str() const;
    /// The exact inverse of str(); nullopt for anything else (upper case, other kinds, other lengths).
    static std::optional<Digest> parse(std::string_view text);
};

/// Lower-case hex of any bytes, and its strict inverse for 32 of them.
std::string to_hex(std::span<const uint8_t> bytes);
std::string to_hex_of(std::string_view bytes);
std::optional<Sha256Bytes> sha256_from_hex(std::string_view hex);

struct HashUpdate;

/// A running SHA-256: our own where the core has instructions for it (src/base/sha256/sha256_engine.hpp), else
/// OpenSSL's.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void reset();
    void update(std::span<const std::byte> bytes);
    void update(std::string_view bytes) { update(std::as_bytes(std::span(bytes.data(), bytes.size()))); }
    /// The digest of what was fed; the state must be reset() before it is fed again.
    Sha256Bytes finish();

    static Sha256Bytes of(std::span<const std::byte> bytes);
    static Sha256Bytes of(std::string_view bytes) { return of(std::as_bytes(std::span(bytes.data(), bytes.size()))); }

  private:
    friend void update_together(std::span<const HashUpdate> updates);
    struct State;
    std::unique_ptr<State> state_;
};

/// What one hash is fed.
struct HashUpdate {
    Sha256* hash;
    std::span<const std::byte> bytes;
};
/// update() of several different hashes. Where the core has the instructions, four of them cost little more than half
/// of one after another, and sixteen of like length with AVX-512 a third; any number and any lengths are fine.
void update_together(std::span<const HashUpdate> updates);
/// The SHA-256 of each of several contents, hashed together.
std::vector<Sha256Bytes> hash_each(std::span<const std::span<const std::byte>> contents);
/// How many of `hashes` are best given to one update_together(): more at once bring nothing. 1 where nothing is gained.
size_t hashes_at_once(size_t hashes);

/// HMAC-SHA-256 (RFC 2104), as SigV4 needs it.
Sha256Bytes hmac_sha256(std::span<const uint8_t> key, std::string_view message);

/// Number of chunks of a file of `size_bytes`: at least 1, also for the empty file.
constexpr uint64_t chunk_count(uint64_t size_bytes) {
    return size_bytes == 0 ? 1 : (size_bytes + kChunkBytes - 1) / kChunkBytes;
}
/// Length in bytes of chunk `index` of a file of `size_bytes`.
constexpr uint64_t chunk_length(uint64_t size_bytes, uint64_t index) {
    const uint64_t begin = index * kChunkBytes;
    return size_bytes - begin < kChunkBytes ? size_bytes - begin : kChunkBytes;
}
/// The file's digest from its chunks' digests, in order: the chunk's own when there is one, else their tree.
Digest digest_of_chunks(std::span<const Sha256Bytes> chunks);

}  // namespace zcdp
