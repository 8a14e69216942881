// Long files: opened once, filled by runs of chunks on any slot of any loop, and finished by whoever brings the last
// one.
#include <fmt/format.h>

#include <bit>

#include "src/sync/fetch/fetcher.hpp"
#include "src/sync/fetch/verify.hpp"
#include "src/sync/fetch/verify_long.hpp"
#include "src/sync/plan/stated_sum.hpp"
#include "zcdp/swarm/peer_client.hpp"

namespace zcdp::sync {
namespace {

/// So much of a buffer is hashed at once: a switch to the other reads and back costs the same for any length.
constexpr size_t kHashPieceBytes = 1 << 20;

uint64_t chunk_end(const LongFile& file, uint64_t offset) {
    return std::min((offset / kChunkBytes + 1) * kChunkBytes, file.size_bytes());
}

/// A member's answer, read as an origin's is. What breaks off is asked for elsewhere.
class MemberBody final : public origin::Body {
  public:
    explicit MemberBody(std::unique_ptr<net::Response> answer) : answer_(std::move(answer)) {}
    Task<Result<size_t>> read_some(std::span<std::byte> into) override { return answer_->read_some(into); }
    Task<Result<>> resume(Error broken, uint32_t) override { co_return broken; }
    const origin::ObjectChecksum& checksum() const override { return none_; }

  private:
    const std::unique_ptr<net::Response> answer_;
    const origin::ObjectChecksum none_;
};

}  // namespace

/// Where a run of chunks stands: how far it was read, and the hash of the chunk it is in. Survives a connection that
/// breaks: the next one goes on at the very byte.
struct Fetcher::RunState {
    explicit RunState(const ChunkRun& run)
        : at(run.first * kChunkBytes),
          end(std::min((run.first + run.count) * kChunkBytes, run.file->size_bytes())),
          buffer_at(at),
          from(run.from) {}
    uint64_t at, end;  ///< next byte to read; end of the run
    std::unique_ptr<origin::Body> body;
    transfer::Buffer buffer;
    uint64_t buffer_at;  ///< offset of the buffer's first byte
    size_t filled = 0;   ///< bytes in the buffer
    size_t hashed = 0;   ///< of them
    Sha256 hash;
    std::optional<RunningCrc> crc;
    uint32_t attempt = 0;  ///< to get on, since the last full buffer
    int damaged = 0;       ///< how often this chunk was
    const std::optional<FromMember> from;
    std::string claim;       ///< with which a member sends the chunk
    bool is_theirs = false;  ///< what failed is the member's fault

