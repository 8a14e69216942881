#include "src/store/open_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "src/store/partial_file.hpp"

namespace zcdp::store {
namespace {

constexpr std::string_view kFormat = "zcdp store 1\n";
constexpr size_t kForgottenAtOnce = 2'048;

Error no_such_snapshot(const SnapshotId& id) {
    return Error(ErrorKind::not_found, "is no snapshot of this store", id.str());
}

/// Seconds since boot in clock ticks at which a process began: tells a pid from its re-use. 0 when it is gone.
int64_t process_start(Fs& fs, int64_t pid) {
    const auto stat = read_file(fs, AT_FDCWD, fmt::format("/proc/{}/stat", pid).c_str(), 4096);
    if (!stat) return 0;
    // The name in parentheses may hold anything; the 20th field after it is the start time.
    size_t at = stat->rfind(')');
    for (int field = 0; field < 20 && at != stat->npos; ++field) at = stat->find(' ', at + 1);
    return at == stat->npos ? 0 : std::strtoll(stat->c_str() + at, nullptr, 10);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(StoreOptions options, Fs& fs, Clock& clock, Random& random, Logger& log,
                                           Metrics& metrics) {
    auto store = std::make_unique<OpenStore>(std::move(options), fs, clock, random, log, metrics);
    ZCDP_CHECK(store->open());
    return std::unique_ptr<Store>(std::move(store));
}

OpenStore::~OpenStore() {
    core_.index.reset();
    lock_.release(core_.fs);
}

Result<> OpenStore::open() {
    writable_ = options_.mode == StoreMode::write;
    ZCDP_CHECK(open_root());
    if (writable_) {
        ZCDP_TRY(lock_, Lock::take(core_.fs, core_.clock, core_.root_dir.get(), core_.root,
                                   {options_.holder, options_.socket}, options_.lock_timeout_ms));
    }
    ZCDP_CHECK(check_format());
    ZCDP_CHECK(open_folders());
    choose_barrier();
    ZCDP_CHECK(open_index());
    return writable_ ? recover(lock_.left_behind()) : Result<>();
}

Result<> OpenStore::open_root() {
    std::string root = std::filesystem::absolute(options_.root).lexically_normal().string();
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    core_.root = root;
    // The store's own place may lie behind symlinks; nothing inside it does.
    if (writable_) {
        std::error_code made;
        std::filesystem::create_directories(root, made);
        if (made) {
            const Error why = system_error({made.value(), boost::system::system_category()}, "making the store", root);
            return Error(why.kind(), why.what(), root, "name another place with --store or ZCDP_STORE");
        }
    }
    auto dir = core_.fs.open(AT_FDCWD, (root + "/.").c_str(), O_RDONLY | O_DIRECTORY);
    if (!dir && dir.error().value() == ENOENT)
        return Error(ErrorKind::not_found, "there is no store here", root, "zcdp sync makes one");
    if (!dir) return system_error(dir.error(), "opening the store", root);
    core_.root_dir = std::move(*dir);
    return {};
}

Result<> OpenStore::check_format() {
    const auto format = read_file(core_.fs, core_.root_dir.get(), "format", 4096);
    if (format && *format == kFormat) return {};
    if (format)
        return Error(ErrorKind::refused,
                     format->starts_with("zcdp store ") ? "is a store of another version of zcdp"
                                                        : "has a format file that is not zcdp's",
                     core_.root, "use the zcdp that made it, or another --store");
    if (format.error().value() != ENOENT) return core_.error(format.error(), "reading", "format");
    if (!writable_) return Error(ErrorKind::not_found, "there is no store here", core_.root, "zcdp sync makes one");
    // A new store; but never in a folder that holds something else.
    auto entries = core_.fs.list(core_.root_dir.get());
    if (!entries) return core_.error(entries.error(), "reading", "");
    for (const DirEntry& entry : *entries)
        if (entry.name != "lock" && entry.name != "lost+found" && !entry.name.starts_with("format."))
            return Error(ErrorKind::refused, "is not empty and no store", core_.root,
                         "choose another folder with --store");
    if (auto put = replace_file(core_.fs, core_.root_dir.get(), "format", kFormat, 0644); !put)
        return core_.error(put.error(), "writing", "format");
    return {};
}

Result<> OpenStore::open_folders() {
    const auto folder = [this](const char* name, Fd& into) -> Result<> {
        if (writable_)
            if (auto made = make_directories(core_.fs, core_.root_dir.get(), name, 0755); !made)
                return core_.error(made.error(), "making the folder", name);
        auto fd = core_.fs.open(core_.root_dir.get(), name, O_RDONLY | O_DIRECTORY);
        if (!fd) return core_.error(fd.error(), "opening", name);
        into = std::move(*fd);
        return {};
    };
    ZCDP_CHECK(folder("cas", core_.cas));
    ZCDP_CHECK(folder("partial", core_.partial));
    ZCDP_CHECK(folder("staging", core_.staging));
    ZCDP_CHECK(folder("snapshots", core_.snapshots));
    ZCDP_CHECK(folder("quarantine", core_.quarantine));
    return writable_ ? make_folders_durable() : Result<>();
}

/// What is fsynced in a folder is lost all the same if the folder's own name is.
Result<> OpenStore::make_folders_durable() {
    for (const char* name : {"sha256", "sha256tree"})
        if (auto made = make_directories(core_.fs, core_.cas.get(), name, 0755); !made)
            return core_.error(made.error(), "making the folder", std::string("cas/") + name);
    for (const Fd* dir : {&core_.cas, &core_.root_dir})
        if (auto synced = core_.fs.fsync(dir->get()); !synced) return core_.error(synced.error(), "making durable", "");
    return {};
}

/// syncfs where ROOT is a file system of its own: there it touches nobody else's bytes.
void OpenStore::choose_barrier() {
    using Barrier = StoreOptions::Barrier;
    const auto root = core_.fs.stat_fd(core_.root_dir.get());
    const auto parent = core_.fs.stat(core_.root_dir.get(), "..");
    const bool own = root && parent && root->st_dev != parent->st_dev;
    if (options_.barrier == Barrier::syncfs || (options_.barrier == Barrier::automatic && own))
        core_.barrier = BarrierKind::syncfs;
    else if (options_.barrier == Barrier::automatic) core_.barrier = barrier_kind(core_.fs, core_.root_dir.get());
}

Result<> OpenStore::open_index() {
    const std::string path = core_.root + "/index.db";
    auto index = Index::open(path, writable_);
    if (index && writable_ && lock_.left_behind())
        if (auto sound = (*index)->check(); !sound) index = std::move(sound).error();
    if (!index && index.error().kind() == ErrorKind::corrupt && writable_) {
        note("index.db was damaged (" + index.error().what() + "): it was made again from snapshots/");
        for (const char* name : {"index.db-wal", "index.db-shm"}) (void)core_.fs.unlink(core_.root_dir.get(), name);
        ZCDP_CHECK(put_into_quarantine(core_, core_.root_dir.get(), "index.db", "damaged"));
        index = Index::open(path, true);
    }
    if (!index) return std::move(index).error();
    const MutexLock lock(core_.mutex);
    core_.index = std::move(*index);
    return {};
}

Result<> OpenStore::must_write() const {
    if (writable_) return {};
    return Error(ErrorKind::failed, "was opened for reading only", core_.root);
}

Result<std::unique_ptr<Incoming>> OpenStore::incoming(std::shared_ptr<Hold> hold) {
    ZCDP_CHECK(must_write());
    if (!hold) hold = this->hold();
    return make_incoming(core_, std::static_pointer_cast<HoldOnStore>(std::move(hold)));
}

Result<std::unique_ptr<SnapshotBuilder>> OpenStore::build_snapshot() {
    ZCDP_CHECK(must_write());
    return make_builder(core_);
}

bool OpenStore::has_blob(const BlobRef& blob) {
    {
        const MutexLock lock(core_.mutex);
        const auto known = core_.index->has_blob(blob.digest, blob.size_bytes);
        if (!known || !*known) return false;
    }
    // Either mode will do: the builder makes the twin.
    return blob_on_disk(core_, blob) || blob_on_disk(core_, {blob.digest, blob.size_bytes, !blob.executable});
}

/// Kept first: what is there when it is looked at stays.
bool OpenStore::hold_blob(Hold& hold, const BlobRef& blob) {
    static_cast<HoldOnStore&>(hold).keep_blob(blob.digest);
    return has_blob(blob);
}

uint64_t OpenStore::hold_partial(Hold& hold, const PartialKey& key, uint64_t size_bytes) {
    auto& held = static_cast<HoldOnStore&>(hold);
    const auto& there = held.partials_at_start([this] {
        std::set<std::string> names;
        if (const auto files = core_.fs.list(core_.partial.get()))
            for (const DirEntry& file : *files) names.insert(file.name);
        return names;
    });
    if (there.empty()) return 0;
    const std::string name = partial_name(key, size_bytes);
    if (!there.contains(name)) return 0;
    held.keep_partial(name);
    const auto st = core_.fs.stat(core_.partial.get(), name.c_str());
    return st ? std::min(allocated_bytes(*st), size_bytes) : 0;
}

Result<> OpenStore::for_each_tag(const TagScope& scope, const std::string& prefix, const std::string& from,
                                 const std::function<bool(const TagRow&)>& row) {
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(const auto origin, core_.index->find_origin(scope));
    return origin ? core_.index->for_each_tag(*origin, prefix, from, row) : Result<>();
}

Result<std::vector<TagRow>> OpenStore::tags_like(const TagScope& scope, const Tag& tag, uint64_t size_bytes) {
    const MutexLock lock(core_.mutex);
    return core_.index->tags_like(scope, tag, size_bytes);
}

Result<bool> OpenStore::any_tags(const TagScope& scope) {
    const MutexLock lock(core_.mutex);
    return core_.index->any_tags(scope);
}

Result<std::vector<Digest>> OpenStore::sums_like(const TagScope& scope, const std::string& sum, uint64_t size_bytes,
                                                 bool anybodys) {
    const MutexLock lock(core_.mutex);
    return core_.index->sums_like(scope, sum, size_bytes, anybodys);
}

Result<bool> OpenStore::any_sums(const TagScope& scope, uint64_t size_bytes) {
    const MutexLock lock(core_.mutex);
    return core_.index->any_sums(scope, size_bytes);
}

Result<> OpenStore::put_tags(const TagScope& scope, std::span<const TagRow> rows) {
    ZCDP_CHECK(must_write());
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(auto transaction, core_.index->transaction());
    ZCDP_TRY(const int64_t origin, core_.index->origin_id(scope));
    for (const TagRow& row : rows) ZCDP_CHECK(core_.index->put_tag(origin, row));
    return transaction.commit();
}

Result<> OpenStore::forget(const TagScope& scope, const std::string& prefix) {
    ZCDP_CHECK(must_write());
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(const auto origin, core_.index->find_origin(scope));
    if (!origin) return {};
    ZCDP_CHECK(core_.index->drop_revisions(*origin, prefix));
    std::vector<std::string> keys;
    do {
        keys.clear();
        ZCDP_CHECK(core_.index->for_each_tag(*origin, prefix, "", [&keys](const TagRow& row) {
            keys.push_back(row.key);
            return keys.size() < kForgottenAtOnce;
        }));
        ZCDP_TRY(auto transaction, core_.index->transaction());
        for (const std::string& key : keys) ZCDP_CHECK(core_.index->drop_tag(*origin, key));
        ZCDP_CHECK(transaction.commit());
    } while (!keys.empty());
    return {};
}

Result<std::optional<SnapshotInfo>> OpenStore::find_revision(const TagScope& scope, const std::string& prefix,
                                                             const std::string& selection, const Revision& revision) {
    std::optional<SnapshotInfo> info;
    {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(const auto origin, core_.index->find_origin(scope));
        if (!origin) return info;
        ZCDP_TRY(const auto id, core_.index->find_revision(*origin, prefix, selection, revision));
        if (!id) return info;
        ZCDP_TRY(info, core_.index->snapshot(*id));
    }
    if (!info || info->state != SnapshotState::ready) return std::optional<SnapshotInfo>();
    if (!core_.fs.stat(core_.snapshots.get(), (info->id.str() + "/tree").c_str())) return std::optional<SnapshotInfo>();
    info->tree_path = tree_path(core_, info->id);
    return info;
}

Result<> OpenStore::put_revision(const TagScope& scope, const std::string& prefix, const std::string& selection,
                                 const Revision& revision, const SnapshotId& snapshot) {
    ZCDP_CHECK(must_write());
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(const int64_t origin, core_.index->origin_id(scope));
    return core_.index->put_revision(origin, prefix, selection, revision, snapshot);
}

void OpenStore::complete(SnapshotInfo& info, const std::vector<Index::Lease>& leases) const {
    info.tree_path = tree_path(core_, info.id);
    for (const auto& lease : leases) info.leases += lease.snapshot == info.id;
}

/// The snapshots as the index has them: no paths, no leases.
Result<std::vector<SnapshotInfo>> OpenStore::rows() {
    const MutexLock lock(core_.mutex);
    return core_.index->snapshots();
}

Result<std::vector<SnapshotInfo>> OpenStore::list() {
    ZCDP_TRY(auto all, rows());
    ZCDP_TRY(const auto leases, live_leases());
    for (SnapshotInfo& info : all) complete(info, leases);
    return all;
}

Result<SnapshotInfo> OpenStore::find(const std::string& id_or_name) {
    ZCDP_TRY(const auto all, list());
    const SnapshotInfo* found = nullptr;
    constexpr size_t kPrefixMin = 4;
    const bool hex =
        id_or_name.size() >= kPrefixMin && id_or_name.find_first_not_of("0123456789abcdef") == std::string::npos;
    for (const SnapshotInfo& info : all) {
        if (hex && info.id.str().starts_with(id_or_name)) {
            if (found)
                return Error(ErrorKind::refused, "is the beginning of more than one snapshot's id", id_or_name,
                             "give more of it");
            found = &info;
        }
    }
    // The newest of a name.
    if (!found)
        for (const SnapshotInfo& info : all)
            if (info.name == id_or_name && (!found || info.last_use_unix_s >= found->last_use_unix_s)) found = &info;
    if (!found) return Error(ErrorKind::not_found, "is no snapshot of this store", id_or_name, "see: zcdp store ls");
    return *found;
}

Result<SnapshotInfo> OpenStore::get(const SnapshotId& id) {
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(auto info, core_.index->snapshot(id));
    if (!info) return no_such_snapshot(id);
    info->tree_path = tree_path(core_, id);
    return *info;
}

Result<> OpenStore::touch(const SnapshotId& id) {
    ZCDP_CHECK(must_write());
    const MutexLock lock(core_.mutex);
    const Index::Relaxed relaxed(*core_.index);
    return core_.index->set_last_use(id, core_.clock.unix_s());
}

Result<> OpenStore::pin(const SnapshotId& id, bool pinned) {
    ZCDP_CHECK(must_write());
    const auto alone = core_.snapshot_locks.take(id);
    std::optional<SnapshotInfo> info;
    {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(info, core_.index->snapshot(id));
    }
    if (!info) return no_such_snapshot(id);
    info->pinned = pinned;
    ZCDP_CHECK(write_meta(core_, *info));
    const MutexLock lock(core_.mutex);
    return core_.index->set_pinned(id, pinned);
}

Result<uint64_t> OpenStore::lease(const SnapshotId& id, const std::string& owner, int64_t owner_pid) {
    ZCDP_CHECK(must_write());
    const int64_t started = owner_pid == 0 ? 0 : process_start(core_.fs, owner_pid);
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(const auto info, core_.index->snapshot(id));
    if (!info || info->state != SnapshotState::ready)
        return Error(ErrorKind::not_found, "is no ready snapshot of this store", id.str());
    const Index::Relaxed relaxed(*core_.index);
    ZCDP_TRY(const int64_t lease, core_.index->add_lease(id, owner, owner_pid, started, core_.clock.unix_s()));
    return static_cast<uint64_t>(lease);
}

Result<std::vector<LeaseInfo>> OpenStore::leases() {
    ZCDP_TRY(const auto live, live_leases());
    std::vector<LeaseInfo> out;
    for (const auto& lease : live) out.push_back({static_cast<uint64_t>(lease.id), lease.snapshot, lease.owner});
    return out;
}

Result<> OpenStore::release(uint64_t lease) {
    ZCDP_CHECK(must_write());
    const MutexLock lock(core_.mutex);
    const Index::Relaxed relaxed(*core_.index);
    return core_.index->drop_lease(static_cast<int64_t>(lease));
}

/// Leases whose owner still runs; those of the dead are dropped.
Result<std::vector<Index::Lease>> OpenStore::live_leases() {
    std::vector<Index::Lease> live;
    {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(live, core_.index->leases());
    }
    std::vector<int64_t> dead;
    std::erase_if(live, [&](const Index::Lease& lease) {
        const int64_t started = lease.pid == 0 ? 0 : process_start(core_.fs, lease.pid);
        if (lease.pid == 0 || (started != 0 && started == lease.pid_started)) return false;
        dead.push_back(lease.id);
        return true;
    });
    if (dead.empty() || !writable_) return live;
    const MutexLock lock(core_.mutex);
    for (const int64_t lease : dead) ZCDP_CHECK(core_.index->drop_lease(lease));
    return live;
}

Result<std::unique_ptr<ManifestReader>> OpenStore::manifest(const SnapshotId& id) {
    ZCDP_TRY(Fd file, manifest_file(id));
    /// Owns the descriptor that the reader reads.
    struct Owning final : ManifestReader {
        Owning(Fs& fs, Fd file) : file_(std::move(file)), reader_(ManifestReader::create(fs, file_.get())) {}
        Result<std::optional<ManifestEntry>> next() override { return reader_->next(); }
        SnapshotId id() const override { return reader_->id(); }
        const ManifestTotals& totals() const override { return reader_->totals(); }
        Fd file_;
        std::unique_ptr<ManifestReader> reader_;
    };
    return std::unique_ptr<ManifestReader>(std::make_unique<Owning>(core_.fs, std::move(file)));
}

Result<Fd> OpenStore::manifest_file(const SnapshotId& id) {
    auto fd = core_.fs.open(core_.snapshots.get(), (id.str() + "/manifest.zst").c_str(), O_RDONLY);
    if (!fd) return core_.error(fd.error(), "opening", "snapshots/" + id.str() + "/manifest.zst");
    return std::move(*fd);
}

Result<Fd> OpenStore::open_blob(const Digest& digest) {
    auto fd = core_.fs.open(core_.cas.get(), blob_name(digest, false).c_str(), O_RDONLY);
    if (!fd) fd = core_.fs.open(core_.cas.get(), blob_name(digest, true).c_str(), O_RDONLY);
    if (!fd) return core_.error(fd.error(), "opening", "cas/" + blob_name(digest, false));
    return std::move(*fd);
}

}  // namespace zcdp::store
