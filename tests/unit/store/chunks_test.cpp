// Sources and sinks of chunks: each implementation conforms, and the suites catch one that breaks a promise.
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "tests/support/chunk_sink_conformance.hpp"
#include "tests/support/chunk_source_conformance.hpp"
#include "tests/support/memory_chunks.hpp"
#include "tests/support/temp_store.hpp"

using namespace zcdp;
using namespace zcdp::store;
using namespace zcdp::test;

namespace {

const TagScope kScope{"http://origin", "bucket", "me"};
using Violations = std::vector<std::string>;

/// Partial files of a store, each under a key of its own.
class PartialFiles {
  public:
    PartialFiles() : temp_(system_fs(), true), store_(temp_.open()), incoming_(*store_->incoming()) {}
    std::unique_ptr<PartialFile> make(uint64_t size_bytes) {
        auto file = incoming_->open_partial(ByTag{kScope, "key " + std::to_string(++made_), Tag("tag")}, size_bytes);
        if (!file) FAIL(file.error().line());
        return std::move(*file);
    }
    Store& store() { return *store_; }
    Incoming& incoming() { return *incoming_; }

  private:
    TempStore temp_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Incoming> incoming_;
    int made_ = 0;
};

SourceUnderTest filled_by(std::shared_ptr<ChunkSink> sink, const ChunkContent& content) {
    SourceUnderTest made{sink->source()};
    made.fill = [sink, &content](uint64_t chunk) { REQUIRE(content.put(*sink, chunk)); };
    made.finish = [sink] { REQUIRE(sink->finish()); };
    made.damage = [sink] { REQUIRE(sink->discard()); };
    return made;
}

SourceUnderTest in_memory(const ChunkContent& content) {
    return filled_by(std::make_shared<MemoryChunks>(content.size_bytes()), content);
}

/// Hands on to a source, but for what a test makes it do wrong.
struct FaultySource : ChunkSource {
    explicit FaultySource(std::shared_ptr<ChunkSource> b) : below(std::move(b)) {}
    uint64_t size_bytes() const override { return below->size_bytes(); }
    std::optional<Digest> digest() const override { return below->digest(); }
    bool has(uint64_t chunk) const override { return below->has(chunk); }
    std::optional<Sha256Bytes> chunk_digest(uint64_t chunk) const override { return below->chunk_digest(chunk); }
    Result<> read(uint64_t at, std::span<std::byte> into) const override { return below->read(at, into); }
    std::shared_ptr<ChunkSource> below;
};

template <class Faulty>
ChunkSourceConformance suite_of_source() {
    return ChunkSourceConformance([](const ChunkContent& content) {
        SourceUnderTest made = in_memory(content);
        made.source = std::make_shared<Faulty>(made.source);
        return made;
    });
}

struct FaultySink : ChunkSink {
    explicit FaultySink(uint64_t size) : below(std::make_unique<MemoryChunks>(size)) {}
    uint64_t size_bytes() const override { return below->size_bytes(); }
    bool has(uint64_t chunk) const override { return below->has(chunk); }
    uint64_t chunks_present() const override { return below->chunks_present(); }
    Result<> write(uint64_t at, std::span<const std::byte> bytes) override { return below->write(at, bytes); }
    Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) override { return below->chunk_done(chunk, digest); }
    Result<Digest> finish() override { return below->finish(); }
    Result<> discard() override { return below->discard(); }
    std::shared_ptr<ChunkSource> source() const override { return below->source(); }
    std::unique_ptr<ChunkSink> below;
};

template <class Faulty>
ChunkSinkConformance suite_of_sink() {
    return ChunkSinkConformance([](uint64_t size) { return std::make_unique<Faulty>(size); });
}

void check_none(const Violations& violations) {
    for (const std::string& line : violations) FAIL_CHECK(line);
}

void check_breaks(Rules&& suite, const std::string& rule) {
    CAPTURE(rule);
    CHECK(suite.breaks(rule));
}

}  // namespace

TEST_CASE("the chunks of a partial file conform, while it is filled and after") {
    PartialFiles files;
    check_none(ChunkSourceConformance([&](const ChunkContent& content) {
                   return filled_by(files.make(content.size_bytes()), content);
               }).violations());
}

TEST_CASE("the chunks of a blob conform, also when it is evicted meanwhile") {
    PartialFiles files;
    check_none(ChunkSourceConformance([&](const ChunkContent& content) {
                   auto file = files.make(content.size_bytes());
                   for (uint64_t i = 0; i < content.chunks(); ++i) REQUIRE(content.put(*file, i));
                   const auto digest = file->finish();
                   REQUIRE(digest);
                   auto incoming = files.store().incoming();
                   REQUIRE((*incoming)->stage_partial(std::move(file), {*digest, content.size_bytes(), false}));
                   REQUIRE((*incoming)->commit(kScope, {}));
                   auto chunks = files.store().open_chunks(*digest);
                   REQUIRE(chunks);
                   SourceUnderTest made{std::move(*chunks)};
                   made.take_away = [&files, digest = *digest] {
                       REQUIRE(files.store().gc(-10));
                       CHECK(files.store().open_chunks(digest).error().kind() == ErrorKind::not_found);
                   };
                   return made;
               }).violations());
}

