// Long files: opened once, filled by runs of chunks on any slot of any loop, and finished by whoever brings the last one.
#include <fmt/format.h>

#include <bit>

#include "src/sync/fetcher.hpp"
#include "src/sync/stated_sum.hpp"
#include "src/sync/verify.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::sync {
namespace {

/// So much of a buffer is hashed at once: a switch to the other reads and back costs the same for any length.
constexpr size_t kHashPieceBytes = 1 << 20;

uint64_t chunk_end(const LongFile& file, uint64_t offset) {
    return std::min((offset / kChunkBytes + 1) * kChunkBytes, file.size_bytes());
}

}  // namespace

/// Where a run of chunks stands: how far it was read, and the hash of the chunk it is in. Survives a connection that
/// breaks: the next one goes on at the very byte.
struct Fetcher::RunState {
    explicit RunState(const ChunkRun& run)
        : at(run.first * kChunkBytes), end(std::min((run.first + run.count) * kChunkBytes, run.file->size_bytes())), buffer_at(at) {}
    uint64_t at, end;           ///< next byte to read; end of the run
    std::unique_ptr<origin::Body> body;
    Buffer buffer;
    uint64_t buffer_at;         ///< offset of the buffer's first byte
    size_t filled = 0;          ///< bytes in the buffer
    size_t hashed = 0;          ///< of them
    Sha256 hash;
    std::optional<origin::Crc> crc;
    uint32_t attempt = 0;       ///< to get on, since the last full buffer
    int damaged = 0;            ///< how often this chunk was

    /// To the start of the chunk that `at` is in; says how far that is.
    uint64_t rewind() {
        const uint64_t back = at % kChunkBytes;
        at -= back, buffer_at = at, filled = hashed = 0;
        body.reset();
        buffer = Buffer();
        hash.reset();
        if (crc) crc.emplace(crc->kind());
        return back;
    }
};

