#include "src/sync/place/dest_run.hpp"

#include <fcntl.h>

#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>

#include "src/sync/list/file_kind.hpp"
#include "src/sync/list/listing.hpp"
#include "src/sync/place/dest.hpp"
#include "src/sync/place/new_files.hpp"
#include "src/sync/place/overlap.hpp"
#include "src/sync/store_run.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/store/store.hpp"
#include "zcdp/sync/place.hpp"

namespace zcdp::sync {
namespace {

Error stopped(const std::string& object) {
    return Error(ErrorKind::interrupted, "stopped", object, "run the same command again to go on");
}

LockWait lock_wait(const SyncOptions& options, const std::stop_token& stop, Logger& log) {
    char host[256] = "";
    (void)::gethostname(host, sizeof host - 1);
    return {fmt::format("zcdp sync, pid {} on {}", ::getpid(), host), options.lock_timeout_ms, stop, log};
}

Result<Fd> open_folder(Fs& fs, const std::string& path) {
    auto fd = fs.open(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!fd) return system_error(fd.error(), "opening", path);
    return std::move(*fd);
}

/// Steps through an ascending list of records in step with ascending paths.
class StateWalker {
  public:
    explicit StateWalker(std::unique_ptr<DestState> state) : state_(std::move(state)) {}
    /// The record of this path, or null; valid until the next call.
    const DestRecord* find(const std::string& path) {
        while (!ended_ && (!begun_ || at_.entry.path < path)) {
            begun_ = true;
            ended_ = !state_->next(at_);
        }
        return !ended_ && at_.entry.path == path ? &at_ : nullptr;
    }

  private:
    std::unique_ptr<DestState> state_;
    DestRecord at_;
    bool begun_ = false, ended_ = false;
};

/// What a dry run with --delete would remove from DEST.
Result<> count_removals(const SyncOptions& options, const Listed& listed, Machine machine, SyncReport& report) {
    if (!options.delete_extra) return {};
    ZCDP_TRY(const auto dest, Dest::look(options.dest, machine.fs, machine.clock, machine.random));
    ZCDP_TRY(const auto earlier, dest->earlier());
    SpoolReader reader = listed.list.read(machine.fs);
    SpoolEntry listed_now;
    ZCDP_TRY(bool more, reader.next(listed_now));
    for (DestRecord record; earlier->next(record);) {
        while (more && listed_now.entry.path < record.entry.path) {
            ZCDP_TRY(more, reader.next(listed_now));
        }
        if (more && listed_now.entry.path == record.entry.path) continue;
        ZCDP_TRY(const bool untouched, dest->intact(record));
        if (untouched) ++report.removed, report.bytes_removed += record.entry.size_bytes;
    }
    return {};
}

/// The snapshot whose tree is report.path and whose manifest this is into options.dest.
Result<> place_tree(const SyncOptions& options, store::ManifestReader& manifest, Machine machine, SyncReport& report,
                    Progress& progress, const std::stop_token& stop) {
    progress.phase = Phase::placing;
    progress.files_placed = 0, progress.bytes_placed = 0;
    ZCDP_TRY(const auto dest, Dest::open(options.dest, machine.fs, machine.clock, machine.random,
                                         lock_wait(options, stop, machine.log)));
    dest->report_to(progress);
    ZCDP_TRY(Fd tree, open_folder(machine.fs, report.path));
    dest->take_from(std::move(tree), options.placement == Placement::link   ? store::Way::link
                                     : options.placement == Placement::copy ? store::Way::copy
                                                                            : store::Way::clone_or_copy);
    while (true) {
        ZCDP_TRY(const auto entry, manifest.next());
        if (!entry) break;
        if (stop.stop_requested()) return stopped(options.dest);
        ZCDP_CHECK(dest->place(*entry, {}));
        ++progress.files_placed;
    }
    if (manifest.id().str() != report.snapshot)
        return Error(ErrorKind::corrupt, "its manifest is of another snapshot", report.path);
    ZCDP_TRY(const auto removed, dest->finish(options.delete_extra));
    report.removed = removed.files, report.bytes_removed = removed.bytes;
    report.path = dest->path();
    return {};
}

class WithoutStore {
  public:
    WithoutStore(const SyncOptions& options, const origin::OriginFactory& factory, Machine machine, Progress& progress,
                 const std::stop_token& stop)
        : options_(options), factory_(factory), machine_(machine), progress_(progress), stop_(stop) {}
    Result<SyncReport> run();

