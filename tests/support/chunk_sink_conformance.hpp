// What every ChunkSink must do (include/zcdp/store/chunk_sink.hpp), as a list of what one does not.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/chunk_content.hpp"
#include "tests/support/rules.hpp"
#include "zcdp/store/chunk_sink.hpp"

namespace zcdp::test {

/// Makes an empty sink for a content of this size.
using SinkMaker = std::function<std::unique_ptr<store::ChunkSink>(uint64_t size_bytes)>;

class ChunkSinkConformance final : public Rules {
  public:
    explicit ChunkSinkConformance(SinkMaker maker) : maker_(std::move(maker)) {}

  private:
    void check_all() override {
        for (const uint64_t size : {uint64_t{0}, uint64_t{5}, kChunkBytes, 2 * kChunkBytes + 12345}) {
            const ChunkContent content(size);
            one_by_one(content);
            discarded(content);
        }
        stays(ChunkContent(kChunkBytes + 4096));
        from_many_threads(ChunkContent(7 * kChunkBytes + 1));
    }

    bool shows(const store::ChunkSource& source, const ChunkContent& content, uint64_t chunk) {
        std::vector<std::byte> buffer(content.chunk(chunk).size());
        return source.has(chunk) && source.chunk_digest(chunk) == content.chunk_digest(chunk) &&
               source.read(chunk * kChunkBytes, buffer) &&
               std::equal(buffer.begin(), buffer.end(), content.chunk(chunk).begin());
    }

    void one_by_one(const ChunkContent& content) {
        const auto sink = maker_(content.size_bytes());
        const auto source = sink->source();
        const uint64_t count = content.chunks();
        expect(sink->size_bytes() == content.size_bytes(), "the size is the content's");
        expect(sink->chunks_present() == 0, "a new sink has no chunk");
        for (uint64_t i = 0; i < count; ++i) {
            const uint64_t chunk = (i + 1) % count;
            const auto early = sink->finish();
            expect(!early && early.error().kind() == ErrorKind::failed, "finish while a chunk is missing: failed");
            expect(content.write(*sink, chunk, i % 2 == 0).has_value(), "pieces of a chunk in any order");
            expect(!sink->has(chunk) && !source->has(chunk) && sink->chunks_present() == i,
                   "a chunk is not there before chunk_done, however much of it was written");
            expect(sink->chunk_done(chunk, content.chunk_digest(chunk)).has_value(), "chunk_done of a written chunk");
            expect(sink->has(chunk) && sink->chunks_present() == i + 1, "a chunk is there from chunk_done on");
            expect(shows(*source, content, chunk), "the source shows a chunk at once");
            expect(sink->chunk_done(chunk, content.chunk_digest(chunk)) && sink->chunks_present() == i + 1,
                   "a chunk that is done twice counts once");
        }
        beyond(*sink, content);
        const auto digest = sink->finish();
        expect(digest && *digest == content.digest(), "finish gives the content's digest");
        expect(source->digest() == content.digest(), "the source knows the digest after finish");
    }

    void beyond(store::ChunkSink& sink, const ChunkContent& content) {
        for (const uint64_t none : {content.chunks(), UINT64_MAX}) {
            expect(!sink.has(none), "a number that is no chunk's is not there");
            const auto done = sink.chunk_done(none, {});
            expect(!done && done.error().kind() == ErrorKind::refused, "chunk_done of no chunk: refused");
        }
        const ChunkContent more(4096);
        const auto written = sink.write((content.size_bytes() / kChunkBytes + 1) * kChunkBytes, more.bytes());
        expect(!written && written.error().kind() == ErrorKind::refused, "bytes beyond the end: refused");
    }

    void stays(const ChunkContent& content) {
        const auto sink = maker_(content.size_bytes());
        const ChunkContent other(content.size_bytes(), 2);
        expect(content.put(*sink, 0) && other.write(*sink, 0), "bytes for a chunk that is there are no error");
        expect(shows(*sink->source(), content, 0), "bytes for a chunk that is there are dropped");
    }

    void discarded(const ChunkContent& content) {
        auto sink = maker_(content.size_bytes());
        const auto source = sink->source();
        for (uint64_t i = 0; i < content.chunks(); ++i) expect(content.put(*sink, i).has_value(), "chunks in order");
        expect(sink->discard().has_value(), "discard");
        for (uint64_t i = 0; i < content.chunks(); ++i) expect(!source->has(i), "after discard nothing is there");
        sink = maker_(content.size_bytes());
        expect(sink->chunks_present() == 0, "after discard the next one begins anew");
    }

    void from_many_threads(const ChunkContent& content) {
        const auto sink = maker_(content.size_bytes());
        std::vector<std::thread> writers;
        std::vector<int> failed(4);
        for (uint64_t writer = 0; writer < failed.size(); ++writer)
            writers.emplace_back([&, writer] {
                for (uint64_t chunk = writer; chunk < content.chunks(); chunk += failed.size())
                    failed[writer] += !content.put(*sink, chunk);
            });
        for (std::thread& writer : writers) writer.join();
        for (const int count : failed) expect(count == 0, "chunks from many threads");
        const auto digest = sink->finish();
        expect(digest && *digest == content.digest(), "chunks from many threads make the content");
        for (uint64_t i = 0; i < content.chunks(); ++i)
            expect(shows(*sink->source(), content, i), "chunks from many threads are each their own");
    }

    SinkMaker maker_;
};

}  // namespace zcdp::test
