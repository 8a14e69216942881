// Room: what is promised to syncs before they begin, what goes to make it, and who has it when there is none. How
// things go: evict.cpp.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "src/store/open_store.hpp"
#include "src/store/partial_file.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::store {
namespace {

/// A download that stood still for so long is not between two attempts (an agent's pauses are 3 minutes at most).
constexpr int64_t kAbandonedS = 10 * 60;

uint64_t used_limit(const FsSpace& space, unsigned percent) { return space.total_bytes / 100 * percent; }

/// Of all files below an open folder; a file with more names than one is somebody else's as well and is not counted.
uint64_t bytes_below(Fs& fs, int dir) {
    uint64_t bytes = 0;
    const auto entries = fs.list(dir);
    if (!entries) return 0;
    for (const DirEntry& entry : *entries) {
        const auto st = fs.stat(dir, entry.name.c_str());
        if (!st) continue;
        if (!S_ISDIR(st->st_mode)) bytes += st->st_nlink == 1 ? allocated_bytes(*st) : 0;
        else if (const auto inside = fs.open(dir, entry.name.c_str(), O_RDONLY | O_DIRECTORY))
            bytes += bytes_below(fs, inside->get());
    }
    return bytes;
}

std::string counted(uint64_t count, std::string_view one) {
    return fmt::format("{} {}{}", format_count(count), one, count == 1 ? "" : "s");
}

}  // namespace

Result<FsSpace> OpenStore::space() const {
    auto space = core_.fs.space(core_.root_dir.get());
    if (!space) return core_.error(space.error(), "asking for the free space of", "");
    return *space;
}

/// Promised if the disk is used less than so far with it and all that was promised before.
Result<bool> OpenStore::promise_if_below(unsigned percent, uint64_t bytes, uint64_t files, HoldOnStore& hold) {
    const MutexLock lock(room_mutex_);
    const uint64_t promised = core_.holds->promised_bytes();
    ZCDP_TRY(const FsSpace space, this->space());
    const uint64_t wanted = space.total_bytes - space.free_bytes + bytes + promised;
    if (percent < 100 && wanted > used_limit(space, percent)) return false;
    if (bytes + promised > space.free_bytes || (space.total_inodes > 0 && files > space.free_inodes)) return false;
    hold.promise(bytes);
    return true;
}

Result<std::shared_ptr<Hold>> OpenStore::reserve(uint64_t bytes, uint64_t files, std::shared_ptr<Hold> hold) {
    ZCDP_CHECK(must_write());
    if (!hold) hold = this->hold();
    auto& held = static_cast<HoldOnStore&>(*hold);
    const uint64_t needed = bytes + files * kBytesPerFile;
    ZCDP_TRY(const bool at_once, promise_if_below(options_.high_watermark_percent, needed, files, held));
    if (at_once) return hold;
    const MutexLock upkeep(upkeep_);
    const uint64_t promised = core_.holds->promised_bytes();
    ZCDP_TRY(FsSpace space, this->space());
    const uint64_t wanted = space.total_bytes - space.free_bytes + needed + promised;
    if (wanted > used_limit(space, options_.high_watermark_percent)) {
        // What cannot fit even then must not cost anybody else its data.
        ZCDP_TRY(const uint64_t evictable, evictable_now(needed > 0));
        const bool hopeless = needed + promised > space.free_bytes + evictable;
        const uint64_t low = used_limit(space, options_.low_watermark_percent);
        if (!hopeless) ZCDP_CHECK(make_room(wanted > low ? wanted - low : 0, needed > 0));
    }
    ZCDP_TRY(const bool fits, promise_if_below(100, needed, files, held));
    if (fits) return hold;
    ZCDP_TRY(space, this->space());
    const bool inodes = space.total_inodes == 0 || files <= space.free_inodes;
    return no_room(needed, inodes ? 0 : files, space);
}

