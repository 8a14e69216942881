// Opening a DEST, and the batches by which files appear in it. How one file is made: dest_file.cpp.
#include "src/sync/place/dest.hpp"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "src/sync/place/overlap.hpp"
#include "zcdp/base/is_errno.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kBatchItems = 16384;  ///< of one barrier, with those that were there already
constexpr int kTries = 100;            ///< to open a folder that other runs make and rename

}  // namespace

Error Dest::error(const boost::system::error_code& code, std::string_view action, const std::string& entry_path) const {
    return store::target_error(code, action, real_path_ + (entry_path.empty() ? "" : "/" + entry_path));
}

Result<std::unique_ptr<Dest>> Dest::named(const std::string& dest, Fs& fs, Clock& clock, Random& random) {
    std::string path = absolute_path(dest);
    if (path == "/") return Error(ErrorKind::usage, "cannot be a destination", "/");
    auto named = std::unique_ptr<Dest>(new Dest(std::move(path), fs, clock, random));
    const size_t slash = named->path_.rfind('/');
    named->parent_path_ = named->path_.substr(0, slash + 1), named->name_ = named->path_.substr(slash + 1);
    named->real_path_ = named->path_, named->real_name_ = named->name_;
    return named;
}

Result<std::unique_ptr<Dest>> Dest::open(const std::string& dest, Fs& fs, Clock& clock, Random& random,
                                         const LockWait& wait) {
    for (int tries = 0; tries < kTries; ++tries) {
        ZCDP_TRY(auto opened, named(dest, fs, clock, random));
        ZCDP_CHECK(opened->open_parent(true));
        ZCDP_CHECK(opened->open_folder());
        ZCDP_CHECK(opened->open_own_folder());
        ZCDP_TRY(const bool again, opened->outlived_by_another(wait));
        if (again) continue;
        ZCDP_CHECK(opened->check_in_place());  // the wait may have been long
        ZCDP_CHECK(opened->sweep());
        ZCDP_CHECK(opened->merge_journal());
        ZCDP_TRY(opened->old_, opened->earlier());
        return opened;
    }
    return Error(ErrorKind::failed, "is replaced again and again by somebody else", dest);
}

Result<std::unique_ptr<Dest>> Dest::look(const std::string& dest, Fs& fs, Clock& clock, Random& random) {
    ZCDP_TRY(auto opened, named(dest, fs, clock, random));
    if (!opened->open_parent(false)) return opened;
    ZCDP_TRY(auto dir, opened->existing());
    if (!dir) return opened;
    opened->dir_ = std::move(*dir);
    opened->folders_.emplace(fs, opened->dir_.get(), opened->real_path_);
    if (auto own = fs.open_beneath(opened->dir_.get(), ".zcdp", O_RDONLY | O_DIRECTORY)) opened->own_ = std::move(*own);
    return opened;
}

Dest::~Dest() {
    if (own_) lock_.release(fs_, own_.get());
}

Result<> Dest::open_parent(bool make) {
    const std::string itself = parent_path_ + ".";
    auto parent = fs_.open(AT_FDCWD, itself.c_str(), O_PATH | O_DIRECTORY);
    if (!parent && make && is_errno(parent.error(), ENOENT)) {
        std::error_code made;
        std::filesystem::create_directories(parent_path_, made);
        if (made)
            return system_error({made.value(), boost::system::system_category()}, "making the folder", parent_path_);
        parent = fs_.open(AT_FDCWD, itself.c_str(), O_PATH | O_DIRECTORY);
    }
    if (!parent) return error(parent.error(), "opening the folder of the destination", "");
    parent_ = std::move(*parent);
    return {};
}

/// DEST as it is, or where a symlink of its name leads, for the user named it. None: nothing has the name.
Result<std::optional<Fd>> Dest::existing() const {
    auto dir = fs_.open(parent_.get(), (name_ + "/.").c_str(), O_RDONLY | O_DIRECTORY);
    if (dir) return std::optional(std::move(*dir));
    const auto st = fs_.stat(parent_.get(), name_.c_str());
    if (!st && is_errno(st.error(), ENOENT)) return std::optional<Fd>();
    if (st && S_ISLNK(st->st_mode) && (is_errno(dir.error(), ENOENT) || is_errno(dir.error(), ELOOP))) {
        const auto target = fs_.readlink(parent_.get(), name_.c_str());
        return Error(ErrorKind::usage,
                     "the destination is a symlink that leads nowhere" + (target ? ", to " + printable(*target) : ""),
                     path_, "make the folder that it should lead to, or remove it");
    }
    if (is_errno(dir.error(), ENOTDIR))
        return Error(ErrorKind::usage, "the destination is no folder", path_, "name a folder to put the files in");
    return error(dir.error(), "opening the destination", "");
}

