// A snapshot in the making: hard links into the CAS under staging/, then one rename to snapshots/ID.
#include <fcntl.h>

#include <cerrno>
#include <unordered_map>

#include "src/store/core.hpp"

namespace zcdp::store {
namespace {

constexpr size_t kFoldersOneByOne = 4096;  ///< beyond it, the whole file system is synced at once

class Builder final : public SnapshotBuilder {
  public:
    Builder(Core& core, std::string name) : core_(core), name_(std::move(name)) {}
    ~Builder() override {
        if (!name_.empty()) (void)remove_tree(core_.fs, core_.staging.get(), name_);
    }
    Result<> begin();
    Result<> add(const ManifestEntry& entry) override;
    Result<SnapshotInfo> commit(const std::string& name, const Revision& revision) override;

  private:
    struct Level {
        std::string path;  ///< with its '/'
        Fd fd;
    };
    Result<int> folder_of(const std::string& path);
    Result<> link_file(int folder, const char* name, const ManifestEntry& entry);
    Result<> make_twin(const ManifestEntry& entry, const std::string& source, const std::string& twin);
    Result<> make_durable();
    Result<> sync(const std::string& path);
    Result<> promote(const SnapshotId& id, bool damaged);
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& path) const {
        return core_.error(code, action, "staging/" + name_ + "/" + path);
    }

