// A node's snapshot, given to others without the sync that made it.
#include "zcdp/sync/held_snapshot.hpp"

#include <boost/asio/co_spawn.hpp>

#include "src/sync/swarm/piece_list.hpp"
#include "src/sync/swarm/proven_pieces.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/swarm_nodes.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/store/blob_name.hpp"
#include "zcdp/swarm/peer_client.hpp"

namespace zcdp::sync {
namespace {

using test::Dataset;
using test::Node;
using Answer = Result<std::string>;

Answer read(swarm::PieceReader& reader) {
    std::string out;
    std::vector<std::byte> buffer(100'000);
    while (true) {
        ZCDP_TRY(const size_t got, reader.read_some(buffer));
        if (got == 0) return out;
        out.append(reinterpret_cast<const char*>(buffer.data()), got);
    }
}

/// A node that has synced a dataset, and then forgot that sync as after a restart.
struct Holder {
    Holder() {
        node.settle_ms = 0;
        node.start(dataset.folder.path());
        const auto& report = node.ended();
        if (!report) FAIL(report.error().line());
        snapshot = report->snapshot, revision = report->revision;
        share = held().value();
    }
    Result<std::shared_ptr<swarm::Share>> held() {
        return share_of_snapshot(*node.store, snapshot, system_fs(), system_random());
    }
    store::SnapshotId id() const { return store::SnapshotId::parse(snapshot).value(); }
    /// As a sync of the folder as it is now lists it.
    EntryList plan() {
        EntryList plan{open_scratch(system_fs(), node.store->root() + "/staging", system_random()).value()};
        SpoolWriter spool(system_fs(), plan.file.get());
        node.list(dataset.folder.path(), [&](const origin::Entry& entry) { REQUIRE(spool.add(entry)); });
        REQUIRE(spool.finish());
        plan.count = spool.count();
        return plan;
    }
    /// As a sync with the same list cuts it.
    PieceList list() {
        const EntryList plan = this->plan();
        return PieceList::make(plan, system_fs(), node.store->root() + "/staging", system_random(), {}).value();
    }
    std::string manifest() const { return read(*share->bytes().open_manifest().value()).value(); }
    /// What those bytes say of the pieces of the folder as it is now.
    Result<std::optional<ProvenPieces>> proven(const std::string& manifest, const store::SnapshotId& of,
                                               uint64_t bytes_most = 1 << 20) {
        const auto scratch = [this] {
            return open_scratch(system_fs(), node.store->root() + "/staging", system_random()).value();
        };
        const Fd file = scratch();
        REQUIRE(system_fs().write(file.get(), std::as_bytes(std::span(manifest)), 0));
        const EntryList plan = this->plan();
        CHECK(manifest_bytes_most(plan, system_fs()).value() < 1 << 20);
        return ProvenPieces::read(file.get(), of, bytes_most, plan, list().table(), system_fs(), scratch());
    }
    /// The file of the store that has the path's content.
    std::string blob_of(const std::string& path) {
        const auto manifest = node.store->manifest(id()).value();
        for (auto entry = manifest->next().value(); entry; entry = manifest->next().value())
            if (entry->path == path) return node.store->root() + "/cas/" + store::blob_name(entry->digest, false);
        FAIL("no such path");
        return "";
    }
    /// The first piece that is a chunk, or is none.
    uint64_t first(bool is_chunk) const {
        uint64_t piece = 0;
        while (share->table().at(piece).is_chunk != is_chunk) ++piece;
        return piece;
    }
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node node{"holder", controller};
    std::string snapshot;
    Revision revision;
    std::shared_ptr<swarm::Share> share;
};

Answer read(const swarm::PieceBytes& bytes, uint64_t piece) {
    ZCDP_TRY(const auto reader, bytes.open(piece));
    return read(*reader);
}

std::string content_of(const net::server::FileRange& range) {
    std::string out(range.length, '\0');
    const auto got = system_fs().read(range.file.get(), std::as_writable_bytes(std::span(out)), range.offset);
    REQUIRE((got && *got == range.length));
    return out;
}

Task<> get(net::HttpClient* http, std::string to, uint64_t pieces, uint64_t piece, uint64_t size_bytes, Answer* out) {
    swarm::PeerClient client(*http, "swarm", pieces);
    auto answer = co_await client.piece(net::Endpoint::parse(to).value(), piece, size_bytes);
    if (answer) *out = co_await answer->body->read_all(size_bytes);
    else *out = std::move(answer).error();
    http->close();
}

/// As another member gets it.
Answer get(Holder& holder, uint64_t piece) {
    holder.node.peer_server.add("swarm", holder.share);
    const swarm::PieceTable& table = holder.share->table();
    asio::io_context loop;
    const auto http =
        net::make_http_client(loop.get_executor(), {}, system_clock(), holder.node.metrics, holder.node.log);
    Answer answer = Error();
    asio::co_spawn(
        loop,
        get(http.get(), "http://" + holder.node.address(), table.pieces(), piece, table.at(piece).size_bytes, &answer),
        [&](std::exception_ptr thrown) {
            CHECK(!thrown);
            loop.stop();
        });
    loop.run();
    return answer;
}

void cut_short(const std::string& blob) {
    std::filesystem::permissions(blob, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    std::filesystem::resize_file(blob, std::filesystem::file_size(blob) / 2);
}

}  // namespace

TEST_CASE("a snapshot is cut into the pieces that a sync of the same list has, and has them all") {
    Holder holder;
    const PieceList list = holder.list();
    const swarm::PieceTable &held = holder.share->table(), &planned = list.table();
    REQUIRE(held.pieces() == planned.pieces());
    CHECK(held.entries() == planned.entries());
    for (uint64_t piece = 0; piece < held.pieces(); ++piece) CHECK(held.at(piece) == planned.at(piece));
    const swarm::News news = holder.share->news();
    CHECK(news.have.full());
    CHECK(news.there.full());
    CHECK(news.drawing.count() == 0);
    CHECK(holder.held().value()->news().version != news.version);
}

TEST_CASE("every piece of a snapshot has the source's bytes") {
    Holder holder;
    const PieceList list = holder.list();
    uint64_t in_one_file = 0;
    for (uint64_t piece = 0; piece < list.table().pieces(); ++piece) {
        const swarm::Piece what = list.table().at(piece);
        std::string wanted;
        for (const PieceFile& file : list.files_of(piece).value())
            wanted += test::content_of(holder.dataset.folder.path() + "/" + file.record.entry.path);
        if (what.is_chunk) wanted = wanted.substr(what.chunk * kChunkBytes, what.size_bytes);
        CHECK(read(holder.share->bytes(), piece).value() == wanted);
        const auto range = holder.share->bytes().file_of(piece);
        if (!range) continue;
        CHECK(content_of(*range) == wanted);
        ++in_one_file;
    }
    CHECK(in_one_file >= 11);  // the chunks of the long files
}

TEST_CASE("the manifest that a holder gives says what each of its pieces is") {
    Holder holder;
    const auto proven = holder.proven(holder.manifest(), holder.id());
    REQUIRE(proven);
    REQUIRE(proven->has_value());
    for (uint64_t piece = 0; piece < holder.share->table().pieces(); ++piece)
        CHECK((*proven)->at(piece).value() == holder.share->bytes().digest_of(piece).value());
}

TEST_CASE("a manifest proves nothing when it is another snapshot's, damaged, too long, or of another list") {
    Holder holder;
    const std::string manifest = holder.manifest();
    store::SnapshotId other = holder.id();
    other.bytes[0] ^= 1;
    CHECK(holder.proven(manifest, other).error().kind() == ErrorKind::corrupt);
    for (const size_t length : {size_t{0}, manifest.size() / 2, manifest.size() - 1})
        CHECK(holder.proven(manifest.substr(0, length), holder.id()).error().kind() == ErrorKind::corrupt);
    for (size_t at = 0; at < manifest.size(); at += 97) {
        std::string changed = manifest;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        const auto proven = holder.proven(changed, holder.id());
        CHECK((proven ? proven->has_value() : proven.error().kind() == ErrorKind::corrupt));
    }
    CHECK(holder.proven(manifest, holder.id(), 1'000).error().kind() == ErrorKind::corrupt);
    test::write_random(holder.dataset.folder.path() + "/one more", 5, 77);
    const auto of_another = holder.proven(manifest, holder.id());
    REQUIRE(of_another);
    CHECK_FALSE(of_another->has_value());
}

TEST_CASE("a node gets all of a dataset from a holder, and nothing from the origin") {
    Holder holder;
    holder.node.give(holder.revision, holder.share);
    Node getter("getter", holder.controller);
    getter.settle_ms = 0;
    getter.start(holder.dataset.folder.path());
    const auto& report = getter.ended();
    if (!report) FAIL(report.error().line());
    CHECK(report->bytes_fetched == 0);
    CHECK(report->bytes_received == report->bytes);
    CHECK(report->snapshot == holder.snapshot);
    CHECK(holder.dataset.is(report->path));
}

TEST_CASE("what was evicted is not found, and who asks for it gets it from the origin") {
    Holder holder;
    REQUIRE(holder.node.store->evict(holder.id()));
    REQUIRE(holder.node.store->gc(0, 0));
    for (const uint64_t piece : {holder.first(true), holder.first(false)}) {
        const auto answer = get(holder, piece);
        REQUIRE(!answer);
        CHECK(answer.error().kind() == ErrorKind::not_found);
    }
    CHECK(holder.held().error().kind() == ErrorKind::not_found);
    holder.node.give(holder.revision, holder.share);
    Node getter("getter", holder.controller);
    getter.settle_ms = 0;
    getter.start(holder.dataset.folder.path(), 500);
    const auto& report = getter.ended();
    if (!report) FAIL(report.error().line());
    CHECK(report->bytes_fetched == report->bytes);
    CHECK(holder.dataset.is(report->path));
}

TEST_CASE("a snapshot is kept while a run of its files is read, and a chunk's bytes stay when it goes") {
    Holder holder;
    const swarm::PieceBytes& bytes = holder.share->bytes();
    CHECK(holder.node.store->leases()->empty());
    const auto run = bytes.open(holder.first(false)).value();
    CHECK(holder.node.store->leases()->size() == 1);
    CHECK(holder.node.store->evict(holder.id()).error().kind() == ErrorKind::busy);
    REQUIRE(read(*run));
    CHECK(holder.node.store->leases()->empty());

    const uint64_t piece = holder.first(true);
    const std::string wanted = read(bytes, piece).value();
    const auto range = bytes.file_of(piece);
    const auto chunk = bytes.open(piece).value();
    REQUIRE(holder.node.store->evict(holder.id()));
    CHECK(read(*chunk).value() == wanted);
    CHECK(content_of(range.value()) == wanted);
}

TEST_CASE("a run that nobody reads to its end keeps no lease") {
    Holder holder;
    auto run = holder.share->bytes().open(holder.first(false)).value();
    run.reset();
    CHECK(holder.node.store->leases()->empty());
}

TEST_CASE("a blob that is shorter than it was is not given: a chunk is refused, a run breaks off") {
    Holder holder;
    const uint64_t chunk = holder.first(true) + 1, run = holder.share->table().pieces() - 1;
    REQUIRE(get(holder, chunk));
    REQUIRE(get(holder, run));
    cut_short(holder.blob_of("long/a"));
    cut_short(holder.blob_of("short/99"));
    CHECK(get(holder, chunk).error().kind() == ErrorKind::failed);
    CHECK(get(holder, run).error().kind() == ErrorKind::unreachable);
}

TEST_CASE("a blob that goes while its run is sent ends the answer before its end") {
    Holder holder;
    std::filesystem::remove(holder.blob_of("short/99"));
    const auto answer = get(holder, holder.share->table().pieces() - 1);
    REQUIRE(!answer);
    CHECK(answer.error().kind() == ErrorKind::unreachable);
}

TEST_CASE("a manifest that was changed is not given") {
    Holder holder;
    cut_short(holder.node.store->root() + "/snapshots/" + holder.snapshot + "/manifest.zst");
    CHECK(holder.held().error().kind() == ErrorKind::corrupt);
}

}  // namespace zcdp::sync