/// The folder that is there, or a new one beside the place where it will appear.
Result<> Dest::open_folder() {
    ZCDP_TRY(auto there, existing());
    if (!there) {
        appears_ = true;
        real_name_ = name_beside(name_);
        real_path_ = parent_path_ + real_name_;
        if (auto folder = fs_.mkdir(parent_.get(), real_name_.c_str(), 0777);
            !folder && !is_errno(folder.error(), EEXIST))
            return system_error(folder.error(), "making the folder", real_path_);
        auto made = fs_.open_beneath(parent_.get(), real_name_.c_str(), O_RDONLY | O_DIRECTORY);
        if (!made) return error(made.error(), "opening the folder", "");
        there = std::move(*made);
    }
    dir_ = std::move(*there);
    folders_.emplace(fs_, dir_.get(), real_path_);
    return {};
}

Result<> Dest::open_own_folder() {
    own_path_ = real_path_ + "/.zcdp";
    if (auto made = fs_.mkdir(dir_.get(), ".zcdp", 0700); !made && !is_errno(made.error(), EEXIST))
        return error(made.error(), "making the folder", ".zcdp");
    auto own = fs_.open_beneath(dir_.get(), ".zcdp", O_RDONLY | O_DIRECTORY);
    if (!own) return error(own.error(), "opening the folder", ".zcdp");
    own_ = std::move(*own);
    return {};
}

/// Takes the lock. True: whoever held it has meanwhile made DEST of the folder that was opened here, or taken it away.
Result<bool> Dest::outlived_by_another(const LockWait& wait) {
    ZCDP_TRY(lock_, DestLock::take(fs_, clock_, own_.get(), path_, wait));
    if (lock_.gone()) return true;
    if (!appears_) return false;
    const auto named = fs_.stat(parent_.get(), real_name_.c_str()), open = fs_.stat_fd(dir_.get());
    if (!named || !open || named->st_ino != open->st_ino) return true;
    if (!fs_.stat(parent_.get(), name_.c_str())) return false;
    // DEST is there since: what was begun beside it is of no use.
    if (auto gone = remove_tree(fs_, parent_.get(), real_name_); !gone) return error(gone.error(), "removing", "");
    return true;
}

Result<> Dest::check_in_place() const {
    const auto named = fs_.open(AT_FDCWD, (real_path_ + "/.").c_str(), O_PATH | O_DIRECTORY);
    const auto there = named ? fs_.stat_fd(named->get()) : SysResult<struct stat>(named.error()),
               open = fs_.stat_fd(dir_.get());
    if (there && open && there->st_ino == open->st_ino && there->st_dev == open->st_dev) return {};
    return Error(ErrorKind::failed, "the destination, or a folder around it, was moved or replaced during the sync",
                 path_,
                 "what was written is in the folder that was moved; leave it in its place and run the sync again");
}

/// What an interrupted run left under temporary names.
Result<> Dest::sweep() {
    barrier_ = barrier_kind(fs_, own_.get());
    if (auto swept = remove_tree(fs_, own_.get(), "tmp"); !swept) return error(swept.error(), "sweeping", ".zcdp/tmp");
    if (auto made = fs_.mkdir(own_.get(), "tmp", 0700); !made)
        return error(made.error(), "making the folder", ".zcdp/tmp");
    auto tmp = fs_.open_beneath(own_.get(), "tmp", O_RDONLY | O_DIRECTORY);
    if (!tmp) return error(tmp.error(), "opening the folder", ".zcdp/tmp");
    tmp_ = std::move(*tmp);
    return {};
}

Result<std::unique_ptr<DestState>> Dest::earlier() const {
    if (!own_) return DestState::none();
    return DestState::open(fs_, own_.get(), own_path_);
}

/// state.new, whole and durable, becomes the state.
Result<> Dest::put_new_state() {
    if (auto named = fs_.rename(own_.get(), "state.new", own_.get(), "state"); !named)
        return error(named.error(), "renaming", ".zcdp/state.new");
    if (auto synced = fs_.fsync(own_.get()); !synced) return error(synced.error(), "syncing", ".zcdp");
    return {};
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
    ZCDP_CHECK(put_new_state());
    if (auto gone = fs_.unlink(own_.get(), "journal"); !gone) return error(gone.error(), "removing", ".zcdp/journal");
    return {};
}

void Dest::take_from(Fd tree, store::Way way) {
    tree_ = std::move(tree);
    links_ = way == store::Way::link;
    materialiser_ = store::make_materialiser(
        fs_, {tree_.get(), tmp_.get(), way, real_path_, [this](uint64_t bytes) { count_placed(bytes); }});
}

