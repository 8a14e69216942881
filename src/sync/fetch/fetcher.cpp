// The slots of a loop, and the fetch of whole small files. Long files: fetch_long.cpp.
#include "src/sync/fetch/fetcher.hpp"

#include <algorithm>

#include "src/sync/fetch/claimed_sum.hpp"
#include "src/sync/fetch/verify.hpp"
#include "src/sync/plan/plan.hpp"
#include "src/sync/plan/stated_sum.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/swarm/pieces.hpp"

namespace zcdp::sync {
namespace {

/// Looked at this often while there is nothing to do but a long file is being opened, or the origin takes fewer reads:
/// both are made known on other threads, which would have to wake one slot of one of the loops.
constexpr uint64_t kAskAgainMs = 2;
/// What a request counts for beside its bytes when it is judged whether more of them bring more.
constexpr uint64_t kRequestBytes = 64 << 10;

/// Remembered, and looked for, of files of several chunks only: of those a HEAD is sent anyway.
std::string sum_of_long(const origin::Entry& entry, const origin::ObjectChecksum& stated) {
    return chunk_count(entry.size_bytes) > 1 ? stated_sum(stated) : "";
}

}  // namespace

Fetcher::Fetcher(FetchJob& job, transfer::Loop& loop, std::unique_ptr<origin::Origin> origin, uint32_t slots,
                 uint64_t buffer_bytes)
    : job_(job),
      loop_(loop),
      origin_(std::move(origin)),
      buffer_budget_(buffer_bytes),
      buffers_(loop.executor(), buffer_bytes),
      hashes_(loop.executor()),
      stager_(job, loop.executor()),
      members_(job.peers ? job.peers->http(loop.executor()) : nullptr),
      member_buffers_(loop.executor(), std::max(buffer_bytes, swarm::kPieceBytesMost)),
      refilling_(loop.executor(), 1),
      slots_(slots) {}

void Fetcher::start() {
    slots_running_ = slots_;
    for (uint32_t i = 0; i < slots_; ++i) loop_.spawn(slot());
    // What was fetched and verified is kept, also when the rest is cancelled.
    loop_.spawn(stager_.run(), /*cancellable=*/false);
}

Task<> Fetcher::slot() {
    std::exception_ptr thrown;
    try {
        co_await work_until_done();
    } catch (...) {
        thrown = std::current_exception();
    }
    if (--slots_running_ == 0) stager_.close();
    if (thrown) std::rethrow_exception(thrown);
}

Task<> Fetcher::work_until_done() {
    while (!job_.ended() && slots_running_ <= slots_wanted()) {
        auto work = co_await next_work();
        if (!work) co_return;
        const auto* entry = std::get_if<SpoolEntry>(&*work);
        if (!entry && slots_running_ > slots_) {
            queue_.push_front(std::move(*work));  // runs are for the first slots: they have a limit of their own
            co_return;
        }
        const uint64_t worth = entry ? kRequestBytes + std::min(entry->entry.size_bytes, kSmallFileBytesMax) : 0;
        auto done = co_await handle(std::move(*work));
        if (!done) job_.fail(std::move(done).error());
        if (worth > 0) job_.request_limit.moved(worth, job_.now_ns());
        grow();
    }
}

/// This loop's part of what is wanted now; never fewer than the first ones, which wait in enter().
uint32_t Fetcher::slots_wanted() const {
    const uint64_t wanted = std::min(job_.request_limit.now(), origin_->concurrency());
    return std::max(slots_, static_cast<uint32_t>(wanted * slots_ / job_.connections));
}

/// A new slot may begin, and even end, before spawn() returns: how many are missing is counted before.
void Fetcher::grow() {
    const bool runs_next = !queue_.empty() && !std::holds_alternative<SpoolEntry>(queue_.front());
    if (finished_ || runs_next || job_.ended()) return;
    const uint32_t wanted = slots_wanted();
    for (uint32_t missing = wanted - std::min(wanted, slots_running_); missing > 0; --missing) {
        ++slots_running_;
        loop_.spawn(slot());
    }
}

/// The next piece of work, from the loop's queue or the feeder; nullopt when all is handed out.
Task<std::optional<Work>> Fetcher::next_work() {
    while (true) {
        if (!queue_.empty()) {
            Work work = std::move(queue_.front());
            queue_.pop_front();
            co_return work;
        }
        if (finished_ || job_.ended()) co_return std::nullopt;
        // One slot asks for all that are idle.
        ++slots_idle_;
        co_await refilling_.acquire();
        if (queue_.empty() && !finished_) {
            const size_t idle = slots_idle_;
            auto batch = co_await offload(job_.disk, [this, idle] { return job_.feeder.take(idle); });
            if (!batch) {
                job_.fail(std::move(batch).error());
            } else {
                finished_ = batch->finished;
                for (Work& work : batch->work) queue_.push_back(std::move(work));
                // Long files are under way elsewhere and may come back: the other slots wait behind this one.
                if (batch->work.empty() && !finished_) co_await sleep_ms(kAskAgainMs);
            }
        }
        refilling_.release();
        --slots_idle_;
    }
}

Task<Result<>> Fetcher::handle(Work work) {
    const bool is_run = !std::holds_alternative<SpoolEntry>(work);
    co_await enter(is_run);
    Result<> done;
    std::exception_ptr thrown;
    try {
        if (auto* run = std::get_if<ChunkRun>(&work)) done = co_await fetch_run(std::move(*run));
        else if (auto* of_member = std::get_if<MemberRun>(&work))
            done = co_await fetch_member_run(std::move(*of_member));
        else done = co_await fetch_entry(std::move(std::get<SpoolEntry>(work)));
    } catch (...) {
        thrown = std::current_exception();
    }
    leave(is_run);
    if (thrown) std::rethrow_exception(thrown);
    co_return done;
}

/// Waits until the origin takes one more read, and the limit of runs one more run.
Task<> Fetcher::enter(bool is_run) {
    while (job_.active.load(std::memory_order_relaxed) >= std::max(1u, origin_->concurrency()) ||
           (is_run && job_.runs.load(std::memory_order_relaxed) >= job_.run_limit.now()))
        co_await sleep_ms(kAskAgainMs);
    job_.runs += is_run;
    job_.progress.connections = ++job_.active;
}

void Fetcher::leave(bool is_run) {
    job_.runs -= is_run;
    job_.progress.connections = --job_.active;
}

Task<Result<>> Fetcher::fetch_entry(SpoolEntry record) {
    const bool is_long = record.entry.size_bytes > kSmallFileBytesMax;
    if (record.knowledge != Knowledge::none) {
        ZCDP_CO_TRY(const bool same, co_await same_content(record));
        if (same) {
            if (is_long) job_.feeder.long_done();
            const origin::Entry& entry = record.entry;
            ++job_.objects_matched, job_.bytes_matched += entry.size_bytes;
            ++job_.progress.objects_done, job_.progress.bytes_done += entry.size_bytes;
            co_await offload(job_.disk, [&] {
                job_.committer.add({job_.key(entry.path), entry.tag, entry.size_bytes, record.digest,
                                    sum_of_long(entry, record.info->checksum)});
            });
            co_return Result<>();
        }
        ZCDP_CO_CHECK(co_await make_room(record.entry));
    }
    if (is_long) co_return co_await open_long(std::move(record), 1, /*one_pass=*/false);
    co_return co_await fetch_small(std::move(record));
}

/// What the object is now, and the right to read it; asked once.
Task<Result<>> Fetcher::ask(SpoolEntry& record) {
    if (record.info) co_return Result<>();
    const origin::Entry& entry = record.entry;
    ZCDP_CO_TRY(record.info, co_await origin_->head(entry.path));
    if (!record.info->has_tag(entry.tag) || record.info->size_bytes != entry.size_bytes)
        co_return Error(ErrorKind::source_changed, "changed while it was being read", job_.name(entry.path));
    co_return Result<>();
}

/// Perhaps the same bytes are here under another key or from other credentials. A HEAD shows the right to read the
/// object and what it is now; under another key something that this bucket says of the content has to be what it said
/// of the bytes here, or be true of them.
Task<Result<bool>> Fetcher::same_content(SpoolEntry& record) {
    ZCDP_CO_CHECK(co_await ask(record));
    if (record.same_key) co_return true;
    const origin::Entry& entry = record.entry;
    const origin::ObjectChecksum& stated = record.info->checksum;
    if (const std::string sum = sum_of_long(entry, stated); !sum.empty()) {
        ZCDP_CO_TRY(const auto known, co_await offload(job_.disk, [&] {
                        return job_.memory.sums_like(job_.scope, sum, entry.size_bytes, is_unforgeable(stated));
                    }));
        for (const Digest& digest : known) {
            const bool here = co_await offload(job_.disk, [&] {
                return job_.ingest.hold_blob(*job_.hold, {digest, entry.size_bytes, entry.executable});
            });
            if (!here) continue;
            record.digest = digest;
            co_return true;
        }
    }
    if (record.knowledge != Knowledge::candidate) co_return false;
    if (stated.kind == origin::ObjectChecksum::Kind::sha256 && !stated.is_composite() &&
        record.digest.kind == DigestKind::sha256)
        co_return stated.raw ==
            std::string(reinterpret_cast<const char*>(record.digest.bytes.data()), record.digest.bytes.size());
    if (kind_of_tag(entry.tag, entry.size_bytes) == TagKind::md5) {
        // The ETag of a plain upload is the MD5 of its bytes, but other servers have tags that look like one.
        origin::ObjectChecksum md5;
        md5.kind = origin::ObjectChecksum::Kind::md5, md5.raw = bytes_from_hex(entry.tag.str());
        co_return co_await blob_has(record, std::move(md5));
    }
    // The same tag of the same parts. What else the origin states must be true as well, where one look at the bytes can
    // tell.
    if (!ClaimedSum(stated).answerable()) co_return true;
    co_return co_await blob_has(record, stated);
}

/// Whether the bytes here have this sum.
Task<Result<bool>> Fetcher::blob_has(const SpoolEntry& record, origin::ObjectChecksum sum) {
    return offload(job_.disk, [this, &record, sum = std::move(sum)]() -> Result<bool> {
        ClaimedSum claimed(sum);
        if (!claimed.answerable()) return false;
        ZCDP_TRY(const Fd blob, job_.content.open_blob(record.digest));
        std::vector<std::byte> buffer(kRunBufferBytesMax);
        for (uint64_t at = 0; at < record.entry.size_bytes;) {
            if (job_.ended()) return Error(ErrorKind::interrupted, "stopped");
            const auto got = job_.fs.read(blob.get(), buffer, at);
            if (!got || *got == 0) return false;
            claimed.update(std::span(buffer).first(*got));
            at += *got;
        }
        return claimed.matches();
    });
}

/// What was thought to be here and is not: no room was promised to it yet.
Task<Result<>> Fetcher::make_room(const origin::Entry& entry) {
    return offload(job_.disk, [this, &entry]() -> Result<> {
        const bool is_long = entry.size_bytes > kSmallFileBytesMax;
        const uint64_t there =
            is_long ? job_.ingest.hold_partial(*job_.hold, job_.partial_key(entry), entry.size_bytes) : 0;
        ZCDP_CHECK(job_.ingest.reserve(entry.size_bytes - there, 1, job_.hold));
        return {};
    });
}

Task<Result<>> Fetcher::fetch_small(SpoolEntry record) {
    const origin::Entry& entry = record.entry;
    const uint64_t size = entry.size_bytes;
    for (int reads = 1;; ++reads) {
        transfer::Buffer buffer = co_await buffers_.acquire(size);
        const auto content = buffer.bytes().first(size);
        auto verified = co_await read_verified(entry, content);
        if (!verified) {
            if (verified.error().kind() != ErrorKind::corrupt || reads == kReadsOfDamaged)
                co_return std::move(verified).error().about(job_.name(entry.path));
            job_.log.warn("damaged on its way, reading it again", {{"object", job_.name(entry.path)}});
            continue;
        }
        ++job_.objects_fetched, job_.bytes_fetched += size;
        ++job_.progress.objects_done, job_.progress.bytes_done += size;
        stager_.add(std::move(record), *verified, std::move(buffer));
        co_return Result<>();
    }
}

/// The digest of what was read. Errors: corrupt, when the origin states another checksum.
Task<Result<Digest>> Fetcher::read_verified(const origin::Entry& entry, std::span<std::byte> into) {
    origin::ObjectChecksum claimed;
    if (!into.empty())
        ZCDP_CO_CHECK(co_await read_whole({entry.path, entry.tag, into.size(), 0, into.size()}, into, claimed));
    const Digest digest{DigestKind::sha256, Sha256::of(into)};
    ZCDP_CO_CHECK(verify_content(into, digest, claimed));
    co_return digest;
}

/// The whole range into memory; a body that breaks off is asked for again from the start.
Task<Result<>> Fetcher::read_whole(origin::ReadSpec spec, std::span<std::byte> into, origin::ObjectChecksum& claimed) {
    for (uint32_t attempt = 1;; ++attempt) {
        ZCDP_CO_TRY(const auto body, co_await origin_->read(spec));
        std::optional<Error> broken;
        for (size_t filled = 0; filled < into.size();) {
            auto got = co_await body->read_some(into.subspan(filled));
            if (got && *got == 0) got = Error(ErrorKind::unreachable, "the body ended early");
            if (!got) {
                broken = std::move(got).error().about(job_.name(spec.path));
                break;
            }
            filled += *got;
        }
        if (!broken) {
            claimed = body->checksum();
            co_return Result<>();
        }
        if (broken->kind() == ErrorKind::corrupt) co_return std::move(*broken);
        const bool again = co_await origin_->retry_after(*broken, attempt);
        if (!again) co_return std::move(*broken);
    }
}

}  // namespace zcdp::sync
