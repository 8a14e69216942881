// Opening a DEST, and the batches by which files appear in it. How one file is made: dest_file.cpp.
#include "src/sync/dest.hpp"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <set>

namespace zcdp::sync {
namespace {

// One barrier serves a batch; the bounds keep descriptors and unsynced bytes few.
constexpr size_t kBatchFiles = 4096;  ///< they stay open until the barrier
constexpr size_t kBatchItems = 16384;
constexpr uint64_t kBatchBytes = 256ull << 20;

bool is(const boost::system::error_code& code, int number) {
    return code.category() == boost::system::system_category() && code.value() == number;
}

}  // namespace

Error Dest::error(const boost::system::error_code& code, std::string_view action, const std::string& entry_path) const {
    return system_error(code, action, real_path_ + (entry_path.empty() ? "" : "/" + entry_path));
}

Result<std::unique_ptr<Dest>> Dest::named(const std::string& dest, Fs& fs, Clock& clock, Random& random) {
    std::string path = std::filesystem::absolute(dest).lexically_normal().string();
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (path == "/") return Error(ErrorKind::usage, "cannot be a destination", "/");
    return std::unique_ptr<Dest>(new Dest(std::move(path), fs, clock, random));
}

Result<std::unique_ptr<Dest>> Dest::open(const std::string& dest, Fs& fs, Clock& clock, Random& random) {
    ZCDP_TRY(auto opened, named(dest, fs, clock, random));
    ZCDP_CHECK(opened->open_folder());
    ZCDP_CHECK(opened->open_own_folder());
    ZCDP_CHECK(opened->merge_journal());
    ZCDP_TRY(opened->old_, opened->earlier());
    return opened;
}

Result<std::unique_ptr<Dest>> Dest::look(const std::string& dest, Fs& fs, Clock& clock, Random& random) {
    ZCDP_TRY(auto opened, named(dest, fs, clock, random));
    opened->real_path_ = opened->path_;
    auto dir = fs.open(AT_FDCWD, (opened->path_ + "/.").c_str(), O_RDONLY | O_DIRECTORY);
    if (!dir) return opened;
    opened->dir_ = std::move(*dir);
    opened->folders_.emplace(fs, opened->dir_.get(), opened->real_path_);
    if (auto own = fs.open_beneath(opened->dir_.get(), ".zcdp", O_RDONLY | O_DIRECTORY)) opened->own_ = std::move(*own);
    return opened;
}

/// An existing folder (or a symlink to one, for the user named it), or a new one beside the place where it will appear.
Result<> Dest::open_folder() {
    real_path_ = path_;
    auto dir = fs_.open(AT_FDCWD, (path_ + "/.").c_str(), O_RDONLY | O_DIRECTORY);
    if (!dir && is(dir.error(), ENOENT)) {
        if (fs_.stat(AT_FDCWD, path_.c_str())) return error(dir.error(), "opening the destination", "");
        const size_t slash = path_.rfind('/');
        const std::string parent = path_.substr(0, slash);
        std::error_code made;
        std::filesystem::create_directories(parent + "/", made);
        real_path_ = place_beside(path_);
        appears_ = true;
        if (auto folder = fs_.mkdir(AT_FDCWD, real_path_.c_str(), 0777); !folder && !is(folder.error(), EEXIST))
            return system_error(folder.error(), "making the folder", real_path_);
        dir = fs_.open(AT_FDCWD, real_path_.c_str(), O_RDONLY | O_DIRECTORY);
    }
    if (!dir) return error(dir.error(), "opening the destination", "");
    dir_ = std::move(*dir);
    folders_.emplace(fs_, dir_.get(), real_path_);
    return {};
}

Result<> Dest::open_own_folder() {
    own_path_ = real_path_ + "/.zcdp";
    if (auto made = fs_.mkdir(dir_.get(), ".zcdp", 0700); !made && !is(made.error(), EEXIST))
        return error(made.error(), "making the folder", ".zcdp");
    auto own = fs_.open_beneath(dir_.get(), ".zcdp", O_RDONLY | O_DIRECTORY);
    if (!own) return error(own.error(), "opening the folder", ".zcdp");
    own_ = std::move(*own);
    barrier_ = barrier_kind(fs_, own_.get());
    if (auto swept = remove_tree(fs_, own_.get(), "tmp"); !swept) return error(swept.error(), "sweeping", ".zcdp/tmp");
    if (auto made = fs_.mkdir(own_.get(), "tmp", 0700); !made) return error(made.error(), "making the folder", ".zcdp/tmp");
    auto tmp = fs_.open_beneath(own_.get(), "tmp", O_RDONLY | O_DIRECTORY);
    if (!tmp) return error(tmp.error(), "opening the folder", ".zcdp/tmp");
    tmp_ = std::move(*tmp);
    return {};
}

Result<std::unique_ptr<DestState>> Dest::earlier() const {
    if (!own_) return DestState::none();
    return DestState::open(fs_, own_.get(), own_path_);
}

/// The journal of an interrupted run becomes part of the state, so that this run can begin its own.
Result<> Dest::merge_journal() {
    if (!fs_.stat(own_.get(), "journal")) return {};
    ZCDP_TRY(const auto both, earlier());
    auto file = fs_.open(own_.get(), "state.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!file) return error(file.error(), "making", ".zcdp/state.new");
    DestStateWriter writer(fs_, std::move(*file), own_path_ + "/state.new");
    for (DestRecord record; both->next(record);) ZCDP_CHECK(writer.add(record));
    ZCDP_CHECK(writer.flush(true));
    if (auto named = fs_.rename(own_.get(), "state.new", own_.get(), "state"); !named)
        return error(named.error(), "renaming", ".zcdp/state.new");
    if (auto synced = fs_.fsync(own_.get()); !synced) return error(synced.error(), "syncing", ".zcdp");
    if (auto gone = fs_.unlink(own_.get(), "journal"); !gone) return error(gone.error(), "removing", ".zcdp/journal");
    return {};
}

void Dest::take_from(Fd tree, Transfer transfer, Fd cas) {
    tree_ = std::move(tree);
    cas_ = std::move(cas);
    transfer_ = transfer;
    can_clone_ = transfer == Transfer::clone_or_copy;
}

Result<bool> Dest::intact(const DestRecord& record) {
    if (!folders_) return false;
    const std::string& path = record.entry.path;
    ZCDP_TRY(const auto folder, folders_->of(path, false));
    if (!folder) return false;
    if (record.entry.kind == store::FileKind::directory) return true;
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto st = fs_.stat(folder->get(), name.c_str());
    if (!st || !as_it_was_put(record, *st)) return false;
    if (record.entry.kind != store::FileKind::symlink) return true;
    const auto target = fs_.readlink(folder->get(), name.c_str());
    return target && *target == record.entry.symlink_target;
}

/// Carries records of what the source has no more, up to `path` (all of them for ""), over into the new state.
Result<> Dest::pass_until(const std::string& path) {
    while (true) {
        if (!old_next_ && old_ && !old_->next(old_next_.emplace())) old_next_.reset(), old_.reset();
        if (!old_next_ || (!path.empty() && old_next_->entry.path >= path)) return {};
        old_next_->extra = true;
        ++extras_;
        batch_.push_back({std::move(*old_next_), {}, {}, {}});
        old_next_.reset();
        if (batch_.size() >= kBatchItems) ZCDP_CHECK(settle());
    }
}

Result<bool> Dest::already_here(const DestRecord& old, const store::ManifestEntry& entry) {
    const store::ManifestEntry& was = old.entry;
    if (was.kind != entry.kind || was.executable != entry.executable || was.size_bytes != entry.size_bytes ||
        was.symlink_target != entry.symlink_target || (was.kind == store::FileKind::file && was.digest != entry.digest))
        return false;
    return intact(old);
}

Result<> Dest::place(const store::ManifestEntry& entry, const std::string& tag) {
    if (entry.path == ".zcdp" || entry.path.starts_with(".zcdp/"))
        return Error(ErrorKind::refused, "lies where zcdp keeps its own state of a destination", entry.path,
                     "leave it out with --exclude '/.zcdp/'");
    ZCDP_CHECK(pass_until(entry.path));
    if (old_next_ && old_next_->entry.path == entry.path) {
        DestRecord old = std::move(*old_next_);
        old_next_.reset();
        ZCDP_TRY(const bool here, already_here(old, entry));
        if (here) {
            old.extra = false;
            if (!tag.empty()) old.tag = tag;
            if (old.entry.chunks.empty()) old.entry.chunks = entry.chunks;
            batch_.push_back({std::move(old), {}, {}, {}});
            return batch_.size() < kBatchItems ? Result<>() : settle();
        }
    }
    ZCDP_TRY(Item item, make(entry, tag));
    batch_.push_back(std::move(item));
    ++batch_files_, batch_bytes_ += entry.size_bytes;
    if (batch_files_ < std::min(kBatchFiles, fs_.open_files_max() / 4) && batch_bytes_ < kBatchBytes && batch_.size() < kBatchItems) return {};
    return settle();
}

/// The barrier: contents durable, then names, then folders, then the journal.
Result<> Dest::settle() {
    ZCDP_CHECK(make_contents_durable());
    std::set<std::shared_ptr<Fd>> touched;
    for (Item& item : batch_) {
        item.file.reset();
        if (item.temporary.empty()) continue;
        const std::string& path = item.record.entry.path;
        const std::string name = path.substr(path.rfind('/') + 1);
        if (auto named = fs_.rename(tmp_.get(), item.temporary.c_str(), item.folder->get(), name.c_str()); !named) {
            if (is(named.error(), EISDIR) || is(named.error(), ENOTEMPTY) || is(named.error(), EEXIST))
                return Error(ErrorKind::refused, "is a folder where a file has to be", real_path_ + "/" + path,
                             "move it away");
            return error(named.error(), "renaming into place", path);
        }
        // A second link to the inode that is there already leaves the first name behind (rename(2)).
        if (transfer_ == Transfer::link) (void)fs_.unlink(tmp_.get(), item.temporary.c_str());
        touched.insert(item.folder);
    }
    ZCDP_CHECK(make_names_durable(touched));
    return write_down();
}

Result<> Dest::make_contents_durable() {
    bool any = false;
    const bool journal = barrier_ == BarrierKind::journal;
    // All in a row, and only then the first is waited for: the device is woken up once, not for each.
    for (const Item& item : batch_)
        if (item.file) (void)fs_.start_writeback(item.file.get());
    for (const Item& item : batch_) {
        if (!item.file) continue;
        any = true;
        if (auto synced = journal ? fs_.wait_writeback(item.file.get()) : fs_.fdatasync(item.file.get()); !synced)
            return error(synced.error(), "syncing", item.record.entry.path);
    }
    if (journal && any)
        if (auto synced = commit_journal(fs_, own_.get(), "barrier"); !synced) return error(synced.error(), "syncing", "");
    return {};
}

Result<> Dest::make_names_durable(const std::set<std::shared_ptr<Fd>>& folders) {
    if (barrier_ == BarrierKind::journal && !folders.empty()) {
        if (auto synced = commit_journal(fs_, own_.get(), "barrier"); !synced) return error(synced.error(), "syncing", "");
        return {};
    }
    for (const auto& folder : folders)
        if (auto synced = fs_.fsync(folder->get()); !synced) return error(synced.error(), "syncing a folder", "");
    return {};
}

Result<> Dest::write_down() {
    if (!journal_) {
        auto file = fs_.open(own_.get(), "journal", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (!file) return error(file.error(), "making", ".zcdp/journal");
        journal_.emplace(fs_, std::move(*file), own_path_ + "/journal");
    }
    for (const Item& item : batch_) ZCDP_CHECK(journal_->add(item.record));
    batch_.clear();
    batch_files_ = 0, batch_bytes_ = 0;
    return journal_->flush(false);
}

Result<Dest::Removed> Dest::finish(bool delete_extra) {
    ZCDP_CHECK(pass_until(""));
    ZCDP_CHECK(settle());
    ZCDP_CHECK(journal_->flush(true));
    journal_.reset();
    if (auto named = fs_.rename(own_.get(), "journal", own_.get(), "state"); !named)
        return error(named.error(), "renaming", ".zcdp/journal");
    if (auto synced = fs_.fsync(own_.get()); !synced) return error(synced.error(), "syncing", ".zcdp");
    Removed removed;
    if (delete_extra && extras_ > 0) {
        ZCDP_TRY(removed, remove_extra());
    }
    tmp_.reset();
    for (const char* name : {"tmp", "barrier"}) (void)remove_tree(fs_, own_.get(), name);
    if (appears_) ZCDP_CHECK(appear());
    return removed;
}

/// Whether the entry was removed. What somebody changed since stays, and is theirs from now on.
Result<bool> Dest::remove_one(const DestRecord& record) {
    const std::string& path = record.entry.path;
    ZCDP_TRY(const bool untouched, intact(record));
    if (!untouched) return false;
    std::string name = path;
    if (record.entry.kind != store::FileKind::directory) {
        ZCDP_TRY(const auto folder, folders_->of(path, false));
        name = path.substr(path.rfind('/') + 1);
        if (auto gone = fs_.unlink(folder->get(), name.c_str()); !gone) return error(gone.error(), "removing", path);
    }
    // Folders that are empty now go too, from the inside out.
    for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0; slash = path.rfind('/', slash - 1)) {
        const std::string folder = path.substr(0, slash);
        ZCDP_TRY(const auto parent, folders_->of(folder, false));
        if (!parent || !fs_.rmdir(parent->get(), folder.substr(folder.rfind('/') + 1).c_str())) break;
    }
    return true;
}

Result<Dest::Removed> Dest::remove_extra() {
    ZCDP_TRY(const auto state, earlier());
    auto file = fs_.open(own_.get(), "state.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!file) return error(file.error(), "making", ".zcdp/state.new");
    DestStateWriter writer(fs_, std::move(*file), own_path_ + "/state.new");
    Removed removed;
    for (DestRecord record; state->next(record);) {
        if (!record.extra) {
            ZCDP_CHECK(writer.add(record));
            continue;
        }
        ZCDP_TRY(const bool gone, remove_one(record));
        if (gone) ++removed.files, removed.bytes += record.entry.size_bytes;
    }
    ZCDP_CHECK(writer.flush(true));
    if (auto named = fs_.rename(own_.get(), "state.new", own_.get(), "state"); !named)
        return error(named.error(), "renaming", ".zcdp/state.new");
    if (auto synced = fs_.fsync(own_.get()); !synced) return error(synced.error(), "syncing", ".zcdp");
    return removed;
}

Result<> Dest::appear() {
    if (auto synced = fs_.fsync(dir_.get()); !synced) return error(synced.error(), "syncing", "");
    if (auto named = fs_.rename_new(AT_FDCWD, real_path_.c_str(), AT_FDCWD, path_.c_str()); !named)
        return system_error(named.error(), "renaming " + real_path_ + " into place", path_);
    real_path_ = path_;
    auto parent = fs_.open(AT_FDCWD, (path_.substr(0, path_.rfind('/')) + "/.").c_str(), O_RDONLY | O_DIRECTORY);
    if (!parent) return system_error(parent.error(), "opening the folder of", path_);
    if (auto synced = fs_.fsync(parent->get()); !synced) return system_error(synced.error(), "syncing the folder of", path_);
    return {};
}

}  // namespace zcdp::sync