void Dest::move_from(Fd tree, Fd cas) {
    take_from(std::move(tree), store::Way::copy);
    cas_ = std::move(cas);
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

Result<> Dest::place(const store::ManifestEntry& entry, const Tag& tag) {
    if (is_own(entry.path))
        return Error(ErrorKind::refused, "lies where zcdp keeps its own state of a destination", entry.path,
                     "leave it out with --exclude '/.zcdp/'");
    ZCDP_CHECK(pass_until(entry.path));
    if (old_next_ && old_next_->entry.path == entry.path) {
        DestRecord old = std::move(*old_next_);
        old_next_.reset();
        ZCDP_TRY(const bool here, already_here(old, entry));
        if (here) {
            count_placed(entry.size_bytes);
            old.extra = false;
            if (!tag.empty()) old.tag = tag;
            if (old.entry.chunks.empty()) old.entry.chunks = entry.chunks;
            batch_.push_back({std::move(old), {}, {}, {}});
            return batch_.size() < kBatchItems ? Result<>() : settle();
        }
    }
    ZCDP_TRY(Item item, make(entry, tag));
    batch_.push_back(std::move(item));
    ++batch_made_.files, batch_made_.bytes += entry.size_bytes;
    return is_full() ? settle() : Result<>();
}

bool Dest::is_full() {
    const store::BatchSize held{batch_made_.files + folders_->made_in().size(), batch_made_.bytes};
    return held.full(fs_) || batch_.size() >= kBatchItems;
}

bool Dest::is_own(std::string_view path) { return path == ".zcdp" || path.starts_with(".zcdp/"); }

/// What is in the way, or may not be there, place() says.
Result<std::optional<Dest::Slot>> Dest::new_slot(const std::string& path) {
    if (is_own(path)) return std::optional<Slot>();
    const auto folder = folders_->of(path, true);
    if (!folder) return std::optional<Slot>();
    const std::string name = path.substr(path.rfind('/') + 1);
    // Beside its place, all that is in it is zcdp's to replace.
    if (!appears_)
        if (const auto there = fs_.stat((*folder)->get(), name.c_str()); there || !is_errno(there.error(), ENOENT))
            return std::optional<Slot>();
    return std::optional(Slot{fmt::format("{:x}", temporaries_++), *folder});
}

Result<bool> Dest::add_new(DestRecord record, Slot slot, Fd file) {
    ++batch_made_.files, batch_made_.bytes += record.entry.size_bytes;
    batch_.push_back({std::move(record), std::move(file), std::move(slot.temporary), std::move(slot.folder)});
    return is_full();
}

Result<> Dest::end_new() {
    if (batch_.empty() && !journal_) return {};
    ZCDP_CHECK(settle());
    journal_.reset();
    ZCDP_CHECK(merge_journal());
    ZCDP_TRY(old_, earlier());
    return {};
}

/// The barrier: contents durable, then names, then folders, then the journal.
Result<> Dest::settle() {
    std::vector<store::NewFile> files;
    for (const Item& item : batch_)
        if (item.file) files.push_back({item.file.get(), item.record.entry.path});
    ZCDP_CHECK(store::make_contents_durable(fs_, barrier_, own_.get(), real_path_, files));
    std::set<std::shared_ptr<Fd>> touched(folders_->made_in().begin(), folders_->made_in().end());
    for (Item& item : batch_) {
        item.file.reset();
        if (item.temporary.empty()) continue;
        const std::string& path = item.record.entry.path;
        const std::string name = path.substr(path.rfind('/') + 1);
        if (auto named = fs_.rename(tmp_.get(), item.temporary.c_str(), item.folder->get(), name.c_str()); !named) {
            if (is_errno(named.error(), EISDIR) || is_errno(named.error(), ENOTEMPTY) ||
                is_errno(named.error(), EEXIST))
                return Error(ErrorKind::refused, "is a folder where a file has to be", real_path_ + "/" + path,
                             "move it away");
            return error(named.error(), "renaming into place", path);
        }
        // A second link to the inode that is there already leaves the first name behind (rename(2)).
        if (links_) (void)fs_.unlink(tmp_.get(), item.temporary.c_str());
        touched.insert(item.folder);
    }
    ZCDP_CHECK(make_names_durable(touched));
    return write_down();
}

Result<> Dest::make_names_durable(const std::set<std::shared_ptr<Fd>>& folders) {
    if (barrier_ == BarrierKind::journal && !folders.empty()) {
        if (auto synced = commit_journal(fs_, own_.get(), "barrier"); !synced)
            return error(synced.error(), "syncing", "");
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
    batch_made_ = {};
    folders_->made_in().clear();
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
    ZCDP_CHECK(check_in_place());
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
    ZCDP_CHECK(put_new_state());
    return removed;
}

Result<> Dest::appear() {
    if (auto synced = fs_.fsync(dir_.get()); !synced) return error(synced.error(), "syncing", "");
    if (auto named = fs_.rename_new(parent_.get(), real_name_.c_str(), parent_.get(), name_.c_str()); !named)
        return system_error(named.error(), "renaming " + real_path_ + " into place", path_);
    real_path_ = path_, real_name_ = name_;
    // A folder that may be written to but not read cannot be opened for this: then all of the file system is synced.
    const auto parent = fs_.open(parent_.get(), ".", O_RDONLY | O_DIRECTORY);
    if (auto synced = parent ? fs_.fsync(parent->get()) : fs_.sync_fs(dir_.get()); !synced)
        return system_error(synced.error(), "syncing the folder of", path_);
    return check_in_place();
}

}  // namespace zcdp::sync