TEST_CASE("the chunks of a content in memory conform") { check_none(ChunkSourceConformance(in_memory).violations()); }

TEST_CASE("the suite of sources catches a source that breaks a promise") {
    struct SaysMore : FaultySource {
        using FaultySource::FaultySource;
        bool has(uint64_t) const override { return true; }
    };
    check_breaks(suite_of_source<SaysMore>(), "a chunk that is not there is not said to be");
    struct SaysLess : FaultySource {
        using FaultySource::FaultySource;
        bool has(uint64_t chunk) const override { return chunk != 0 && below->has(chunk); }
    };
    check_breaks(suite_of_source<SaysLess>(), "a chunk that is there is said to be");
    struct OtherBytes : FaultySource {
        using FaultySource::FaultySource;
        Result<> read(uint64_t at, std::span<std::byte> into) const override {
            ZCDP_CHECK(below->read(at, into));
            if (!into.empty()) into.back() ^= std::byte{1};
            return {};
        }
    };
    check_breaks(suite_of_source<OtherBytes>(), "a chunk's bytes are its own");
    struct ZerosForHoles : FaultySource {
        using FaultySource::FaultySource;
        Result<> read(uint64_t at, std::span<std::byte> into) const override {
            auto read = below->read(at, into);
            return !read && read.error().kind() == ErrorKind::not_found ? Result<>() : read;
        }
    };
    check_breaks(suite_of_source<ZerosForHoles>(), "bytes of a chunk that is not there: not_found");
    check_breaks(suite_of_source<ZerosForHoles>(), "a range that ends in a missing chunk: not_found");
    struct OtherDigest : FaultySource {
        using FaultySource::FaultySource;
        std::optional<Sha256Bytes> chunk_digest(uint64_t chunk) const override {
            auto digest = below->chunk_digest(chunk);
            if (digest) ++(*digest)[0];
            return digest;
        }
    };
    check_breaks(suite_of_source<OtherDigest>(), "a chunk's digest is that of its bytes");
    struct DigestTooEarly : FaultySource {
        using FaultySource::FaultySource;
        std::optional<Digest> digest() const override { return below->digest().value_or(Digest{}); }
    };
    check_breaks(suite_of_source<DigestTooEarly>(), "no digest before it is known");
    struct ShortAtTheEnd : FaultySource {
        using FaultySource::FaultySource;
        Result<> read(uint64_t at, std::span<std::byte> into) const override {
            if (at > size_bytes()) return {};
            return below->read(at, into.first(std::min<uint64_t>(into.size(), size_bytes() - at)));
        }
    };
    check_breaks(suite_of_source<ShortAtTheEnd>(), "a range beyond the end: refused");
    /// Remembers what was there, also once the content turned out damaged.
    struct NeverForgets : FaultySource {
        using FaultySource::FaultySource;
        bool has(uint64_t chunk) const override {
            const std::scoped_lock lock(mutex);
            if (below->has(chunk)) seen.push_back(chunk);
            return std::find(seen.begin(), seen.end(), chunk) != seen.end();
        }
        std::optional<Digest> digest() const override {
            for (uint64_t i = 0; i < chunks(); ++i) (void)has(i);
            return below->digest();
        }
        mutable std::mutex mutex;
        mutable std::vector<uint64_t> seen;
    };
    ChunkSourceConformance after_damage([](const ChunkContent& content) {
        SourceUnderTest made = in_memory(content);
        auto source = std::make_shared<NeverForgets>(made.source);
        made.source = source;
        made.damage = [source, damage = made.damage] {
            (void)source->digest();
            damage();
        };
        return made;
    });
    check_breaks(std::move(after_damage), "a chunk that is not there is not said to be");
    /// As a source that opens its file anew for each read.
    struct GoesWithTheFile : FaultySource {
        using FaultySource::FaultySource;
        bool has(uint64_t chunk) const override { return !gone && below->has(chunk); }
        std::atomic<bool> gone{false};
    };
    ChunkSourceConformance after_eviction([](const ChunkContent& content) {
        SourceUnderTest made = in_memory(content);
        auto source = std::make_shared<GoesWithTheFile>(made.source);
        made.source = source;
        made.take_away = [source] { source->gone = true; };
        return made;
    });
    check_breaks(std::move(after_eviction), "what is there stays there, whatever the store evicts");
    /// Says that a chunk is there while it is being written.
    struct AheadOfTheWriter : FaultySource {
        using FaultySource::FaultySource;
        bool has(uint64_t chunk) const override { return chunk + 1 < chunks() ? below->has(chunk + 1) : below->has(0); }
    };
    check_breaks(suite_of_source<AheadOfTheWriter>(), "while it is filled, what is there reads as its digest says");
}

