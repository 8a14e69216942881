// A whole tree into a directory that is not zcdp's. Files are made in kFillFolder, get their owner and mode there, and
// are renamed into place a batch at a time, once their contents are durable; one syncfs at the end keeps the rest.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <vector>

#include "src/store/digest_file.hpp"
#include "zcdp/base/faults.hpp"
#include "zcdp/base/is_errno.hpp"
#include "zcdp/store/materialise.hpp"
#include "zcdp/store/target.hpp"

namespace zcdp::store {
namespace {

bool same_inode(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

class Fill {
  public:
    Fill(Fs& fs, const ReadyTree& tree, const std::string& target_path, const FillOptions& options)
        : fs_(fs), tree_(tree), target_path_(target_path), options_(options) {}
    ~Fill() {
        if (own_) (void)remove_tree(fs_, dir_.get(), kFillFolder);
    }
    Result<FillReport> run(int target);

  private:
    struct Item {
        Fd file;  ///< to be synced; empty for a symlink or a hard link
        std::string temporary, path;
        std::shared_ptr<Fd> folder;  ///< where it goes
    };

    Result<> begin(int target);
    Result<> open_own_folder();
    Result<> put(const ManifestEntry& entry);
    Result<> make(const ManifestEntry& entry, std::shared_ptr<Fd> folder);
    Result<> keep(const ManifestEntry& entry, int folder, const struct stat& st);
    Result<> keep_symlink(const ManifestEntry& entry, int folder, const struct stat& st);
    Result<> keep_file(const ManifestEntry& entry, int folder, const struct stat& st);
    Result<bool> is_stores(const ManifestEntry& entry, const struct stat& st);
    Result<bool> has_content(const ManifestEntry& entry, int file);
    Result<> give(int dir, const char* name, const struct stat& st, const std::string& path);
    Result<> give_open(int fd, mode_t mode, const std::string& path);
    Result<> set_mode(const ManifestEntry& entry, int file);
    Result<> settle();
    Result<> appear(const Item& item);
    Result<> finish();

    std::string shown(const std::string& path) const { return target_path_ + (path.empty() ? "" : "/" + path); }
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& path) const {
        return target_error(code, action, shown(path));
    }
    Error in_the_way(const std::string& path, const char* what = "is there already, and is not what the tree has") {
        return Error(ErrorKind::refused, what, shown(path), "move it away");
    }

    Fs& fs_;
    const ReadyTree& tree_;
    const std::string& target_path_;
    const FillOptions& options_;
    Fd dir_, own_;
    BarrierKind barrier_ = BarrierKind::each;
    std::optional<TargetFolders> folders_;
    std::unique_ptr<Materialiser> materialiser_;
    std::vector<Item> batch_;
    BatchSize batch_size_;
    uint64_t temporaries_ = 0;
    std::vector<std::byte> buffer_;
    FillReport report_;
};

Result<FillReport> Fill::run(int target) {
    ZCDP_CHECK(begin(target));
    while (true) {
        ZCDP_TRY(const auto entry, tree_.manifest.next());
        if (!entry) break;
        if (options_.stop.stop_requested()) {
            ZCDP_CHECK(settle());
            return Error(ErrorKind::interrupted, "stopped", target_path_, "run the same command again to go on");
        }
        ZCDP_CHECK(put(*entry));
    }
    if (tree_.manifest.id() != tree_.id)
        return Error(ErrorKind::corrupt, "its manifest is of another snapshot", tree_.id.str());
    ZCDP_CHECK(finish());
    return report_;
}

Result<> Fill::begin(int target) {
    if (options_.way == Way::link && options_.ownership)
        return Error(ErrorKind::usage, "hard links have the owner and the modes of the store's files", target_path_,
                     "let the files be copied");
    auto dir = fs_.open(target, ".", O_RDONLY | O_DIRECTORY);
    if (!dir) return error(dir.error(), "opening", "");
    dir_ = std::move(*dir);
    // Where there are no locks, two runs at once spoil each other's temporary files and fail; nothing gets wrong.
    if (::flock(dir_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return Error(ErrorKind::busy, "is being filled by another process", target_path_, "wait for it");
    ZCDP_CHECK(open_own_folder());
    barrier_ = barrier_kind(fs_, own_.get());
    folders_.emplace(fs_, dir_.get(), target_path_, [this](int folder, const std::string& path) -> Result<> {
        return options_.ownership ? give_open(folder, options_.ownership->folder_mode, path) : Result<>();
    });
    materialiser_ = make_materialiser(fs_, {tree_.folder, own_.get(), options_.way, target_path_, options_.placed});
    return {};
}

/// Anew: what an interrupted run left has no name yet, and nobody knows how far it is.
Result<> Fill::open_own_folder() {
    if (auto swept = remove_tree(fs_, dir_.get(), kFillFolder); !swept)
        return error(swept.error(), "sweeping", kFillFolder);
    if (auto made = fs_.mkdir(dir_.get(), kFillFolder, 0700); !made)
        return error(made.error(), "making the folder", kFillFolder);
    auto own = fs_.open_beneath(dir_.get(), kFillFolder, O_RDONLY | O_DIRECTORY);
    if (!own) return error(own.error(), "opening the folder", kFillFolder);
    own_ = std::move(*own);
    return {};
}

Result<> Fill::put(const ManifestEntry& entry) {
    if (entry.path == kFillFolder || entry.path.starts_with(std::string(kFillFolder) + "/"))
        return Error(ErrorKind::refused, "is called as the folder that zcdp fills a directory from", entry.path);
    ZCDP_TRY(auto folder, folders_->of(entry.path, true));
    folders_->made_in().clear();  // sync_fs at the end keeps their names
    if (entry.kind == FileKind::directory) return ++report_.empty_folders, Result<>();
    const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
    const auto there = fs_.stat(folder->get(), name.c_str());
    if (!there && !is_errno(there.error(), ENOENT)) return error(there.error(), "looking at", entry.path);
    ZCDP_CHECK(there ? keep(entry, folder->get(), *there) : make(entry, std::move(folder)));
    if (entry.kind == FileKind::symlink) return ++report_.symlinks, Result<>();
    ++report_.files, report_.bytes += entry.size_bytes;
    return {};
}

Result<> Fill::make(const ManifestEntry& entry, std::shared_ptr<Fd> folder) {
    Item item{{}, fmt::format("{:x}", temporaries_++), entry.path, std::move(folder)};
    if (entry.kind == FileKind::symlink) {
        if (auto made = fs_.symlink(entry.symlink_target.c_str(), own_.get(), item.temporary.c_str()); !made)
            return error(made.error(), "making a symlink for", entry.path);
        const auto st = fs_.stat(own_.get(), item.temporary.c_str());
        if (!st) return error(st.error(), "looking at", entry.path);
        ZCDP_CHECK(give(own_.get(), item.temporary.c_str(), *st, entry.path));
    } else {
        auto made = materialiser_->make(entry, item.temporary);
        if (!made && made.error().kind() == ErrorKind::usage)
            return std::move(made).error().advise("let the files be copied");
        if (!made) return std::move(made).error();
        item.file = std::move(*made);
        if (item.file) ZCDP_CHECK(set_mode(entry, item.file.get()));
    }
    batch_.push_back(std::move(item));
    ++batch_size_.files, batch_size_.bytes += entry.size_bytes;
    return batch_size_.full(fs_) ? settle() : Result<>();
}

/// What is in the entry's place already stays if it is the entry; else it is somebody's, and in the way.
Result<> Fill::keep(const ManifestEntry& entry, int folder, const struct stat& st) {
    return entry.kind == FileKind::symlink ? keep_symlink(entry, folder, st) : keep_file(entry, folder, st);
}

Result<> Fill::keep_symlink(const ManifestEntry& entry, int folder, const struct stat& st) {
    const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
    if (!S_ISLNK(st.st_mode)) return in_the_way(entry.path);
    const auto leads = fs_.readlink(folder, name.c_str());
    if (!leads) return error(leads.error(), "reading", entry.path);
    if (*leads != entry.symlink_target) return in_the_way(entry.path);
    return give(folder, name.c_str(), st, entry.path);
}

Result<> Fill::keep_file(const ManifestEntry& entry, int folder, const struct stat& st) {
    if (!S_ISREG(st.st_mode)) return in_the_way(entry.path);
    ZCDP_TRY(const bool stores, is_stores(entry, st));
    if (stores && options_.way == Way::link) {
        if (options_.placed) options_.placed(entry.size_bytes);
    } else {
        // Whoever has its other name would find another owner and mode there, the store above all.
        if (st.st_nlink != 1) return in_the_way(entry.path, "is there already, under more names than this one");
        const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
        const auto file = fs_.open_beneath(folder, name.c_str(), O_RDONLY | O_NONBLOCK);
        if (!file) return error(file.error(), "opening", entry.path);
        const auto opened = fs_.stat_fd(file->get());
        if (!opened) return error(opened.error(), "looking at", entry.path);
        if (!same_inode(*opened, st)) return in_the_way(entry.path);  // put there this moment
        ZCDP_TRY(const bool same, has_content(entry, file->get()));
        if (!same) return in_the_way(entry.path);
        ZCDP_CHECK(set_mode(entry, file->get()));
    }
    ++report_.kept_files, report_.kept_bytes += entry.size_bytes;
    return {};
}

/// Whether it is the very file that the store's tree has.
Result<bool> Fill::is_stores(const ManifestEntry& entry, const struct stat& st) {
    const auto source = fs_.stat(tree_.folder, entry.path.c_str());
    if (!source) return system_error(source.error(), "looking in the store at", entry.path);
    return same_inode(*source, st);
}

Result<bool> Fill::has_content(const ManifestEntry& entry, int file) {
    const auto st = fs_.stat_fd(file);
    if (!st) return error(st.error(), "looking at", entry.path);
    if (static_cast<uint64_t>(st->st_size) != entry.size_bytes) return false;
    if (faults::broken("fill-digest")) return true;
    auto digest = digest_file(fs_, file, entry.size_bytes, buffer_, options_.placed);
    if (!digest && digest.error().kind() == ErrorKind::corrupt) return false;  // it was cut this moment
    if (!digest) return std::move(digest).error().about(shown(entry.path));
    return *digest == entry.digest;
}

/// The owner and group that were asked for, of what is not opened.
Result<> Fill::give(int dir, const char* name, const struct stat& st, const std::string& path) {
    if (!options_.ownership) return {};
    const uid_t uid = options_.ownership->uid == UINT32_MAX ? st.st_uid : options_.ownership->uid;
    const gid_t gid = options_.ownership->gid == UINT32_MAX ? st.st_gid : options_.ownership->gid;
    if (uid == st.st_uid && gid == st.st_gid) return {};
    if (auto given = fs_.chown(dir, name, uid, gid); !given) return error(given.error(), "giving away", path);
    return {};
}

/// The same of an open file or folder, and its mode: after the owner, who takes setuid and setgid bits along.
Result<> Fill::give_open(int fd, mode_t mode, const std::string& path) {
    const auto before = fs_.stat_fd(fd);
    if (!before) return error(before.error(), "looking at", path);
    ZCDP_CHECK(give(fd, "", *before, path));
    const auto st = fs_.stat_fd(fd);
    if (!st) return error(st.error(), "looking at", path);
    if ((st->st_mode & 07777) == mode) return {};
    if (auto set = fs_.chmod_fd(fd, mode); !set) return error(set.error(), "setting the mode of", path);
    return {};
}

Result<> Fill::set_mode(const ManifestEntry& entry, int file) {
    if (const auto& asked = options_.ownership)
        return give_open(file, entry.executable ? asked->executable_mode : asked->file_mode, entry.path);
    const auto st = fs_.stat_fd(file);
    if (!st) return error(st.error(), "looking at", entry.path);
    const mode_t mode = st->st_mode & 07777;
    if (entry.executable == ((mode & 0100) != 0)) return {};
    const mode_t wanted = entry.executable ? mode | 0100 | ((mode & 0044) >> 2) : mode & ~mode_t{0111};
    if (auto set = fs_.chmod_fd(file, wanted); !set) return error(set.error(), "setting the mode of", entry.path);
    return {};
}

/// The barrier: contents durable, then names.
Result<> Fill::settle() {
    std::vector<NewFile> files;
    for (const Item& item : batch_)
        if (item.file) files.push_back({item.file.get(), item.path});
    ZCDP_CHECK(make_contents_durable(fs_, barrier_, own_.get(), target_path_, files));
    for (const Item& item : batch_) ZCDP_CHECK(appear(item));
    batch_.clear();
    batch_size_ = {};
    return {};
}

Result<> Fill::appear(const Item& item) {
    const std::string name = item.path.substr(item.path.rfind('/') + 1);
    const int folder = item.folder->get();
    auto named = fs_.rename_new(own_.get(), item.temporary.c_str(), folder, name.c_str());
    // A file system that has no such rename, as NFS: then what appeared this moment is seen a little later.
    if (!named &&
        (is_errno(named.error(), EINVAL) || is_errno(named.error(), ENOSYS) || is_errno(named.error(), EOPNOTSUPP))) {
        if (fs_.stat(folder, name.c_str())) return in_the_way(item.path);
        named = fs_.rename(own_.get(), item.temporary.c_str(), folder, name.c_str());
    }
    if (!named && is_errno(named.error(), EEXIST)) return in_the_way(item.path);
    if (!named) return error(named.error(), "renaming into place", item.path);
    return {};
}

Result<> Fill::finish() {
    ZCDP_CHECK(settle());
    own_.reset();
    if (auto swept = remove_tree(fs_, dir_.get(), kFillFolder); !swept)
        return error(swept.error(), "sweeping", kFillFolder);
    if (auto synced = fs_.sync_fs(dir_.get()); !synced) return error(synced.error(), "syncing", "");
    return {};
}

}  // namespace

Result<FillReport> fill(Fs& fs, const ReadyTree& tree, int target, const std::string& target_path,
                        const FillOptions& options) {
    return Fill(fs, tree, target_path, options).run(target);
}

}  // namespace zcdp::store
