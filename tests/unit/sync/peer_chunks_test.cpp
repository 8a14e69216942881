// The conformance suites of chunks over the wire between members: a content whose chunks are in a partial file, as a
// sync fills it, given by a PeerServer and read by a PeerClient. Who reads holds the bytes against their claims.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "src/sync/swarm/piece_readers.hpp"
#include "tests/support/chunk_sink_conformance.hpp"
#include "tests/support/chunk_source_conformance.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/identities.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/swarm/peer_client.hpp"
#include "zcdp/swarm/peer_server.hpp"

namespace zcdp::sync {
namespace {

using store::ChunkSink;
using store::ChunkSource;
using test::ChunkContent;

/// The pieces of one file, from wherever its chunks are.
class PiecesOfOne final : public swarm::PieceBytes {
  public:
    PiecesOfOne(std::shared_ptr<ChunkSource> source, swarm::PieceTable table)
        : source_(std::move(source)), table_(std::move(table)) {}
    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t piece) const override {
        return read_chunk(source_, table_.at(piece));
    }
    std::optional<net::server::FileRange> file_of(uint64_t) const override { return std::nullopt; }
    Result<swarm::PieceDigest> digest_of(uint64_t piece) const override {
        const auto digest = source_->chunk_digest(table_.at(piece).chunk);
        if (!digest) return not_here();
        if (table_.at(piece).is_chunk) return *digest;
        return swarm::digest_of_run(std::vector{Digest{DigestKind::sha256, *digest}});
    }
    Result<std::string> claim_of(uint64_t) const override { return std::string(); }

  private:
    const std::shared_ptr<ChunkSource> source_;
    const swarm::PieceTable table_;
};

struct Came {
    std::string bytes, claim;
};

Task<Result<Came>> ask_for(swarm::PeerClient& client, net::Endpoint member, uint64_t piece, uint64_t size_bytes) {
    ZCDP_CO_TRY(auto answer, co_await client.piece(std::move(member), piece, size_bytes));
    ZCDP_CO_TRY(auto bytes, co_await answer.body->read_all(size_bytes));
    co_return Came{std::move(bytes), std::move(answer.claim)};
}

/// A member that gives one content as far as it is there.
class Member {
  public:
    Member(std::shared_ptr<ChunkSource> of, const test::MembersCa& ca) : source(std::move(of)) {
        table.add_file(source->size_bytes());
        table.finish();
        const swarm::HaveMap none(table.pieces());
        identity_ = ca.certify("member");
        share_ = std::make_shared<swarm::Share>(table, swarm::News{1, none, none, none},
                                                std::make_shared<PiecesOfOne>(source, table));
        peers_.add("swarm", share_);
        server_ = net::server::Server::open({.listen = "127.0.0.1:0"}, pool_, peers_.handler(), log_).value();
    }
    ~Member() {
        peers_.close();
        server_.reset();
    }
    /// What is there now, as a session tells it.
    void tell() const {
        swarm::HaveMap have(table.pieces());
        for (uint64_t piece = 0; piece < table.pieces(); ++piece)
            if (source->has(table.at(piece).chunk)) have.set(piece);
        share_->tell(have, have, swarm::HaveMap(table.pieces()));
    }
    bool says_it_has(uint64_t piece) const { return share_->news().have.has(piece); }
    /// Over the wire; its SHA-256 is what the claim says. Errors: corrupt; as PeerClient's.
    Result<std::string> piece(uint64_t piece) {
        const swarm::Piece what = table.at(piece);
        asio::io_context loop(1);
        const auto http = net::make_http_client(loop.get_executor(), {}, system_clock(), metrics_, log_);
        swarm::PeerClient client(*http, "swarm", table.pieces());
        Result<Came> came = Error(ErrorKind::failed, "the loop ended early");
        asio::co_spawn(loop, ask_for(client, {false, "127.0.0.1", server_->port()}, piece, what.size_bytes),
                       [&](std::exception_ptr, Result<Came> result) {
                           came = std::move(result);
                           http->close();
                           loop.stop();
                       });
        loop.run();
        if (!came) return came.error();
        ZCDP_TRY(const auto claimed, identity_->read(came->claim, "swarm", piece));
        const Sha256Bytes digest = Sha256::of(came->bytes);
        const bool is_so =
            what.is_chunk ? digest == claimed.digest
                          : swarm::digest_of_run(std::vector{Digest{DigestKind::sha256, digest}}) == claimed.digest;
        return is_so ? std::move(came->bytes) : Result<std::string>(Error(ErrorKind::corrupt, "is not as claimed"));
    }
    const std::shared_ptr<ChunkSource> source;
    swarm::PieceTable table;