  private:
    Result<> place_new_files(Listed& missing);
    Result<> expect_room(uint64_t bytes) const;
    Result<Listed> missing_of(const Listed& listed);
    Result<> fetch(const Listed& listed);
    Error of_dest(Error error) const;
    Result<> place(const Listed& listed);
    Result<bool> here_already(const origin::Entry& entry, StateWalker& earlier);

    const SyncOptions& options_;
    const origin::OriginFactory& factory_;
    Machine machine_;
    Progress& progress_;
    const std::stop_token& stop_;
    SyncReport report_;
    std::unique_ptr<Dest> dest_;
    std::string scratch_;  ///< folder for lists
    std::unique_ptr<store::Store> private_;
    std::optional<store::SnapshotInfo> fetched_;
};

Result<bool> WithoutStore::here_already(const origin::Entry& entry, StateWalker& earlier) {
    const DestRecord* record = earlier.find(entry.path);
    if (!record || record->tag.empty() || record->tag != entry.tag || record->entry.size_bytes != entry.size_bytes ||
        record->entry.executable != entry.executable)
        return false;
    return dest_->intact(*record);
}

/// The part of the listing that is not in DEST yet. Folders and symlinks need no bytes.
Result<Listed> WithoutStore::missing_of(const Listed& listed) {
    Listed missing;
    missing.identity = listed.identity;
    missing.revision = listed.revision;
    ZCDP_TRY(missing.list.file, open_scratch(machine_.fs, scratch_, machine_.random));
    SpoolWriter spool(machine_.fs, missing.list.file.get());
    ZCDP_TRY(auto state, dest_->earlier());
    StateWalker earlier(std::move(state));
    SpoolReader reader = listed.list.read(machine_.fs);
    for (SpoolEntry record;;) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) break;
        if (stop_.stop_requested()) return stopped(options_.source);
        if (record.entry.kind != origin::EntryKind::file) continue;
        ZCDP_TRY(const bool here, here_already(record.entry, earlier));
        if (here) {
            ++report_.objects_reused, report_.bytes_reused += record.entry.size_bytes;
            continue;
        }
        ++missing.files, missing.bytes += record.entry.size_bytes;
        ZCDP_CHECK(spool.add(record));
    }
    ZCDP_CHECK(spool.finish());
    missing.list.count = spool.count();
    return missing;
}

/// Most of what is missing, where the origin can give it so: only what it leaves is left in `missing`. What is there
/// when it fails stays.
Result<> WithoutStore::place_new_files(Listed& missing) {
    if (missing.files == 0 || !missing.identity.tags_are_digests) return {};
    ZCDP_CHECK(expect_room(missing.bytes));
    auto placed = sync::place_new_files(missing, *dest_, factory_, scratch_, machine_, progress_, stop_);
    auto ended = dest_->end_new();
    if (!placed) return std::move(placed).error();
    report_.objects_fetched += missing.files - placed->files, report_.bytes_fetched += missing.bytes - placed->bytes;
    missing = std::move(*placed);
    return ended;
}

/// What an interrupted run has begun has its room already.
Result<> WithoutStore::expect_room(uint64_t bytes) const {
    if (machine_.fs.stat(dest_->own_folder(), "store")) return {};
    const auto space = machine_.fs.space(dest_->own_folder());
    if (!space || space->free_bytes >= bytes) return {};
    return Error(ErrorKind::no_space,
                 fmt::format("needs {}, and {} are free", format_size(bytes), format_size(space->free_bytes)),
                 dest_->path(), "make room on its disk, or choose another DEST");
}

/// The private store is nobody's business: what has no room is DEST.
Error WithoutStore::of_dest(Error error) const {
    if (error.kind() != ErrorKind::no_space || error.object() != private_->root()) return error;
    return Error(ErrorKind::no_space, error.what(), dest_->path(), "make room on its disk, or choose another DEST");
}

