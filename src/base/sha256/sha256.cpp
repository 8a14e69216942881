// The running SHA-256: buffers what is short of a block and feeds whole blocks to an engine; where the core has none,
// OpenSSL's implementation does all of it.
#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "src/base/sha256/sha256_engine.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp {
namespace {

bool has_engine() { return sha256_choice().few != nullptr; }

/// Fetched once: EVP_sha256() looks the algorithm up again at every init, which costs more than hashing 1 KiB.
const EVP_MD* fetched_sha256() {
    static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    if (!md) throw std::bad_alloc();
    return md;
}

uint32_t big_endian(uint32_t word) {
    return std::endian::native == std::endian::little ? __builtin_bswap32(word) : word;
}
uint64_t big_endian(uint64_t word) {
    return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}

}  // namespace

struct Sha256::State {
    EVP_MD_CTX* openssl = nullptr;  ///< or else the rest
    Sha256Words words = kSha256Start;
    uint64_t fed_bytes = 0;
    size_t tail_bytes = 0;  ///< of `tail`, short of a block
    std::array<std::byte, kSha256BlockBytes> tail;

    State() {
        if (has_engine()) return;
        openssl = EVP_MD_CTX_new();
        if (!openssl) throw std::bad_alloc();
    }
    ~State() { EVP_MD_CTX_free(openssl); }

    void reset() {
        if (openssl) EVP_DigestInit_ex2(openssl, fetched_sha256(), nullptr);
        words = kSha256Start;
        fed_bytes = tail_bytes = 0;
    }
    /// Fills up the tail first: what is returned begins at a block, with no tail before it.
    std::span<const std::byte> begin(std::span<const std::byte> bytes) {
        fed_bytes += bytes.size();
        if (tail_bytes == 0) return bytes;
        const size_t missing = std::min(kSha256BlockBytes - tail_bytes, bytes.size());
        std::copy_n(bytes.begin(), missing, tail.begin() + static_cast<ptrdiff_t>(tail_bytes));
        tail_bytes += missing;
        if (tail_bytes == kSha256BlockBytes) {
            compress(tail.data(), 1);
            tail_bytes = 0;
        }
        return bytes.subspan(missing);
    }
    /// Keeps what is left after the last whole block.
    void end(std::span<const std::byte> rest) {
        if (rest.empty()) return;
        std::copy(rest.begin(), rest.end(), tail.begin());
        tail_bytes = rest.size();
    }
    void compress(const std::byte* data, size_t blocks) {
        const Sha256Lane lane{&words, data};
        compress_sha256({&lane, 1}, blocks);
    }
    void update(std::span<const std::byte> bytes) {
        bytes = begin(bytes);
        const size_t blocks = bytes.size() / kSha256BlockBytes;
        if (blocks > 0) compress(bytes.data(), blocks);
        end(bytes.subspan(blocks * kSha256BlockBytes));
    }
    /// Padding: a one bit, zeros, and the length in bits (FIPS 180-4, 5.1.1).
    Sha256Bytes finish() {
        const uint64_t bits = big_endian(fed_bytes * 8);
        std::array<std::byte, 2 * kSha256BlockBytes> padding{std::byte{0x80}};
        const size_t zeros_to = tail_bytes < kSha256BlockBytes - 8 ? kSha256BlockBytes - 8 : 2 * kSha256BlockBytes - 8;
        std::memcpy(padding.data() + zeros_to - tail_bytes, &bits, sizeof bits);
        update(std::span(padding).first(zeros_to - tail_bytes + sizeof bits));
        Sha256Bytes digest;
        for (size_t i = 0; i < words.size(); ++i) {
            const uint32_t word = big_endian(words[i]);
            std::memcpy(digest.data() + 4 * i, &word, sizeof word);
        }
        return digest;
    }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { reset(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::reset() { state_->reset(); }

void Sha256::update(std::span<const std::byte> bytes) {
    if (state_->openssl) EVP_DigestUpdate(state_->openssl, bytes.data(), bytes.size());
    else state_->update(bytes);
}

Sha256Bytes Sha256::finish() {
    if (!state_->openssl) return state_->finish();
    Sha256Bytes digest;
    EVP_DigestFinal_ex(state_->openssl, digest.data(), nullptr);
    return digest;
}

Sha256Bytes Sha256::of(std::span<const std::byte> bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

size_t hashes_at_once(size_t hashes) { return sha256_lanes_for(hashes); }

void update_together(std::span<const HashUpdate> updates) {
    if (!has_engine()) {
        for (const HashUpdate& update : updates) update.hash->update(update.bytes);
        return;
    }
    struct Feed {
        Sha256::State* state;
        std::span<const std::byte> bytes;
        size_t blocks() const { return bytes.size() / kSha256BlockBytes; }
    };
    const size_t at_once = sha256_lanes_for(updates.size());
    std::array<Feed, kSha256LanesMax> feeds;
    size_t count = 0, next = 0;
    // Each turn as far as the shortest goes; who is through makes room for the next.
    while (true) {
        while (count < at_once && next < updates.size()) {
            const HashUpdate& update = updates[next++];
            feeds[count] = {update.hash->state_.get(), {}};
            feeds[count].bytes = feeds[count].state->begin(update.bytes);
            ++count;
        }
        if (count == 0) return;
        std::array<Sha256Lane, kSha256LanesMax> lanes;
        size_t blocks = SIZE_MAX;
        for (size_t i = 0; i < count; ++i) {
            lanes[i] = {&feeds[i].state->words, feeds[i].bytes.data()};
            blocks = std::min(blocks, feeds[i].blocks());
        }
        if (blocks > 0) compress_sha256(std::span(lanes).first(count), blocks);
        size_t kept = 0;
        for (size_t i = 0; i < count; ++i) {
            feeds[i].bytes = feeds[i].bytes.subspan(blocks * kSha256BlockBytes);
            if (feeds[i].blocks() == 0) feeds[i].state->end(feeds[i].bytes);
            else feeds[kept++] = feeds[i];
        }
        count = kept;
    }
}

}  // namespace zcdp
