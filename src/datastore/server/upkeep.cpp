#include "src/datastore/server/upkeep.hpp"

#include <fcntl.h>

#include <algorithm>

#include "zcdp/base/faults.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint64_t kAtOnce = 1'000;  ///< keys or versions of one transaction
constexpr int64_t kSweepNs = 3'600'000'000'000, kCountNs = 60'000'000'000;
/// What was read in the last minute is being read, however much room is wanted.
constexpr int64_t kReaderLeastS = 60;

}  // namespace

void Upkeep::try_to(Step step) {
    if (auto done = (this->*step)(); !done) {
        parts_.counts.upkeep_errors.add();
        parts_.machine.log.warn("could not take away what is needed no more", {{"error", done.error().line()}});
    }
}

void Upkeep::look() {
    uploads_.end_idle(static_cast<int64_t>(parts_.options.times.upload_idle_s) * 1'000'000'000);
    const MutexLock one_looks(one_looks_);
    for (const Step step : {&Upkeep::expire, &Upkeep::let_go, &Upkeep::evict_unreferenced, &Upkeep::forget_removed,
                            &Upkeep::sweep, &Upkeep::count_bytes})
        try_to(step);
    parts_.counts.keys.set(parts_.keys->keys());
}

void Upkeep::count() {
    const MutexLock one_looks(one_looks_);
    try_to(&Upkeep::count_bytes);
}

void Upkeep::make_room() {
    const MutexLock one_looks(one_looks_);
    const int64_t now = parts_.now();
    Result<> done;
    if (now - kReaderLeastS >= started_unix_s_) done = let_go_before(now - kReaderLeastS);
    if (done) done = evict_before(now - kReaderLeastS);
    if (done) done = sweep_now(kReaderLeastS);
    if (!done) parts_.machine.log.warn("could not make room", {{"error", done.error().line()}});
    parts_.quota.count_again();
    counted_ns_ = 0;
    try_to(&Upkeep::count_bytes);
}

Result<> Upkeep::expire() {
    while (true) {
        ZCDP_TRY(const uint64_t expired, parts_.keys->expire(parts_.now(), kAtOnce));
        if (expired < kAtOnce) return {};
    }
}

Result<> Upkeep::let_go() {
    if (faults::broken("reader-grace")) return let_go_before(parts_.now());
    return let_go_before(parts_.now() - static_cast<int64_t>(parts_.options.times.reader_grace_s));
}

/// Who reads may have begun before this process did.
Result<> Upkeep::let_go_before(int64_t before) {
    parts_.in_use.forget_reads_before(before);
    const auto in_use = [&](const store::SnapshotId& id) {
        if (faults::broken("reader-grace")) return false;
        return before < started_unix_s_ || parts_.in_use.was_read_after(id, before);
    };
    while (true) {
        ZCDP_TRY(const uint64_t looked_at, parts_.keys->let_go(before, parts_.now(), kAtOnce, in_use));
        if (looked_at < kAtOnce) return {};
    }
}

Result<> Upkeep::evict_unreferenced() {
    return evict_before(parts_.now() - static_cast<int64_t>(parts_.options.times.orphan_grace_s));
}

/// One that cannot go now keeps its place; the others are not kept waiting for it.
Result<> Upkeep::evict_before(int64_t before) {
    Result<> done;
    while (true) {
        ZCDP_TRY(const auto found, parts_.keys->unreferenced(before, kAtOnce));
        uint64_t gone = 0;
        for (const store::SnapshotId& id : found) {
            if (!parts_.in_use.begin_removal(id)) continue;
            const auto evicted = evict(id);
            parts_.in_use.end_removal(id);
            if (evicted) ++gone;
            else done = evicted;
        }
        if (gone == 0 || found.size() < kAtOnce) return done;
    }
}

bool Upkeep::is_on_disk(const store::SnapshotId& id) const {
    const std::string folder = parts_.store->root() + "/snapshots/" + id.str();
    return parts_.machine.fs.stat(AT_FDCWD, folder.c_str()).has_value();
}

Result<> Upkeep::evict(const store::SnapshotId& id) {
    ZCDP_TRY(const bool unreferenced, parts_.keys->is_unreferenced(id));
    if (!unreferenced) return {};
    const auto info = parts_.store->get(id);
    if (!info && info.error().kind() != ErrorKind::not_found) return info.error();
    // One whose making failed at its end: the store finds it when it is opened next, and then it goes.
    if (!info && is_on_disk(id)) return {};
    if (info) {
        if (info->pinned) ZCDP_CHECK(parts_.store->pin(id, false));
        if (auto gone = parts_.store->evict(id); !gone && gone.error().kind() != ErrorKind::not_found) return gone;
        parts_.counts.evicted.add();
        parts_.quota.count_again();
    }
    return parts_.keys->forget(id);
}

Result<> Upkeep::forget_removed() {
    while (true) {
        ZCDP_TRY(const uint64_t forgotten, parts_.keys->forget_removed(parts_.now() - KeyIndex::kRemovedS, kAtOnce));
        if (forgotten < kAtOnce) return {};
    }
}

/// Contents that no snapshot needs, each hour.
Result<> Upkeep::sweep() {
    const int64_t now_ns = parts_.machine.clock.monotonic_ns();
    if (now_ns - swept_ns_ < kSweepNs) return {};
    swept_ns_ = now_ns;
    ZCDP_CHECK(sweep_now(static_cast<int64_t>(parts_.options.times.blob_grace_s)));
    return sweep_chunk_index();
}

Result<> Upkeep::sweep_now(int64_t grace_s) {
    parts_.quota.count_again();
    const auto freed = parts_.store->gc(grace_s, static_cast<int64_t>(parts_.options.times.partial_grace_s));
    return freed ? Result<>() : freed.error();
}

Result<> Upkeep::sweep_chunk_index() {
    Digest after{DigestKind::sha256tree, {}};
    while (true) {
        ZCDP_TRY(const auto blobs, parts_.chunks->blobs(after, kAtOnce));
        for (const Digest& blob : blobs)
            if (!parts_.store->open_blob(blob)) ZCDP_CHECK(parts_.chunks->forget(blob));
        if (blobs.size() < kAtOnce) return {};
        after = blobs.back();
    }
}

/// Reads a row of every content: not more often than each minute, and only where something went.
Result<> Upkeep::count_bytes() {
    const int64_t now_ns = parts_.machine.clock.monotonic_ns();
    if (!parts_.quota.is_counted() && (counted_ns_ == 0 || now_ns - counted_ns_ >= kCountNs)) {
        ZCDP_TRY(const uint64_t bytes, parts_.store->blob_bytes());
        parts_.quota.set_used(bytes);
        counted_ns_ = now_ns;
    }
    parts_.counts.blob_bytes.set(parts_.quota.used());
    return {};
}

}  // namespace zcdp::datastore