/// What could go, at most: blobs that a snapshot to be evicted shares with another are counted all the same.
Result<uint64_t> OpenStore::evictable_now(bool loose_blobs) {
    if (loose_blobs) {
        ZCDP_TRY(const RoomReport report, room());
        return report.evictable_bytes;
    }
    ZCDP_TRY(const StoreUsage usage, this->usage());
    return usage.evictable_bytes;
}

/// Until `bytes` more are free or nothing is left that may go: first what syncs left that nobody goes on with, then
/// snapshots that nobody uses. Where nobody is waiting for it, only what surely was abandoned, and without a look at
/// every blob.
Result<> OpenStore::make_room(uint64_t bytes, bool somebody_waits) {
    const int64_t now_unix_s = core_.clock.unix_s();
    ZCDP_TRY(const FsSpace before, space());
    const auto enough = [&] {
        const auto now = core_.fs.space(core_.root_dir.get());
        return bytes == 0 || (now && now->free_bytes >= before.free_bytes + bytes);
    };
    ZCDP_TRY(const auto unfinished, unfinished_files(core_));
    for (const UnfinishedFile& file : unfinished) {
        if (enough()) return {};
        if (!somebody_waits && file.last_write_unix_s > now_unix_s - kAbandonedS) continue;
        ZCDP_TRY(const bool gone, drop_partial(file));
        if (gone)
            core_.log.info("removed an unfinished download to make room", {{"file", file.name}, {"bytes", file.bytes}});
    }
    if (somebody_waits && !enough()) {
        ZCDP_TRY(const uint64_t freed, sweep_blobs(now_unix_s + 1));
        if (freed > 0) core_.log.info("removed blobs that no snapshot needs to make room", {{"bytes", freed}});
    }
    return evict_snapshots(enough);
}

/// Longest unused first.
Result<> OpenStore::evict_snapshots(const std::function<bool()>& enough) {
    ZCDP_TRY(auto all, rows());
    ZCDP_TRY(const auto leases, live_leases());
    std::sort(all.begin(), all.end(),
              [](const SnapshotInfo& a, const SnapshotInfo& b) { return a.last_use_unix_s < b.last_use_unix_s; });
    for (SnapshotInfo& info : all) {
        if (enough()) return {};
        complete(info, leases);
        if (info.pinned || info.leases > 0) continue;
        const Result<> gone = evict_now(info.id);
        if (!gone && gone.error().kind() == ErrorKind::busy) continue;  // somebody began to use it just now
        if (!gone) return gone;
        core_.log.info("evicted to make room", {{"snapshot", info.id.str()}, {"name", info.name}});
    }
    return {};
}

Error OpenStore::no_room(uint64_t needed, uint64_t files, const FsSpace& space) {
    if (files > 0)
        return Error(ErrorKind::no_space,
                     fmt::format("needs {} files more, the file system has {} inodes free", files, space.free_inodes),
                     core_.root, "remove files from it, or choose another --store");
    auto report = room();
    if (!report) return std::move(report).error();
    const std::string line = report->line(core_.clock.unix_s());
    const uint64_t promised = core_.holds->promised_bytes();
    return Error(
        ErrorKind::no_space,
        fmt::format("needs {} ({} bytes), has {} free ({} bytes){}, and could evict {}{}{}", format_size(needed),
                    needed, format_size(space.free_bytes), space.free_bytes,
                    promised > 0 ? fmt::format(" of which {} are promised to others", format_size(promised)) : "",
                    format_size(report->evictable_bytes), line.empty() ? "" : "; who has the room: ", line),
        core_.root, "make room (zcdp store du, unpin, evict, gc), or choose another --store");
}

Result<uint64_t> OpenStore::blob_bytes() {
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(const auto blobs, core_.index->usage());
    return blobs.bytes;
}

