// What every ChunkSource must do (include/zcdp/store/chunk_source.hpp), as a list of what one does not.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/chunk_content.hpp"
#include "tests/support/rules.hpp"
#include "zcdp/store/chunk_source.hpp"

namespace zcdp::test {

/// A source under test, and how its content changes behind it.
struct SourceUnderTest {
    std::shared_ptr<store::ChunkSource> source;
    std::function<void(uint64_t chunk)> fill = {};  ///< empty: the content is whole from the beginning
    std::function<void()> finish = {};              ///< all chunks are there now
    std::function<void()> damage = {};              ///< the content turns out damaged; empty: never here
    std::function<void()> take_away = {};           ///< the store evicts the content
};

/// Makes a source of a content; one that is being filled has none of its chunks yet.
using SourceMaker = std::function<SourceUnderTest(const ChunkContent& content)>;

class ChunkSourceConformance final : public Rules {
  public:
    explicit ChunkSourceConformance(SourceMaker maker) : maker_(std::move(maker)) {}

  private:
    void check_all() override {
        for (const uint64_t size : {uint64_t{0}, uint64_t{5}, kChunkBytes, 2 * kChunkBytes + 12345}) {
            const ChunkContent content(size);
            whole(content);
            missing(content);
            damaged(content);
        }
        while_filled(ChunkContent(4 * kChunkBytes + 1));
    }

    bool gives(const store::ChunkSource& source, const ChunkContent& content, uint64_t offset, uint64_t length) {
        std::vector<std::byte> buffer(length);
        const auto expected = content.bytes().subspan(offset, length);
        return source.read(offset, buffer) && std::equal(buffer.begin(), buffer.end(), expected.begin());
    }
    void has_chunk(const store::ChunkSource& source, const ChunkContent& content, uint64_t chunk) {
        expect(source.has(chunk), "a chunk that is there is said to be");
        expect(source.chunk_digest(chunk) == content.chunk_digest(chunk), "a chunk's digest is that of its bytes");
        expect(gives(source, content, chunk * kChunkBytes, content.chunk(chunk).size()), "a chunk's bytes are its own");
    }
    void lacks_chunk(const store::ChunkSource& source, const ChunkContent& content, uint64_t chunk) {
        expect(!source.has(chunk), "a chunk that is not there is not said to be");
        expect(!source.chunk_digest(chunk), "a chunk that is not there has no digest");
        if (content.chunk(chunk).empty()) return;
        std::vector<std::byte> buffer(1);
        const auto read = source.read(chunk * kChunkBytes, buffer);
        expect(!read && read.error().kind() == ErrorKind::not_found, "bytes of a chunk that is not there: not_found");
    }
    void fill_all(SourceUnderTest& made, const ChunkContent& content) {
        if (made.fill)
            for (uint64_t i = content.chunks(); i-- > 0;) made.fill(i);
        if (made.finish) made.finish();
    }

    void whole(const ChunkContent& content) {
        SourceUnderTest made = maker_(content);
        fill_all(made, content);
        const store::ChunkSource& source = *made.source;
        const uint64_t size = content.size_bytes();
        expect(source.size_bytes() == size, "the size is the content's");
        expect(source.chunks() == content.chunks(), "the empty content has one chunk");
        expect(source.digest() == content.digest(), "the digest is the content's once all is there");
        for (uint64_t i = 0; i < content.chunks(); ++i) has_chunk(source, content, i);
        for (const uint64_t none : {content.chunks(), content.chunks() + 1, UINT64_MAX}) {
            expect(!source.has(none), "a number that is no chunk's is not there");
            expect(!source.chunk_digest(none), "a number that is no chunk's has no digest");
        }
        expect(gives(source, content, 0, size), "a range over all chunks");
        if (size > kChunkBytes) expect(gives(source, content, kChunkBytes - 7, 13), "a range over a chunk's end");
        std::vector<std::byte> beyond(2);
        for (const uint64_t at : {size - std::min<uint64_t>(size, 1), size + 1, UINT64_MAX - 1}) {
            const auto read = source.read(at, beyond);
            expect(!read && read.error().kind() == ErrorKind::refused, "a range beyond the end: refused");
        }
        if (made.take_away) made.take_away();
        for (uint64_t i = 0; i < content.chunks(); ++i)
            expect(source.has(i) && gives(source, content, i * kChunkBytes, content.chunk(i).size()),
                   "what is there stays there, whatever the store evicts");
    }

    void missing(const ChunkContent& content) {
        SourceUnderTest made = maker_(content);
        if (!made.fill) return;
        const store::ChunkSource& source = *made.source;
        for (uint64_t i = 0; i < content.chunks(); ++i) lacks_chunk(source, content, i);
        expect(!source.digest(), "no digest before it is known");
        const uint64_t last = content.chunks() - 1;
        made.fill(last);
        has_chunk(source, content, last);
        for (uint64_t i = 0; i < last; ++i) lacks_chunk(source, content, i);
        if (last == 0) return;
        std::vector<std::byte> across(4);
        const auto read = source.read(last * kChunkBytes - 2, across);
        expect(!read && read.error().kind() == ErrorKind::not_found,
               "a range that begins in a missing chunk: not_found");
        made.fill(0);
        const auto into = source.read(kChunkBytes - 2, across);
        expect(last == 1 || (!into && into.error().kind() == ErrorKind::not_found),
               "a range that ends in a missing chunk: not_found");
    }

    void damaged(const ChunkContent& content) {
        SourceUnderTest made = maker_(content);
        if (!made.damage) return;
        fill_all(made, content);
        made.damage();
        for (uint64_t i = 0; i < content.chunks(); ++i) lacks_chunk(*made.source, content, i);
        expect(!made.source->digest(), "a content that turned out damaged has no digest");
    }

    /// Readers beside the one who fills: what is said to be there is there, and stays.
    void while_filled(const ChunkContent& content) {
        SourceUnderTest made = maker_(content);
        if (!made.fill) return;
        std::vector<Sha256Bytes> digests;
        for (uint64_t i = 0; i < content.chunks(); ++i) digests.push_back(content.chunk_digest(i));
        std::vector<int> broken(2);
        std::atomic<bool> filled{false};
        std::vector<std::atomic<uint64_t>> looks(broken.size());  ///< how often each reader looked at every chunk
        std::vector<std::thread> readers;
        for (size_t reader = 0; reader < broken.size(); ++reader)
            readers.emplace_back([&, reader] {
                std::vector<std::byte> buffer(kChunkBytes);
                for (bool last = false; !last;) {
                    last = filled;
                    for (uint64_t i = 0; i < content.chunks(); ++i) {
                        if (!made.source->has(i)) continue;
                        const auto into = std::span(buffer).first(content.chunk(i).size());
                        broken[reader] += !made.source->read(i * kChunkBytes, into) || Sha256::of(into) != digests[i] ||
                                          made.source->chunk_digest(i) != digests[i];
                    }
                    ++looks[reader];
                }
            });
        for (uint64_t i = 0; i < content.chunks(); ++i) {
            made.fill((i * 3 + 1) % content.chunks());
            for (const auto& count : looks)  // one that began after it
                for (const uint64_t before = count; count < before + 2;) std::this_thread::yield();
        }
        filled = true;
        for (std::thread& reader : readers) reader.join();
        for (const int count : broken) expect(count == 0, "while it is filled, what is there reads as its digest says");
    }

    SourceMaker maker_;
};

}  // namespace zcdp::test