  private:
    Logger log_{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics_;
    asio::thread_pool pool_{2};
    std::shared_ptr<const swarm::Identity> identity_;
    swarm::PeerServer peers_{pool_, {.identity = [this] { return identity_; }}};
    std::shared_ptr<swarm::Share> share_;
    std::unique_ptr<net::server::Server> server_;
};

/// The content as another member sees it. Of an empty one nothing is ever asked: it is in no piece.
class FromAfar final : public ChunkSource {
  public:
    explicit FromAfar(std::shared_ptr<Member> member) : member_(std::move(member)) {}
    uint64_t size_bytes() const override { return member_->source->size_bytes(); }
    std::optional<Digest> digest() const override {
        std::vector<Sha256Bytes> digests;
        for (uint64_t chunk = 0; chunk < chunks(); ++chunk) {
            const auto one = chunk_digest(chunk);
            if (!one) return std::nullopt;
            digests.push_back(*one);
        }
        return digest_of_chunks(digests);
    }
    bool has(uint64_t chunk) const override {
        if (size_bytes() == 0) return member_->source->has(chunk);
        return chunk < chunks() && member_->says_it_has(chunk);
    }
    std::optional<Sha256Bytes> chunk_digest(uint64_t chunk) const override {
        if (size_bytes() == 0) return member_->source->chunk_digest(chunk);
        if (!has(chunk)) return std::nullopt;
        const auto bytes = member_->piece(chunk);
        return bytes ? std::optional(Sha256::of(*bytes)) : std::nullopt;
    }
    Result<> read(uint64_t offset_bytes, std::span<std::byte> into) const override {
        if (offset_bytes > size_bytes() || into.size() > size_bytes() - offset_bytes)
            return Error(ErrorKind::refused, "ends before that");
        for (size_t filled = 0; filled < into.size();) {
            const uint64_t at = offset_bytes + filled, chunk = at / kChunkBytes;
            ZCDP_TRY(const std::string bytes, member_->piece(chunk));
            filled += bytes.copy(reinterpret_cast<char*>(into.data()) + filled, into.size() - filled,
                                 at - chunk * kChunkBytes);
        }
        return {};
    }

  private:
    const std::shared_ptr<Member> member_;
};

/// What a sync fills, and another member reads.
class GivenSink final : public ChunkSink {
  public:
    GivenSink(std::unique_ptr<ChunkSink> below, const test::MembersCa& ca)
        : below_(std::move(below)), member_(std::make_shared<Member>(below_->source(), ca)) {}
    uint64_t size_bytes() const override { return below_->size_bytes(); }
    bool has(uint64_t chunk) const override { return below_->has(chunk); }
    uint64_t chunks_present() const override { return below_->chunks_present(); }
    Result<> write(uint64_t at, std::span<const std::byte> bytes) override { return below_->write(at, bytes); }
    Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) override {
        auto done = below_->chunk_done(chunk, digest);
        tell();
        return done;
    }
    Result<Digest> finish() override { return below_->finish(); }
    Result<> discard() override {
        auto done = below_->discard();
        tell();
        return done;
    }
    std::shared_ptr<ChunkSource> source() const override { return std::make_shared<FromAfar>(member_); }

  private:
    void tell() {
        const std::scoped_lock lock(telling_);
        member_->tell();
    }
    const std::unique_ptr<ChunkSink> below_;
    const std::shared_ptr<Member> member_;
    std::mutex telling_;
};

/// Partial files of a store, each given to others.
struct Partials {
    std::unique_ptr<ChunkSink> make(uint64_t size_bytes) {
        const store::TagScope scope{"http://origin", "bucket", "me and peers"};
        const store::ByTag key{scope, "key " + std::to_string(++made), Tag("tag")};
        return std::make_unique<GivenSink>(incoming->open_partial(key, size_bytes).value(), ca);
    }
    test::TempStore temp{system_fs(), true};
    const std::unique_ptr<store::Store> store = temp.open();
    const std::unique_ptr<store::Incoming> incoming = store->incoming().value();
    const test::MembersCa ca;
    int made = 0;
};

}  // namespace

TEST_CASE("what another member gives conforms to what every source of chunks promises") {
    Partials partials;
    test::ChunkSourceConformance suite([&](const ChunkContent& content) {
        const std::shared_ptr<ChunkSink> sink = partials.make(content.size_bytes());
        test::SourceUnderTest made{sink->source()};
        made.fill = [sink, &content](uint64_t chunk) { REQUIRE(content.put(*sink, chunk)); };
        made.finish = [sink] { REQUIRE(sink->finish()); };
        made.damage = [sink] { REQUIRE(sink->discard()); };
        return made;
    });
    CHECK(suite.violations() == std::vector<std::string>{});
}

TEST_CASE("what a sync fills conforms to what every sink of chunks promises, as another member sees it") {
    Partials partials;
    test::ChunkSinkConformance suite([&](uint64_t size_bytes) { return partials.make(size_bytes); });
    CHECK(suite.violations() == std::vector<std::string>{});
}

}  // namespace zcdp::sync