Result<StoreUsage> OpenStore::usage() {
    StoreUsage usage;
    {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(const auto blobs, core_.index->usage());
        usage.blobs = blobs.blobs, usage.blob_bytes = blobs.bytes;
    }
    ZCDP_TRY(auto all, rows());
    ZCDP_TRY(const auto leases, live_leases());
    for (SnapshotInfo& info : all) {
        complete(info, leases);
        ++usage.snapshots, usage.snapshot_bytes += info.bytes;
        if (!info.pinned && info.leases == 0) usage.evictable_bytes += info.bytes;
    }
    usage.evictable_bytes = std::min(usage.evictable_bytes, usage.blob_bytes);
    ZCDP_TRY(const auto unfinished, unfinished_files(core_));
    for (const UnfinishedFile& file : unfinished) {
        usage.partial_bytes += file.bytes;
        if (!file.running) usage.evictable_bytes += file.bytes;
    }
    if (auto files = core_.fs.list(core_.quarantine.get())) usage.quarantined = files->size();
    ZCDP_TRY(usage.space, space());
    return usage;
}

Result<RoomReport> OpenStore::room() {
    RoomReport report;
    ZCDP_TRY(report.usage, usage());
    report.evictable_bytes = report.usage.evictable_bytes;
    ZCDP_TRY(auto all, rows());
    ZCDP_TRY(const auto leases, live_leases());
    for (SnapshotInfo& info : all) {
        complete(info, leases);
        if (info.pinned) report.pinned_bytes += info.bytes;
        else if (info.leases > 0) report.leased_bytes += info.bytes;
    }
    uint64_t cas_bytes = 0;
    ZCDP_CHECK(for_each_blob_file(core_, [&](const FoundBlob& found) -> Result<> {
        const uint64_t bytes = allocated_bytes(found.st);
        cas_bytes += bytes;
        if (found.st.st_nlink > 1) return {};
        report.loose_bytes += bytes;
        if (!core_.holds->need(found.blob.digest)) report.evictable_bytes += bytes;
        return {};
    }));
    ZCDP_TRY(report.unfinished, unfinished_files(core_));
    for (UnfinishedFile& file : report.unfinished)
        if (const auto map = core_.fs.open(core_.partial.get(), (file.name + ".map").c_str(), O_RDONLY)) {
            std::string head(kMapHeaderBytesMax, '\0');
            const auto got = core_.fs.read(map->get(), std::as_writable_bytes(std::span(head)), 0);
            file.object = object_of_map(std::string_view(head).substr(0, got ? *got : 0));
        }
    report.quarantine_bytes = bytes_below(core_.fs, core_.quarantine.get());
    const uint64_t used = report.usage.space.total_bytes - report.usage.space.free_bytes;
    const uint64_t ours = cas_bytes + report.usage.partial_bytes + report.quarantine_bytes;
    report.other_bytes = used > ours ? used - ours : 0;
    return report;
}

std::string RoomReport::line(int64_t now_unix_s) const {
    std::vector<std::string> parts;
    if (usage.snapshots > 0) {
        std::string of;
        if (pinned_bytes > 0) of = "pinned " + format_size(pinned_bytes);
        if (leased_bytes > 0) of += (of.empty() ? "" : ", ") + ("in use " + format_size(leased_bytes));
        parts.push_back(counted(usage.snapshots, "snapshot") + " " + format_size(usage.snapshot_bytes) +
                        (of.empty() ? "" : " (" + of + ")"));
    }
    if (loose_bytes > 0) parts.push_back("blobs of no snapshot " + format_size(loose_bytes));
    if (!unfinished.empty()) {
        const UnfinishedFile& last = unfinished.back();
        const auto age_ms = static_cast<uint64_t>(std::max<int64_t>(0, now_unix_s - last.last_write_unix_s)) * 1000;
        parts.push_back(counted(unfinished.size(), "unfinished download") + " " + format_size(usage.partial_bytes) +
                        fmt::format(" ({}{}, {})", unfinished.size() > 1 ? "last " : "",
                                    last.object.empty() ? last.name : printable(last.object),
                                    last.running ? "running" : format_duration(age_ms) + " ago"));
    }
    if (quarantine_bytes > 0) parts.push_back("quarantine " + format_size(quarantine_bytes));
    if (other_bytes > 0) parts.push_back("others on the disk " + format_size(other_bytes));
    std::string all;
    for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
    return all;
}

}  // namespace zcdp::store
