// One entry of a DEST: made under a temporary name, by whatever way the files come.
#include <fcntl.h>
#include <fmt/format.h>

#include "src/sync/place/dest.hpp"
#include "zcdp/store/blob_name.hpp"

namespace zcdp::sync {

Result<Dest::Item> Dest::make(const store::ManifestEntry& entry, const Tag& tag) {
    Item item;
    item.record.entry = entry;
    item.record.tag = tag;
    ZCDP_TRY(item.folder, folders_->of(entry.path, true));
    if (entry.kind == store::FileKind::directory) return item;
    item.temporary = fmt::format("{:x}", temporaries_++);
    if (entry.kind == store::FileKind::symlink) {
        if (auto made = fs_.symlink(entry.symlink_target.c_str(), tmp_.get(), item.temporary.c_str()); !made)
            return error(made.error(), "making a symlink for", entry.path);
        return item;
    }
    ZCDP_CHECK(make_file(entry, item));
    return item;
}

Result<> Dest::make_file(const store::ManifestEntry& entry, Item& item) {
    if (!tree_)
        return Error(ErrorKind::failed, "was changed by somebody else while zcdp was at work",
                     real_path_ + "/" + entry.path, "run the sync again");
    if (cas_) {
        ZCDP_TRY(const bool moved, move(entry, item));
        if (moved) {
            count_placed(entry.size_bytes);
            return note_stat(item);
        }
    }
    auto made = materialiser_->make(entry, item.temporary);
    if (!made && made.error().kind() == ErrorKind::usage)
        return std::move(made).error().advise("use --as copy, or a --store on the same one");
    if (!made) return std::move(made).error();
    item.file = std::move(*made);
    return note_stat(item);
}

/// The store's file itself; false when it has to be copied all the same.
Result<bool> Dest::move(const store::ManifestEntry& entry, Item& item) {
    // The store's own link and the tree's are two: a content that is in the tree more than once is copied but for the
    // last.
    const auto st = fs_.stat(tree_.get(), entry.path.c_str());
    if (!st || st->st_nlink > 2) return false;
    if (auto moved = fs_.rename(tree_.get(), entry.path.c_str(), tmp_.get(), item.temporary.c_str()); !moved)
        return error(moved.error(), "moving into place", entry.path);
    // From now on the user may write to it: the store, which an interrupted run comes back to, must not hold it any
    // more.
    const std::string blob = store::blob_name(entry.digest, entry.executable);
    if (auto gone = fs_.unlink(cas_.get(), blob.c_str()); !gone)
        return error(gone.error(), "taking out of the private store", entry.path);
    auto file = fs_.open(tmp_.get(), item.temporary.c_str(), O_RDONLY);
    if (!file) return error(file.error(), "opening", entry.path);
    if (auto mode = fs_.chmod_fd(file->get(), entry.executable ? 0755 : 0644); !mode)
        return error(mode.error(), "setting the mode of", entry.path);
    if (auto times = fs_.set_times(file->get(), clock_.unix_s()); !times)
        return error(times.error(), "setting the times of", entry.path);
    return true;
}

Result<> Dest::note_stat(Item& item) {
    const auto st = item.file ? fs_.stat_fd(item.file.get()) : fs_.stat(tmp_.get(), item.temporary.c_str());
    if (!st) return error(st.error(), "looking at", item.record.entry.path);
    item.record.mtime_ns = int64_t{st->st_mtim.tv_sec} * 1'000'000'000 + st->st_mtim.tv_nsec;
    item.record.inode = st->st_ino;
    return {};
}

}  // namespace zcdp::sync