Result<> WithoutStore::fetch(const Listed& listed) {
    ZCDP_TRY(Listed missing, missing_of(listed));
    if (options_.dry_run) {
        report_.objects_fetched = missing.files, report_.bytes_fetched = missing.bytes;
        return {};
    }
    ZCDP_CHECK(place_new_files(missing));
    if (missing.files == 0) return {};
    store::StoreOptions store_options;
    store_options.root = dest_->own_path() + "/store";
    store_options.holder = "zcdp sync --no-store";
    // A tree that an interrupted run left has given files away: it is made again from what is in the CAS.
    if (auto gone = remove_tree(machine_.fs, dest_->own_folder(), "store/snapshots"); !gone)
        return system_error(gone.error(), "sweeping", store_options.root + "/snapshots");
    ZCDP_CHECK(dest_->check_in_place());
    ZCDP_TRY(private_, store::Store::open(store_options, machine_.fs, machine_.clock, machine_.random, machine_.log,
                                          machine_.metrics));
    ZCDP_CHECK(dest_->check_in_place());
    StoreRun into_private(options_, parts_of(*private_), factory_, machine_, progress_, stop_);
    if (auto done = into_private.fetch_and_build(missing, false); !done) return of_dest(std::move(done).error());
    const SyncReport& done = into_private.report();
    report_.objects_fetched += done.objects_fetched, report_.bytes_fetched += done.bytes_fetched;
    report_.objects_reused += done.objects_reused, report_.bytes_reused += done.bytes_reused;
    ZCDP_TRY(fetched_, private_->find(done.snapshot));
    return {};
}

/// Everything that was listed, in order: from the private store's tree, or where it is already. The manifest of the
/// whole is written along, for its id.
Result<> WithoutStore::place(const Listed& listed) {
    progress_.phase = Phase::placing;
    progress_.files_to_place = listed.list.count, progress_.bytes_to_place = listed.bytes;
    progress_.files_placed = 0, progress_.bytes_placed = 0;
    dest_->report_to(progress_);
    ZCDP_TRY(const Fd scratch, open_scratch(machine_.fs, scratch_, machine_.random));
    const auto manifest = store::ManifestWriter::create(machine_.fs, scratch.get());
    ZCDP_TRY(auto state, dest_->earlier());
    StateWalker earlier(std::move(state));
    std::unique_ptr<store::ManifestReader> fresh;
    std::optional<store::ManifestEntry> next_fresh;
    if (fetched_) {
        ZCDP_TRY(fresh, private_->manifest(fetched_->id));
        ZCDP_TRY(next_fresh, fresh->next());
        ZCDP_TRY(Fd tree, open_folder(machine_.fs, fetched_->tree_path));
        ZCDP_TRY(Fd cas, open_folder(machine_.fs, private_->root() + "/cas"));
        dest_->move_from(std::move(tree), std::move(cas));
    }
    SpoolReader reader = listed.list.read(machine_.fs);
    for (SpoolEntry record;; ++progress_.files_placed) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) break;
        if (stop_.stop_requested()) return stopped(options_.source);
        store::ManifestEntry entry;
        if (next_fresh && next_fresh->path == record.entry.path) {
            entry = std::move(*next_fresh);
            ZCDP_TRY(next_fresh, fresh->next());
        } else if (record.entry.kind == origin::EntryKind::file) {
            const DestRecord* before = earlier.find(record.entry.path);
            if (!before) return Error(ErrorKind::failed, "is neither fetched nor there", record.entry.path);
            entry = before->entry;
        } else {
            entry.path = record.entry.path;
            entry.kind = file_kind(record.entry.kind);
            entry.symlink_target = record.entry.symlink_target;
        }
        ZCDP_CHECK(manifest->add(entry));
        ZCDP_CHECK(dest_->place(entry, record.entry.tag));
    }
    ZCDP_TRY(const auto id, manifest->finish());
    report_.snapshot = id.str();
    return {};
}

