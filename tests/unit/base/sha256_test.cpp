// Our SHA-256 against OpenSSL's: each engine that this core has alone, and the running hash over them, for every length
// up to 20,000, in pieces, and several at once.
#include <openssl/evp.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "src/base/sha256/sha256_engine.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp {
namespace {

constexpr size_t kLengthMax = 20'000;

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

/// OpenSSL's digests of the first 0, 1, 2 ... bytes, from one hash that runs on.
std::vector<Sha256Bytes> reference_of_each_length(std::span<const std::byte> bytes) {
    using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
    const Context running(EVP_MD_CTX_new(), EVP_MD_CTX_free), copy(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    REQUIRE(EVP_DigestInit_ex(running.get(), EVP_sha256(), nullptr) == 1);
    std::vector<Sha256Bytes> digests(bytes.size() + 1);
    for (size_t length = 0; length <= bytes.size(); ++length) {
        REQUIRE(EVP_MD_CTX_copy_ex(copy.get(), running.get()) == 1);
        REQUIRE(EVP_DigestFinal_ex(copy.get(), digests[length].data(), nullptr) == 1);
        if (length < bytes.size()) REQUIRE(EVP_DigestUpdate(running.get(), &bytes[length], 1) == 1);
    }
    return digests;
}

/// A message with FIPS 180-4's padding, written here once more, and what an engine has made of it.
struct Padded {
    std::vector<std::byte> bytes;
    Sha256Words words = kSha256Start;
    size_t blocks_done = 0;

    explicit Padded(std::span<const std::byte> message) : bytes(message.begin(), message.end()) {
        bytes.push_back(std::byte{0x80});
        while (bytes.size() % kSha256BlockBytes != kSha256BlockBytes - 8) bytes.push_back(std::byte{0});
        for (int shift = 56; shift >= 0; shift -= 8)
            bytes.push_back(static_cast<std::byte>(message.size() * 8 >> shift));
    }
    size_t blocks_left() const { return bytes.size() / kSha256BlockBytes - blocks_done; }
    Sha256Bytes digest() const {
        Sha256Bytes out;
        for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(words[i / 4] >> (24 - i % 4 * 8));
        return out;
    }
};

/// All of `messages`, at most `lanes` at once, each turn as far as the shortest goes.
void run_engine(const Sha256Engine& engine, std::span<Padded> messages, size_t lanes) {
    std::vector<Padded*> now;
    for (size_t next = 0; next < messages.size() || !now.empty();) {
        while (now.size() < lanes && next < messages.size()) now.push_back(&messages[next++]);
        std::vector<Sha256Lane> feed;
        size_t blocks = SIZE_MAX;
        for (Padded* message : now) {
            feed.push_back({&message->words, message->bytes.data() + message->blocks_done * kSha256BlockBytes});
            blocks = std::min(blocks, message->blocks_left());
        }
        engine.compress(feed, blocks);
        for (Padded* message : now) message->blocks_done += blocks;
        std::erase_if(now, [](const Padded* message) { return message->blocks_left() == 0; });
    }
}

/// Feeds `bytes` in pieces whose ends fall anywhere.
void feed(Sha256& hash, std::span<const std::byte> bytes, std::mt19937& random) {
    while (!bytes.empty()) {
        const size_t piece = std::min<size_t>(bytes.size(), random() % 200);
        hash.update(bytes.first(piece));
        bytes = bytes.subspan(piece);
    }
}

TEST_CASE("each SHA-256 engine is OpenSSL's for every length up to 20,000, in any number of lanes") {
    const auto bytes = noise(kLengthMax + 1000, 4);
    const auto want = reference_of_each_length(std::span(bytes).first(kLengthMax));
    std::mt19937 random(5);
    for (const Sha256Engine* engine : {sha256_sha_ni(), sha256_avx512(), sha256_arm()}) {
        if (!engine) continue;
        CAPTURE(engine->name);
        size_t wrong = 0;
        for (size_t first = 0; first <= kLengthMax;) {
            // Lengths beside each other, and in every third group also one of another size and data.
            const size_t count = std::min(1 + random() % (engine->lanes_max + 2), kLengthMax + 1 - first);
            std::vector<Padded> messages;
            for (size_t i = 0; i < count; ++i) messages.emplace_back(std::span(bytes).first(first + i));
            const auto other = std::span(bytes).subspan(random() % 1000, random() % kLengthMax);
            if (first % 3 == 0) messages.insert(messages.begin(), Padded(other));
            run_engine(*engine, messages, 1 + random() % engine->lanes_max);
            if (first % 3 == 0)
                wrong += messages.front().digest() != reference(other), messages.erase(messages.begin());
            for (size_t i = 0; i < count; ++i) wrong += messages[i].digest() != want[first + i];
            first += count;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("an engine leaves alone what is behind its lanes") {
    const auto bytes = noise(2 * kSha256BlockBytes, 6);
    for (const Sha256Engine* engine : {sha256_sha_ni(), sha256_avx512(), sha256_arm()}) {
        if (!engine) continue;
        CAPTURE(engine->name);
        for (size_t lanes = 1; lanes <= engine->lanes_max; ++lanes) {
            std::vector<Sha256Words> words(lanes + 1, kSha256Start);
            std::vector<Sha256Lane> feeds;
            for (size_t i = 0; i < lanes; ++i) feeds.push_back({&words[i], bytes.data()});
            engine->compress(feeds, 2);
            CHECK(words[lanes] == kSha256Start);
            for (size_t i = 0; i < lanes; ++i) CHECK((words[i] == words[0] && words[i] != kSha256Start));
        }
    }
}

TEST_CASE("SHA-256 is OpenSSL's for every length up to 20,000") {
    const auto bytes = noise(kLengthMax, 1);
    const auto want = reference_of_each_length(bytes);
    std::mt19937 random(2);
    size_t wrong = 0;
    for (size_t length = 0; length <= bytes.size(); ++length) {
        const auto message = std::span(bytes).first(length);
        wrong += Sha256::of(message) != want[length];
        if (length % 7 != 0) continue;
        Sha256 hash;
        feed(hash, message, random);
        wrong += hash.finish() != want[length];
    }
    CHECK(wrong == 0);
}

TEST_CASE("hashes that are fed together are what each would be alone") {
    const unsigned seed = 3;
    const auto bytes = noise(3 << 20, seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 300; ++round) {
        const size_t count = random() % (2 * kSha256LanesMax + 4);  // also more than there are lanes, and none
        std::vector<Sha256> hashes(count);
        std::vector<std::vector<std::byte>> fed(count);
        for (int turn = 0; turn < 3; ++turn) {
            std::vector<HashUpdate> updates;
            for (size_t i = 0; i < count; ++i) {
                const size_t longest = round % 30 == 0 ? 1 << 20 : 1000;
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
    const Sha256Choice& choice = sha256_choice();
    const std::string few = choice.few ? choice.few->name : "OpenSSL's: the core has no instructions for it";
    const std::string many = choice.many ? std::string(" and ") + choice.many->name : "";
    MESSAGE(few << many);
}

}  // namespace
}  // namespace zcdp