Task<Result<>> Fetcher::open_long(SpoolEntry record, int reads) {
    auto file = std::make_shared<LongFile>();
    file->reads = reads;
    file->record = std::move(record);
    auto opened = co_await open_long_file(file);
    if (!opened || file->chunks_left == 0) {
        if (opened) co_return co_await finish_long(file);
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
        const origin::ObjectInfo info = *std::exchange(file->record.info, std::nullopt);
        file->claimed = info.checksum;
        if (origin::crc_kind(file->claimed.kind)) file->chunk_crcs.resize(chunks);
    }
    ZCDP_CO_TRY(file->partial, co_await offload(job_.disk, [&] {
                    return job_.incoming.open_partial(job_.scope, job_.key(entry.path), entry.tag, entry.size_bytes);
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

/// The fewer runs, the larger the buffer of each: a switch to the disk pool and back costs the same for any length.
size_t Fetcher::run_buffer_bytes() const {
    const uint64_t runs_here = std::max(1u, job_.run_limit.now() * slots_ / std::max(1u, job_.connections));
    return std::clamp<uint64_t>(std::bit_floor(buffer_budget_ / runs_here), kSmallFileBytesMax, kBufferBytesMax);
}

/// Opens the rest of the run at the origin.
Task<Result<>> Fetcher::open_range(LongFile& file, RunState& state) {
    const origin::Entry& entry = file.record.entry;
    ZCDP_CO_TRY(state.body, co_await origin_->read({entry.path, entry.tag, entry.size_bytes, state.at, state.end - state.at}));
    const bool whole = state.at == 0 && state.end == entry.size_bytes && chunk_count(entry.size_bytes) == 1;
    if (whole) {
        file.claimed = state.body->checksum();
        if (origin::crc_kind(file.claimed.kind)) file.chunk_crcs.resize(1);
    }
    if (!state.crc && !file.chunk_crcs.empty()) state.crc.emplace(*origin::crc_kind(file.claimed.kind));
    co_return Result<>();
}

/// The hash goes on with what has come since the last time, together with what other reads have.
Task<> Fetcher::hash_new(RunState& state) {
    co_await hashes_.update(state.hash, state.buffer.bytes().subspan(state.hashed, state.filled - state.hashed));
    state.hashed = state.filled;
}

/// Writes the filled buffer; at a chunk's end also its digest. True when that was the last chunk that the file missed.
Task<Result<bool>> Fetcher::put_buffer(LongFile& file, RunState& state) {
    std::optional<Sha256Bytes> digest;
    const uint64_t chunk = (state.at - 1) / kChunkBytes;
    if (state.at == chunk_end(file, state.at - 1)) {
        digest = state.hash.finish();
        state.hash.reset(), state.damaged = 0;
        if (state.crc) {
            file.chunk_crcs[chunk] = state.crc->value();
            state.crc.emplace(state.crc->kind());
        }
    }
    auto written = co_await offload(job_.disk, [&]() -> Result<> {
        ZCDP_CHECK(file.partial->write(state.buffer_at, state.buffer.bytes().first(state.filled)));
        return digest ? file.partial->chunk_done(chunk, *digest) : Result<>();
    });
    if (!written) co_return std::move(written).error().about(job_.name(file.record.entry.path));
    state.buffer = Buffer();
    state.buffer_at = state.at, state.filled = state.hashed = 0;
    co_return digest && --file.chunks_left == 0;
}

/// After an error of the body: at the very byte where it broke off, but from bytes that are damaged, at the start of their
/// chunk, which nobody counts as present yet.
Task<Result<>> Fetcher::go_on(LongFile& file, RunState& state, Error broken) {
    const std::string& path = file.record.entry.path;
    if (broken.kind() != ErrorKind::corrupt) co_return co_await state.body->resume(std::move(broken), ++state.attempt);
    if (++state.damaged == kReadsOfDamaged) co_return broken;
    job_.log.warn("damaged on its way, reading it again", {{"object", job_.name(path)}, {"why", broken.what()}});
    const uint64_t unwritten = state.filled, back = state.rewind();
    job_.progress.bytes_done -= back;
    job_.progress.advance_long_file(path, static_cast<int64_t>(unwritten) - static_cast<int64_t>(back));
    co_return Result<>();
}

Task<Result<>> Fetcher::fetch_run(ChunkRun run) {
    const HashMember member(hashes_);
    LongFile& file = *run.file;
    const std::string& path = file.record.entry.path;
    RunState state(run);
    while (state.at < state.end) {
        if (!state.body) ZCDP_CO_CHECK(co_await open_range(file, state));
        if (state.buffer.bytes().data() == nullptr)
            state.buffer = co_await buffers_.acquire(std::min<uint64_t>(run_buffer_bytes(), state.end - state.at));
        const uint64_t stop_at = std::min(state.buffer_at + state.buffer.bytes().size(), chunk_end(file, state.at));
        const auto room = state.buffer.bytes().subspan(state.filled, stop_at - state.at);
        auto got = co_await state.body->read_some(room);
        if (got && *got == 0) got = Error(ErrorKind::unreachable, "the body ended early");
        if (!got) {
            ZCDP_CO_CHECK(co_await go_on(file, state, std::move(got).error().about(job_.name(path))));
            continue;
        }
        if (state.crc) state.crc->update(room.first(*got));
        state.filled += *got, state.at += *got;
        job_.bytes_fetched += *got, job_.progress.bytes_done += *got;
        const bool full = state.at == stop_at;
        if (full || state.filled - state.hashed >= kHashPieceBytes) co_await hash_new(state);
        if (!full) continue;
        state.attempt = 0;  // progress was made
        job_.progress.advance_long_file(path, static_cast<int64_t>(state.filled));
        job_.run_limit.moved(state.filled, static_cast<uint64_t>(Deadline::clock::now().time_since_epoch().count()));
        ZCDP_CO_TRY(const bool complete, co_await put_buffer(file, state));
        if (complete) co_return co_await finish_long(run.file);
    }
    co_return Result<>();
}

namespace {

/// The CRCs of chunks that an earlier run fetched: read back, so that the origin's checksum covers them as well.
Result<> sum_resumed_chunks(LongFile& file, const FetchJob& job) {
    const auto kind = origin::crc_kind(file.claimed.kind);
    if (!kind || file.resumed.empty()) return {};
    std::vector<std::byte> buffer(kBufferBytesMax);
    for (uint64_t chunk = 0; chunk < file.resumed.size(); ++chunk) {
        if (!file.resumed[chunk] || file.chunk_crcs.empty()) continue;
        origin::Crc crc(*kind);
        const uint64_t begin = chunk * kChunkBytes, length = chunk_length(file.size_bytes(), chunk);
        for (uint64_t done = 0; done < length;) {
            if (job.ended()) return Error(ErrorKind::interrupted, "stopped");
            const auto piece = std::span(buffer).first(std::min<uint64_t>(buffer.size(), length - done));
            ZCDP_CHECK(file.partial->read(begin + done, piece));
            crc.update(piece);
            done += piece.size();
        }
        file.chunk_crcs[chunk] = crc.value();
    }
    return {};
}

/// A SHA-256 of the whole that somebody stated: chunks that came in any order cannot answer it, so the bytes are read back.
Result<> sum_whole(LongFile& file, const FetchJob& job) {
    if (file.claimed.kind != origin::ObjectChecksum::Kind::sha256 || chunk_count(file.size_bytes()) == 1) return {};
    Sha256 sum;
    std::vector<std::byte> buffer(kBufferBytesMax);
    for (uint64_t at = 0; at < file.size_bytes();) {
        if (job.ended()) return Error(ErrorKind::interrupted, "stopped");
        const auto piece = std::span(buffer).first(std::min<uint64_t>(buffer.size(), file.size_bytes() - at));
        ZCDP_CHECK(file.partial->read(at, piece));
        sum.update(piece);
        at += piece.size();
    }
    return verify_whole(sum.finish(), file.claimed);
}

}  // namespace

Task<Result<>> Fetcher::finish_long(std::shared_ptr<LongFile> file) {
    const origin::Entry& entry = file->record.entry;
    bool damaged = false;
    auto done = co_await offload(job_.disk, [&]() -> Result<> {
        ZCDP_CHECK(sum_resumed_chunks(*file, job_));
        ZCDP_TRY(const Digest digest, file->partial->finish());
        auto verified = verify_chunks(entry.size_bytes, digest, file->chunk_crcs, file->claimed);
        if (verified) verified = sum_whole(*file, job_);
        if (!verified && verified.error().kind() != ErrorKind::corrupt) return verified;
        if (!verified) {
            damaged = true;
            ZCDP_CHECK(file->partial->discard());
            return std::move(verified).error();
        }
        ZCDP_CHECK(job_.incoming.stage_partial(std::move(file->partial), {digest, entry.size_bytes, entry.executable}));
        const bool of_chunks = chunk_count(entry.size_bytes) > 1;
        job_.committer.add({job_.key(entry.path), entry.tag, entry.size_bytes, digest, of_chunks ? stated_sum(file->claimed) : ""});
        return {};
    });
    job_.progress.end_long_file(entry.path);
    if (damaged && file->reads < kReadsOfDamaged) {
        job_.log.warn("damaged on its way, reading it again", {{"object", job_.name(entry.path)}});
        job_.progress.bytes_done -= entry.size_bytes;
        co_return co_await open_long(std::move(file->record), file->reads + 1);
    }
    job_.feeder.long_done();
    if (!done) co_return std::move(done).error().about(job_.name(entry.path));
    ++job_.objects_fetched, ++job_.progress.objects_done;
    co_return Result<>();
}

}  // namespace zcdp::sync