Result<SyncReport> WithoutStore::run() {
    Fs& fs = machine_.fs;
    ZCDP_TRY(dest_, options_.dry_run ? Dest::look(options_.dest, fs, machine_.clock, machine_.random)
                                     : Dest::open(options_.dest, fs, machine_.clock, machine_.random,
                                                  lock_wait(options_, stop_, machine_.log)));
    scratch_ = options_.dry_run ? std::filesystem::temp_directory_path().string() : dest_->own_path();
    for (int listings = 1;; ++listings) {
        report_ = {};
        ZCDP_TRY(const Listed listed,
                 list_origin(options_, factory_, machine_.fs, machine_.random, scratch_, progress_, stop_));
        report_.revision = listed.revision;
        report_.objects = listed.files, report_.bytes = listed.bytes;
        report_.skipped = listed.refused, report_.skipped_keys = listed.refused_keys;
        report_.dry_run = options_.dry_run;
        const auto done = fetch(listed);
        if (done) {
            // The source is not read any more: what goes wrong from here on is no change of it.
            ZCDP_CHECK(options_.dry_run ? count_removals(options_, listed, machine_, report_) : place(listed));
            break;
        }
        if (!changed_since_listing(done.error())) return done.error();
        if (listings == kListings) return changes_too_often(done.error());
        private_.reset();
    }
    report_.path = dest_->path();
    if (options_.dry_run) return std::move(report_);
    private_.reset();
    if (auto gone = remove_tree(machine_.fs, dest_->own_folder(), "store"); !gone)
        return system_error(gone.error(), "removing the private store", dest_->own_path() + "/store");
    ZCDP_TRY(const auto removed, dest_->finish(options_.delete_extra));
    report_.removed = removed.files, report_.bytes_removed = removed.bytes;
    return std::move(report_);
}

}  // namespace

Result<SyncReport> run_without_store(const SyncOptions& options, const origin::OriginFactory& factory, Machine machine,
                                     Progress& progress, const std::stop_token& stop) {
    return WithoutStore(options, factory, machine, progress, stop).run();
}

Result<> forget_private_store(const std::string& dest, Machine machine) {
    std::string path = std::filesystem::absolute(dest).lexically_normal().string();
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    for (const std::string& own_path : {path + "/.zcdp", place_beside(path) + "/.zcdp"}) {
        const auto own = machine.fs.open(AT_FDCWD, own_path.c_str(), O_RDONLY | O_DIRECTORY);
        if (!own || !machine.fs.stat(own->get(), "store")) continue;
        store::StoreOptions options;
        options.root = own_path + "/store";
        options.holder = "zcdp sync";
        options.lock_timeout_ms = 0;
        const auto held =
            store::Store::open(options, machine.fs, machine.clock, machine.random, machine.log, machine.metrics);
        if (!held) continue;
        if (auto gone = remove_tree(machine.fs, own->get(), "store"); !gone)
            return system_error(gone.error(), "removing the private store", options.root);
    }
    return {};
}

Result<> place_snapshot(const SyncOptions& options, store::Snapshots& snapshots, const Listed& listed, Machine machine,
                        SyncReport& report, Progress& progress, const std::stop_token& stop) {
    if (options.dry_run) return count_removals(options, listed, machine, report);
    const auto id = store::SnapshotId::parse(report.snapshot);
    if (!id) return Error(ErrorKind::failed, "has no snapshot to place", options.dest);
    progress.files_to_place = listed.list.count, progress.bytes_to_place = listed.bytes;
    ZCDP_TRY(const auto manifest, snapshots.manifest(*id));
    return place_tree(options, *manifest, machine, report, progress, stop);
}

Result<> place_ready_tree(const SyncOptions& options, Machine machine, SyncReport& report, Progress& progress,
                          std::stop_token stop) {
    const std::filesystem::path tree(report.path);
    const std::string root = tree.parent_path().parent_path().parent_path().string();
    if (root.empty() || !store::SnapshotId::parse(report.snapshot))
        return Error(ErrorKind::usage, "is no tree of a store", report.path);
    ZCDP_CHECK(check_apart(machine.fs, {"", options.dest, root, false}));
    ZCDP_CHECK(forget_private_store(options.dest, machine));
    const std::string name = (tree.parent_path() / "manifest.zst").string();
    auto file = machine.fs.open(AT_FDCWD, name.c_str(), O_RDONLY);
    if (!file) return system_error(file.error(), "opening", name);
    progress.files_to_place = report.objects, progress.bytes_to_place = report.bytes;
    return place_tree(options, *store::ManifestReader::create(machine.fs, file->get()), machine, report, progress,
                      stop);
}

Result<> count_removals(const SyncOptions& options, const origin::OriginFactory& origin, Machine machine,
                        SyncReport& report, Progress& progress, std::stop_token stop) {
    const std::string scratch = std::filesystem::temp_directory_path().string();
    ZCDP_TRY(const Listed listed, list_origin(options, origin, machine.fs, machine.random, scratch, progress, stop));
    if (listed.revision != report.revision)
        return Error(ErrorKind::source_changed, "changed between two listings", options.source,
                     "run the same command again");
    return count_removals(options, listed, machine, report);
}

}  // namespace zcdp::sync