TEST_CASE("a partial file conforms as a sink") {
    PartialFiles files;
    check_none(ChunkSinkConformance([&](uint64_t size) { return files.make(size); }).violations());
}

TEST_CASE("memory conforms as a sink") {
    check_none(ChunkSinkConformance([](uint64_t size) { return std::make_unique<MemoryChunks>(size); }).violations());
}

TEST_CASE("the suite of sinks catches a sink that breaks a promise") {
    struct TooEarly : FaultySink {
        using FaultySink::FaultySink;
        Result<> write(uint64_t at, std::span<const std::byte> bytes) override {
            ZCDP_CHECK(below->write(at, bytes));
            const std::scoped_lock lock(mutex);
            written[at / kChunkBytes] += bytes.size();
            return {};
        }
        bool has(uint64_t chunk) const override {
            const std::scoped_lock lock(mutex);
            const auto at = written.find(chunk);
            return below->has(chunk) || (at != written.end() && at->second >= chunk_length(size_bytes(), chunk));
        }
        mutable std::mutex mutex;
        std::map<uint64_t, uint64_t> written;
    };
    check_breaks(suite_of_sink<TooEarly>(), "a chunk is not there before chunk_done, however much of it was written");
    struct CountsTwice : FaultySink {
        using FaultySink::FaultySink;
        Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) override {
            ++done;
            return below->chunk_done(chunk, digest);
        }
        uint64_t chunks_present() const override { return done; }
        std::atomic<uint64_t> done{0};
    };
    check_breaks(suite_of_sink<CountsTwice>(), "a chunk that is done twice counts once");
    struct FinishesWithHoles : FaultySink {
        using FaultySink::FaultySink;
        Result<Digest> finish() override {
            auto digest = below->finish();
            return digest ? digest : Result<Digest>(Digest{});
        }
    };
    check_breaks(suite_of_sink<FinishesWithHoles>(), "finish while a chunk is missing: failed");
    struct InOrderOnly : FaultySink {
        using FaultySink::FaultySink;
        Result<> write(uint64_t at, std::span<const std::byte> bytes) override {
            if (at < next) return Error(ErrorKind::failed, "goes forward only");
            next = at + bytes.size();
            return below->write(at, bytes);
        }
        std::atomic<uint64_t> next{0};
    };
    check_breaks(suite_of_sink<InOrderOnly>(), "pieces of a chunk in any order");
    struct WritesOver : FaultySink {
        explicit WritesOver(uint64_t size) : FaultySink(size), seen(size) {}
        Result<> write(uint64_t at, std::span<const std::byte> bytes) override {
            if (at + bytes.size() <= seen.size() && !bytes.empty())
                std::memcpy(seen.data() + at, bytes.data(), bytes.size());
            return below->write(at, bytes);
        }
        std::shared_ptr<ChunkSource> source() const override {
            struct Seen : FaultySource {
                Seen(std::shared_ptr<ChunkSource> source, const std::vector<std::byte>& b)
                    : FaultySource(std::move(source)), bytes(b) {}
                Result<> read(uint64_t at, std::span<std::byte> into) const override {
                    if (!into.empty()) std::memcpy(into.data(), bytes.data() + at, into.size());
                    return {};
                }
                const std::vector<std::byte>& bytes;
            };
            return std::make_shared<Seen>(below->source(), seen);
        }
        std::vector<std::byte> seen;
    };
    check_breaks(suite_of_sink<WritesOver>(), "bytes for a chunk that is there are dropped");
    struct TakesAnything : FaultySink {
        using FaultySink::FaultySink;
        Result<> write(uint64_t at, std::span<const std::byte> bytes) override {
            return at + bytes.size() > size_bytes() ? Result<>() : below->write(at, bytes);
        }
        Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) override {
            return chunk >= chunk_count(size_bytes()) ? Result<>() : below->chunk_done(chunk, digest);
        }
    };
    check_breaks(suite_of_sink<TakesAnything>(), "bytes beyond the end: refused");
    check_breaks(suite_of_sink<TakesAnything>(), "chunk_done of no chunk: refused");
    struct KeepsWhatWasDiscarded : FaultySink {
        using FaultySink::FaultySink;
        Result<> discard() override { return {}; }
    };
    check_breaks(suite_of_sink<KeepsWhatWasDiscarded>(), "after discard nothing is there");
    struct ShowsAtTheEnd : FaultySink {
        using FaultySink::FaultySink;
        std::shared_ptr<ChunkSource> source() const override {
            return std::make_shared<MemoryChunks>(size_bytes())->source();
        }
    };
    check_breaks(suite_of_sink<ShowsAtTheEnd>(), "the source shows a chunk at once");
    /// Two threads that write at once have one place.
    struct OneAtATime : FaultySink {
        using FaultySink::FaultySink;
        Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) override {
            if (others.fetch_add(1) > 0) {
                --others;
                return {};
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            auto done = below->chunk_done(chunk, digest);
            --others;
            return done;
        }
        std::atomic<int> others{0};
    };
    check_breaks(suite_of_sink<OneAtATime>(), "chunks from many threads make the content");
}