    /// To the start of the chunk that `at` is in; says how far that is.
    uint64_t rewind() {
        const uint64_t back = at % kChunkBytes;
        at -= back, buffer_at = at, filled = hashed = 0;
        body.reset();
        buffer = transfer::Buffer();
        hash.reset();
        if (crc) crc->restart();
        return back;
    }
};

Task<Result<>> Fetcher::open_long(SpoolEntry record, int reads, bool one_pass) {
    auto file = std::make_shared<LongFile>();
    file->reads = reads, file->one_pass = one_pass;
    file->record = std::move(record);
    auto opened = co_await open_long_file(file);
    if (!opened || file->chunks_left == 0) {
        if (opened) {
            job_.feeder.was_whole(*file);
            co_return co_await finish_long(file);
        }
        job_.feeder.long_done();
        co_return opened;
    }
    job_.progress.begin_long_file(file->record.entry.path, file->size_bytes(), 0);
    job_.feeder.opened(std::move(file));
    co_return Result<>();
}

Task<Result<>> Fetcher::open_long_file(std::shared_ptr<LongFile> file) {
    const origin::Entry& entry = file->record.entry;
    const uint64_t chunks = chunk_count(entry.size_bytes);
    if (chunks > 1) {
        // Ranges carry no checksum of the whole; of a single chunk the one read brings it along.
        ZCDP_CO_CHECK(co_await ask(file->record));
        origin::ObjectInfo info = *std::exchange(file->record.info, std::nullopt);
        if (!info.has_ranges) file->one_pass = true;
        ZCDP_CO_CHECK(co_await take_claim(*file, std::move(info.checksum)));
    }
    ZCDP_CO_TRY(file->partial, co_await offload(job_.disk, [&] {
                    return job_.incoming.open_partial(job_.partial_key(entry), entry.size_bytes);
                }));
    const uint64_t present = file->partial->chunks_present();
    file->chunks_left = chunks - present;
    if (present > 0) file->resumed.resize(chunks);
    for (uint64_t i = 0; i < file->resumed.size(); ++i) {
        file->resumed[i] = file->partial->has(i);
        if (file->resumed[i]) job_.progress.bytes_done += chunk_length(entry.size_bytes, i);
    }
    co_return Result<>();
}

/// What the origin states of the object, and what it takes to judge that while the bytes come.
Task<Result<>> Fetcher::take_claim(LongFile& file, origin::ObjectChecksum claimed) {
    const origin::Entry& entry = file.record.entry;
    file.claimed = std::move(claimed);
    if (file.claimed.parts == 1) file.part_bytes = entry.size_bytes;
    const bool by_parts =
        origin::crc_kind(file.claimed.kind) || job_.verify_parts || file.claimed.parts == chunk_count(entry.size_bytes);
    if (file.claimed.parts > 1 && by_parts) {
        ZCDP_CO_TRY(const uint64_t first, co_await origin_->part_bytes(entry.path, entry.tag, 1));
        if (first < entry.size_bytes) file.part_bytes = first;
    }
    const bool in_pieces = !file.claimed.is_composite() || file.part_bytes > 0;
    if (const auto kind = origin::crc_kind(file.claimed.kind); kind && in_pieces)
        file.crcs = PieceCrcs(*kind, entry.size_bytes, file.part_bytes);
    co_return Result<>();
}

/// The fewer runs, the larger the buffer of each: a switch to the disk pool and back costs the same for any length.
size_t Fetcher::run_buffer_bytes() const {
    const uint64_t runs_here = std::max(1u, job_.run_limit.now() * slots_ / std::max(1u, job_.connections));
    return std::clamp<uint64_t>(std::bit_floor(buffer_budget_ / runs_here), kSmallFileBytesMax, kRunBufferBytesMax);
}

/// Opens the rest of the run at the origin.
Task<Result<>> Fetcher::open_range(LongFile& file, RunState& state) {
    if (state.from) co_return co_await open_at_member(file, state);
    const origin::Entry& entry = file.record.entry;
    ZCDP_CO_TRY(state.body, co_await origin_->read({entry.path, entry.tag, entry.size_bytes, state.at,
                                                    state.end - state.at, file.one_pass}));
    const bool whole = state.at == 0 && state.end == entry.size_bytes && chunk_count(entry.size_bytes) == 1;
    if (whole) ZCDP_CO_CHECK(co_await take_claim(file, state.body->checksum()));
    if (!state.crc && file.crcs.wanted()) state.crc.emplace(file.crcs);
    co_return Result<>();
}

/// The hash goes on with what has come since the last time, together with what other reads have.
Task<> Fetcher::hash_new(RunState& state) {
    co_await hashes_.update(state.hash, state.buffer.bytes().subspan(state.hashed, state.filled - state.hashed));
    state.hashed = state.filled;
}

/// Of a member's chunk, before its last bytes are written.
Task<Result<>> Fetcher::judge_chunk(const LongFile& file, RunState& state, Sha256Bytes digest) {
    auto passed_on = co_await offload(job_.disk, [&] { return judge(state.from->piece, state.claim, digest); });
    if (!passed_on) {
        state.is_theirs = true;
        co_return forget_chunk(state, file, std::move(passed_on).error());
    }
    state.claim = std::move(*passed_on);
    const uint64_t whole = chunk_length(file.size_bytes(), (state.at - 1) / kChunkBytes);
    job_.bytes_received += whole, job_.progress.bytes_received += whole;
    co_return Result<>();
}

/// Writes the filled buffer; at a chunk's end also its digest. True when that was the last chunk that the file missed.
/// What an earlier run left is not written again: only a server without ranges sends it once more.
Task<Result<bool>> Fetcher::put_buffer(LongFile& file, RunState& state) {
    std::optional<Sha256Bytes> digest;
    const uint64_t chunk = (state.at - 1) / kChunkBytes;
    if (state.at == chunk_end(file, state.at - 1)) {
        digest = state.hash.finish();
        state.hash.reset(), state.damaged = 0;
    }
    if (digest && state.from) ZCDP_CO_CHECK(co_await judge_chunk(file, state, *digest));
    const bool here = file.is_resumed(chunk);
    auto written = co_await offload(job_.disk, [&]() -> Result<> {
        if (here) return {};
        store::ChunkSink& sink = *file.partial;
        ZCDP_CHECK(sink.write(state.buffer_at, state.buffer.bytes().first(state.filled)));
        if (digest && state.from) ZCDP_CHECK(job_.feeder.vouched(state.from->piece, state.claim));
        return digest ? sink.chunk_done(chunk, *digest) : Result<>();
    });
    if (!written) co_return std::move(written).error().about(job_.name(file.record.entry.path));
    state.buffer = transfer::Buffer();
    state.buffer_at = state.at, state.filled = state.hashed = 0;
    if (digest) job_.feeder.chunk_done(file, chunk);
    co_return digest && !here && --file.chunks_left == 0;
}

/// The chunk, from a member. What the origin states of the whole is held against it as if it came from there.
Task<Result<>> Fetcher::open_at_member(LongFile& file, RunState& state) {
    swarm::PeerClient client(*members_, job_.swarm, job_.pieces);
    ZCDP_CO_TRY(auto answer, co_await client.piece(state.from->member, state.from->piece, state.end - state.at));
    state.body = std::make_unique<MemberBody>(std::move(answer.body));
    state.claim = std::move(answer.claim);
    if (!state.crc && file.crcs.wanted()) state.crc.emplace(file.crcs);
    co_return Result<>();
}

/// After an error of the body: at the very byte where it broke off, but from bytes that are damaged, at the start of
/// their chunk, which nobody counts as present yet.
Task<Result<>> Fetcher::go_on(LongFile& file, RunState& state, Error broken) {
    const std::string& path = file.record.entry.path;
    if (broken.kind() != ErrorKind::corrupt) co_return co_await state.body->resume(std::move(broken), ++state.attempt);
    if (++state.damaged == kReadsOfDamaged) co_return broken;
    job_.log.warn("damaged on its way, reading it again", {{"object", job_.name(path)}, {"error", broken.what()}});
    const uint64_t unwritten = state.filled, back = state.rewind();
    job_.progress.bytes_done -= back;
    job_.progress.advance_long_file(path, static_cast<int64_t>(unwritten) - static_cast<int64_t>(back));
    co_return Result<>();
}

/// A run, and what follows when it was the last one of a file that is now known to come in one pass alone.
Task<Result<>> Fetcher::fetch_run(ChunkRun run) {
    const auto file = run.file;
    const auto from = run.from;
    bool theirs = false;
    auto done = co_await fill_run(std::move(run), theirs);
    if (!done && theirs) {
        --file->runs;
        job_.feeder.not_received(from->piece, std::move(done).error());
        co_return Result<>();
    }
    if (!done && done.error().kind() == ErrorKind::no_ranges) {
        file->abandoned = true;
        done = Result<>();
    }
    if (--file->runs > 0 || !done || !file->abandoned || job_.ended()) co_return done;
    const uint64_t chunks = chunk_count(file->size_bytes());
    for (uint64_t i = 0; i < chunks; ++i)
        if (file->partial->has(i)) job_.progress.bytes_done -= chunk_length(file->size_bytes(), i);
    job_.progress.end_long_file(file->record.entry.path);
    file->partial.reset();
    job_.log.info("the server has no ranges, reading it in one pass", {{"object", job_.name(file->record.entry.path)}});
    co_return co_await open_long(file->record, file->reads, /*one_pass=*/true);
}

/// What came of the chunk that the run is in, and was not written as a whole, counts no more; passes the error on.
Error Fetcher::forget(RunState& state, const LongFile& file, Error error) {
    const uint64_t unwritten = state.filled, back = state.rewind();
    if (!file.is_resumed(state.at / kChunkBytes)) job_.progress.bytes_done -= back;
    job_.progress.advance_long_file(file.record.entry.path,
                                    static_cast<int64_t>(unwritten) - static_cast<int64_t>(back));
    return error;
}

/// The same of a whole chunk, all of which was read and counted.
Error Fetcher::forget_chunk(RunState& state, const LongFile& file, Error error) {
    const uint64_t whole = chunk_length(file.size_bytes(), (state.at - 1) / kChunkBytes);
    state.at -= whole;
    state.rewind();
    job_.progress.bytes_done -= whole;
    job_.progress.advance_long_file(file.record.entry.path, -static_cast<int64_t>(whole));
    return error;
}

/// `theirs`: it failed, and a member is at fault.
Task<Result<>> Fetcher::fill_run(ChunkRun run, bool& theirs) {
    const transfer::HashMember member(hashes_);
    LongFile& file = *run.file;
    const std::string& path = file.record.entry.path;
    RunState state(run);
    while (state.at < state.end) {
        if (file.abandoned) co_return forget(state, file, Error(ErrorKind::no_ranges, "abandoned"));
        if (!state.body)
            if (auto opened = co_await open_range(file, state); !opened) {
                theirs = state.from.has_value();
                co_return forget(state, file, std::move(opened).error());
            }
        if (state.buffer.bytes().data() == nullptr)
            state.buffer = co_await buffers_.acquire(std::min<uint64_t>(run_buffer_bytes(), state.end - state.at));
        const uint64_t stop_at = std::min(state.buffer_at + state.buffer.bytes().size(), chunk_end(file, state.at));
        const auto room = state.buffer.bytes().subspan(state.filled, stop_at - state.at);
        auto got = co_await state.body->read_some(room);
        if (got && *got == 0) got = Error(ErrorKind::unreachable, "the body ended early");
        if (!got) {
            auto again = co_await go_on(file, state, std::move(got).error().about(job_.name(path)));
            if (!again) {
                theirs = state.from.has_value();
                co_return forget(state, file, std::move(again).error());
            }
            continue;
        }
        if (state.crc) state.crc->update(state.at, room.first(*got));
        if (!state.from) job_.bytes_fetched += *got;
        if (!file.is_resumed(state.at / kChunkBytes)) job_.progress.bytes_done += *got;
        state.filled += *got, state.at += *got;
        const bool full = state.at == stop_at;
        if (full || state.filled - state.hashed >= kHashPieceBytes) co_await hash_new(state);
        if (!full) continue;
        state.attempt = 0;  // progress was made
        job_.progress.advance_long_file(path, static_cast<int64_t>(state.filled));
        job_.run_limit.moved(state.filled, job_.now_ns());
        auto put = co_await put_buffer(file, state);
        theirs = state.is_theirs;
        ZCDP_CO_TRY(const bool complete, std::move(put));
        if (complete) co_return co_await finish_long(run.file);
    }
    co_return Result<>();
}

/// The size of each part, where the origin says them all and they make up the object; else nothing.
Task<Result<std::vector<uint64_t>>> Fetcher::part_sizes(const LongFile& file) {
    const origin::Entry& entry = file.record.entry;
    std::vector<uint64_t> sizes;
    uint64_t sum = 0;
    for (uint32_t number = 1; number <= file.claimed.parts && !job_.ended(); ++number) {
        ZCDP_CO_TRY(const uint64_t bytes, co_await origin_->part_bytes(entry.path, entry.tag, number));
        if (bytes == 0 || bytes > entry.size_bytes - sum) break;
        sizes.push_back(bytes);
        sum += bytes;
    }
    if (sizes.size() != file.claimed.parts || sum != entry.size_bytes) sizes.clear();
    co_return sizes;
}

/// The digest of the finished file, which is what the origin states. That parts were taken for equal and are not shows
/// only when their sum does not match: then each is asked for. Errors: corrupt.
Task<Result<Digest>> Fetcher::verified_digest(LongFile& file) {
    Result<> verified;
    auto digest = co_await offload(job_.disk, [&]() -> Result<Digest> {
        ZCDP_CHECK(sum_resumed_chunks(file, job_));
        ZCDP_TRY(Digest whole, file.partial->finish());
        verified = verify_long(file, whole, job_);
        return whole;
    });
    if (!digest) co_return digest;
    const bool of_parts = file.claimed.parts > 1 && file.part_bytes > 0;
    if (!verified && verified.error().kind() == ErrorKind::corrupt && of_parts) {
        ZCDP_CO_TRY(const auto sizes, co_await part_sizes(file));
        if (!sizes.empty()) verified = co_await offload(job_.disk, [&] { return verify_parts(file, sizes, job_); });
    }
    if (!verified) co_return std::move(verified).error();
    co_return digest;
}

Task<Result<>> Fetcher::finish_long(std::shared_ptr<LongFile> file) {
    const origin::Entry& entry = file->record.entry;
    const auto digest = co_await verified_digest(*file);
    const bool damaged = !digest && digest.error().kind() == ErrorKind::corrupt;
    auto done = co_await offload(job_.disk, [&]() -> Result<> {
        if (damaged) ZCDP_CHECK(file->partial->discard());
        if (!digest) return digest.error();
        ZCDP_CHECK(
            job_.incoming.stage_partial(std::move(file->partial), {*digest, entry.size_bytes, entry.executable}));
        const bool of_chunks = chunk_count(entry.size_bytes) > 1;
        job_.committer.add(
            {job_.key(entry.path), entry.tag, entry.size_bytes, *digest, of_chunks ? stated_sum(file->claimed) : ""});
        return {};
    });
    job_.progress.end_long_file(entry.path);
    if (damaged && file->reads < kReadsOfDamaged) {
        job_.log.warn("damaged on its way, reading it again", {{"object", job_.name(entry.path)}});
        job_.progress.bytes_done -= entry.size_bytes;
        co_return co_await open_long(std::move(file->record), file->reads + 1, file->one_pass);
    }
    job_.feeder.long_done();
    if (!done) co_return std::move(done).error().about(job_.name(entry.path));
    ++job_.objects_fetched, ++job_.progress.objects_done;
    co_return Result<>();
}

}  // namespace zcdp::sync
