// Our SHA-256 against OpenSSL's: every length up to 20,000, in one piece, in pieces, and several at once.
#include <openssl/evp.h>

#include <random>
#include <vector>

#include "src/base/sha256_lanes.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp {
namespace {

Sha256Bytes reference(std::span<const std::byte> bytes) {
    Sha256Bytes digest;
    REQUIRE(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
    return digest;
}

std::vector<std::byte> noise(size_t size_bytes, unsigned seed) {
    std::mt19937_64 random(seed);
    std::vector<std::byte> bytes(size_bytes);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

/// Feeds `bytes` in pieces whose ends fall anywhere.
void feed(Sha256& hash, std::span<const std::byte> bytes, std::mt19937& random) {
    while (!bytes.empty()) {
        const size_t piece = std::min<size_t>(bytes.size(), random() % 200);
        hash.update(bytes.first(piece));
        bytes = bytes.subspan(piece);
    }
}

TEST_CASE("SHA-256 is OpenSSL's for every length up to 20,000") {
    const auto bytes = noise(20'000, 1);
    std::mt19937 random(2);
    size_t wrong = 0;
    for (size_t length = 0; length <= bytes.size(); ++length) {
        const auto message = std::span(bytes).first(length);
        const auto want = reference(message);
        wrong += Sha256::of(message) != want;
        if (length % 7 != 0) continue;
        Sha256 hash;
        feed(hash, message, random);
        wrong += hash.finish() != want;
    }
    CHECK(wrong == 0);
}

TEST_CASE("hashes that are fed together are what each would be alone") {
    const unsigned seed = 3;
    const auto bytes = noise(3 << 20, seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 300; ++round) {
        const size_t count = random() % 9;  // more than there are lanes, and none
        std::vector<Sha256> hashes(count);
        std::vector<std::vector<std::byte>> fed(count);
        for (int turn = 0; turn < 3; ++turn) {
            std::vector<HashUpdate> updates;
            for (size_t i = 0; i < count; ++i) {
                const size_t longest = round % 10 == 0 ? 1 << 20 : 1000;
                const size_t at = random() % (bytes.size() / 2), length = random() % longest;
                const auto piece = std::span(bytes).subspan(at, length);
                fed[i].insert(fed[i].end(), piece.begin(), piece.end());
                updates.push_back({&hashes[i], piece});
            }
            update_together(updates);
        }
        for (size_t i = 0; i < count; ++i) CHECK(hashes[i].finish() == reference(fed[i]));
    }
}

TEST_CASE("a hash that was reset begins anew") {
    Sha256 hash;
    hash.update("abc");
    hash.reset();
    hash.update("abc");
    // FIPS 180-4's own example.
    CHECK(to_hex(hash.finish()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("this run's SHA-256") {
    const char* const which = has_sha256_lanes() ? "lanes of this core" : "OpenSSL's: the core has no SHA extensions";
    MESSAGE(which);
}

}  // namespace
}  // namespace zcdp