    Core& core_;
    std::string name_;  ///< below staging/; empty once promoted
    Fd dir_, tree_, manifest_file_;
    std::unique_ptr<ManifestWriter> manifest_;
    std::vector<Level> open_;
    std::vector<std::string> folders_;
    bool too_many_folders_ = false;
    std::unordered_map<std::string, unsigned> full_;  ///< blobs at their link limit: the inode in use
};

Result<> Builder::begin() {
    if (auto made = core_.fs.mkdir(core_.staging.get(), name_.c_str(), 0755); !made)
        return error(made.error(), "making", "");
    auto dir = core_.fs.open(core_.staging.get(), name_.c_str(), O_RDONLY | O_DIRECTORY);
    if (!dir) return error(dir.error(), "opening", "");
    dir_ = std::move(*dir);
    if (auto made = core_.fs.mkdir(dir_.get(), "tree", 0755); !made) return error(made.error(), "making", "tree");
    auto tree = core_.fs.open(dir_.get(), "tree", O_RDONLY | O_DIRECTORY);
    if (!tree) return error(tree.error(), "opening", "tree");
    tree_ = std::move(*tree);
    auto file = core_.fs.open(dir_.get(), "manifest.zst", O_RDWR | O_CREAT | O_EXCL, 0644);
    if (!file) return error(file.error(), "making", "manifest.zst");
    manifest_file_ = std::move(*file);
    manifest_ = ManifestWriter::create(core_.fs, manifest_file_.get());
    return {};
}

/// The open folder that `path` lies in (or is, with its '/'); entries come in order, so each is made once.
Result<int> Builder::folder_of(const std::string& path) {
    const size_t last = path.rfind('/');
    const std::string_view folder = last == path.npos ? std::string_view() : std::string_view(path).substr(0, last + 1);
    while (!open_.empty() && !folder.starts_with(open_.back().path)) open_.pop_back();
    while ((open_.empty() ? 0 : open_.back().path.size()) < folder.size()) {
        const size_t begin = open_.empty() ? 0 : open_.back().path.size();
        const size_t end = folder.find('/', begin);
        const std::string part(folder.substr(begin, end - begin)), whole(folder.substr(0, end + 1));
        const int parent = open_.empty() ? tree_.get() : open_.back().fd.get();
        if (auto made = core_.fs.mkdir(parent, part.c_str(), 0755); !made && made.error().value() != EEXIST)
            return error(made.error(), "making the folder", "tree/" + whole);
        auto fd = core_.fs.open(parent, part.c_str(), O_RDONLY | O_DIRECTORY);
        if (!fd) return error(fd.error(), "opening the folder", "tree/" + whole);
        if (folders_.size() < kFoldersOneByOne) folders_.push_back(whole);
        else too_many_folders_ = true;
        open_.push_back({whole, std::move(*fd)});
    }
    return open_.empty() ? tree_.get() : open_.back().fd.get();
}

/// A copy of a blob as a file of its own: the executable twin, or the next inode at a link limit.
Result<> Builder::make_twin(const ManifestEntry& entry, const std::string& source, const std::string& twin) {
    auto from = core_.fs.open(core_.cas.get(), source.c_str(), O_RDONLY);
    if (!from) return core_.error(from.error(), "opening", "cas/" + source);
    const std::string temporary = "in-" + core_.random.hex(24);
    auto to = core_.fs.open(core_.partial.get(), temporary.c_str(), O_RDWR | O_CREAT | O_EXCL, 0644);
    if (!to) return core_.error(to.error(), "making", "partial/" + temporary);
    std::vector<std::byte> buffer(1 << 20);
    for (uint64_t done = 0; done < entry.size_bytes;) {
        const auto got = core_.fs.read(from->get(), buffer, done);
        if (!got || *got == 0)
            return Error(ErrorKind::corrupt, "cannot be read to its end", core_.root + "/cas/" + source,
                         "run: zcdp store verify");
        if (auto put = core_.fs.write(to->get(), std::span(buffer).first(*got), done); !put)
            return core_.error(put.error(), "writing", "partial/" + temporary);
        done += *got;
    }
    if (auto mode = core_.fs.chmod_fd(to->get(), blob_mode(entry.executable)); !mode)
        return core_.error(mode.error(), "setting the mode of", "partial/" + temporary);
    if (auto times = core_.fs.set_times(to->get(), kFixedMtime); !times)
        return core_.error(times.error(), "setting the times of", "partial/" + temporary);
    if (auto synced = core_.fs.fsync(to->get()); !synced)
        return core_.error(synced.error(), "making durable", "partial/" + temporary);
    if (auto moved = core_.fs.rename_new(core_.partial.get(), temporary.c_str(), core_.cas.get(), twin.c_str());
        !moved) {
        (void)core_.fs.unlink(core_.partial.get(), temporary.c_str());
        if (moved.error().value() != EEXIST) return core_.error(moved.error(), "renaming to", "cas/" + twin);
    }
    return {};
}

Result<> Builder::link_file(int folder, const char* name, const ManifestEntry& entry) {
    const std::string base = blob_name(entry.digest, entry.executable);
    unsigned inode = 0;
    if (const auto full = full_.find(base); full != full_.end()) inode = full->second;
    while (true) {
        const std::string blob = blob_name(entry.digest, entry.executable, inode);
        const auto linked = core_.fs.link(core_.cas.get(), blob.c_str(), folder, name);
        if (linked) return {};
        if (linked.error().value() == EMLINK) {
            full_[base] = ++inode;
            continue;
        }
        if (linked.error().value() != ENOENT) return error(linked.error(), "linking", "tree/" + entry.path);
        // Not there: the next inode of a blob at its limit, or the twin with the other mode.
        const std::string source = inode > 0 ? base : blob_name(entry.digest, !entry.executable);
        if (!core_.fs.stat(core_.cas.get(), source.c_str()))
            return Error(ErrorKind::corrupt, "has no content in the store", entry.path, "run the sync again");
        ZCDP_CHECK(make_twin(entry, source, blob));
    }
}

Result<> Builder::add(const ManifestEntry& entry) {
    ManifestEntry full = entry;
    full.chunks.clear();
    if (entry.kind == FileKind::file && entry.digest.kind == DigestKind::sha256tree) {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(auto blob, core_.index->blob(entry.digest));
        if (!blob) return Error(ErrorKind::corrupt, "has no content in the store", entry.path, "run the sync again");
        full.chunks = std::move(blob->chunks);
    }
    ZCDP_CHECK(manifest_->add(full));
    ZCDP_TRY(const int folder, folder_of(entry.path));
    if (entry.kind == FileKind::directory) return {};
    const size_t slash = entry.path.rfind('/');
    const char* name = entry.path.c_str() + (slash == entry.path.npos ? 0 : slash + 1);
    if (entry.kind == FileKind::file) return link_file(folder, name, entry);
    if (auto made = core_.fs.symlink(entry.symlink_target.c_str(), folder, name); !made)
        return error(made.error(), "making the symlink", "tree/" + entry.path);
    return {};
}

Result<> Builder::sync(const std::string& path) {
    auto fd = core_.fs.open(dir_.get(), path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!fd) return error(fd.error(), "opening", path);
    if (auto synced = core_.fs.fsync(fd->get()); !synced) return error(synced.error(), "making durable", path);
    return {};
}

Result<> Builder::make_durable() {
    if (core_.barrier == BarrierKind::syncfs) return commit_all(core_);
    if (core_.barrier == BarrierKind::journal) {
        if (auto synced = core_.fs.wait_writeback(manifest_file_.get()); !synced)
            return error(synced.error(), "making durable", "manifest.zst");
        return commit_all(core_);
    }
    if (too_many_folders_) {
        if (auto synced = core_.fs.sync_fs(dir_.get()); !synced) return error(synced.error(), "making durable", "");
        return {};
    }
    if (auto synced = core_.fs.fsync(manifest_file_.get()); !synced)
        return error(synced.error(), "making durable", "manifest.zst");
    for (const std::string& folder : folders_) ZCDP_CHECK(sync("tree/" + folder));
    ZCDP_CHECK(sync("tree"));
    return sync(".");
}

/// From here on the snapshot is there for everyone; the same one from an earlier sync is as good.
/// A damaged one makes way.
Result<> Builder::promote(const SnapshotId& id, bool damaged) {
    const std::string target = id.str();
    if (damaged) {
        const std::string old = name_ + "-damaged";
        if (auto away = core_.fs.rename(core_.snapshots.get(), target.c_str(), core_.staging.get(), old.c_str()); !away)
            return core_.error(away.error(), "replacing", "snapshots/" + target);
        (void)remove_tree(core_.fs, core_.staging.get(), old);
    }
    auto moved = core_.fs.rename_new(core_.staging.get(), name_.c_str(), core_.snapshots.get(), target.c_str());
    if (!moved && moved.error().value() != EEXIST) return error(moved.error(), "renaming to snapshots/" + target, "");
    if (moved) name_.clear();
    if (auto synced = core_.fs.fsync(core_.snapshots.get()); !synced)
        return core_.error(synced.error(), "making durable", "snapshots");
    return {};
}

Result<SnapshotInfo> Builder::commit(const std::string& name, const Revision& revision) {
    ZCDP_TRY(const SnapshotId id, manifest_->finish());
    open_.clear();
    // An eviction of this very snapshot ends first, and none begins meanwhile.
    const auto alone = core_.snapshot_locks.take(id);
    SnapshotInfo info;
    bool damaged = false;
    {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(const auto before, core_.index->snapshot(id));
        if (before) info = *before;
        damaged = before && before->state == SnapshotState::corrupt;
    }
    const ManifestTotals& totals = manifest_->totals();
    const int64_t now = core_.clock.unix_s();
    if (info.created_unix_s == 0) info.created_unix_s = now;
    info.id = id;
    info.state = SnapshotState::ready;
    info.name = name, info.revision = revision;
    info.files = totals.files, info.directories = totals.directories, info.symlinks = totals.symlinks;
    info.bytes = totals.bytes;
    info.last_use_unix_s = now;
    info.tree_path = tree_path(core_, id);
    const std::string meta = encode_meta({name, revision, info.pinned, info.created_unix_s});
    if (auto put = replace_file(core_.fs, dir_.get(), "meta", meta, 0644); !put)
        return error(put.error(), "writing", "meta");
    ZCDP_CHECK(make_durable());
    ZCDP_CHECK(promote(id, damaged));
    if (!name_.empty()) ZCDP_CHECK(write_meta(core_, info));
    const MutexLock lock(core_.mutex);
    ZCDP_CHECK(core_.index->put_snapshot(info));
    return info;
}

}  // namespace

Result<std::unique_ptr<SnapshotBuilder>> make_builder(Core& core) {
    auto builder = std::make_unique<Builder>(core, "tree-" + core.random.hex(16));
    ZCDP_CHECK(builder->begin());
    return std::unique_ptr<SnapshotBuilder>(std::move(builder));
}

}  // namespace zcdp::store
