// One entry of a DEST: made under a temporary name, by reflink, copy, hard link or move.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "src/sync/place/dest.hpp"
#include "src/sync/place/direct_copy.hpp"
#include "zcdp/store/blob_name.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kCopyBytes = 1 << 20;
constexpr uint64_t kCopyRangeBytes = 64 << 20;  ///< between two looks at how far it is

/// Answers by which a file system says that it has no such call, or not between these two files.
bool cannot(const boost::system::error_code& code) {
    const int number = code.value();
    return number == EOPNOTSUPP || number == EXDEV || number == EINVAL || number == ENOTTY || number == ENOSYS;
}

}  // namespace

Result<Dest::Item> Dest::make(const store::ManifestEntry& entry, const std::string& tag) {
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
    if (transfer_ == Transfer::link || transfer_ == Transfer::move) {
        ZCDP_TRY(const bool done, link_or_move(entry, item));
        if (done) {
            count_placed(entry.size_bytes);
            return note_stat(item);
        }
    }
    auto from = fs_.open(tree_.get(), entry.path.c_str(), O_RDONLY);
    if (!from) return system_error(from.error(), "opening in the store", entry.path);
    auto to = fs_.open(tmp_.get(), item.temporary.c_str(), O_RDWR | O_CREAT | O_EXCL, entry.executable ? 0777 : 0666);
    if (!to) return error(to.error(), "making", entry.path);
    ZCDP_CHECK(copy_content(from->get(), to->get(), entry, item.temporary));
    item.file = std::move(*to);
    return note_stat(item);
}

/// A link, or the file itself; false when it has to be copied all the same.
Result<bool> Dest::link_or_move(const store::ManifestEntry& entry, Item& item) {
    if (transfer_ == Transfer::link) {
        auto linked = fs_.link(tree_.get(), entry.path.c_str(), tmp_.get(), item.temporary.c_str());
        if (linked) return true;
        if (linked.error().value() == EMLINK) return false;
        if (linked.error().value() == EXDEV)
            return Error(ErrorKind::usage, "is on another file system than the store, hard links cannot reach it",
                         real_path_, "use --as copy, or a --store on the same one");
        return error(linked.error(), "linking", entry.path);
    }
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

Result<> Dest::copy_content(int from, int to, const store::ManifestEntry& entry, const std::string& temporary) {
    const uint64_t size_bytes = entry.size_bytes;
    if (size_bytes == 0) return {};
    if (can_clone_) {
        auto cloned = fs_.clone(from, to);
        if (cloned) {
            count_placed(size_bytes);
            return {};
        }
        if (!cannot(cloned.error())) return error(cloned.error(), "cloning into", entry.path);
        can_clone_ = false;
    }
    if (size_bytes >= kDirectCopyBytesMin) {
        const std::string shown = real_path_ + "/" + entry.path;
        ZCDP_TRY(const bool copied,
                 copy_direct(fs_, {tree_.get(), entry.path, entry.path}, {tmp_.get(), temporary, shown}, size_bytes,
                             [this](uint64_t bytes) { count_placed(bytes); }));
        if (copied) return {};
    }
    uint64_t done = 0;
    while (can_copy_range_ && done < size_bytes) {
        auto copied = fs_.copy(from, to, done, std::min(kCopyRangeBytes, size_bytes - done));
        if (!copied && !cannot(copied.error())) return error(copied.error(), "copying into", entry.path);
        can_copy_range_ = copied.has_value();
        if (!copied || *copied == 0) break;
        done += *copied;
        count_placed(*copied);
    }
    std::vector<std::byte> buffer;
    while (done < size_bytes) {
        buffer.resize(kCopyBytes);
        const auto got =
            fs_.read(from, std::span(buffer).first(std::min<uint64_t>(kCopyBytes, size_bytes - done)), done);
        if (!got) return system_error(got.error(), "reading from the store", entry.path);
        if (*got == 0)
            return Error(ErrorKind::corrupt, "a file of the store is shorter than it should be", entry.path,
                         "run: zcdp store verify");
        if (auto put = fs_.write(to, std::span(buffer).first(*got), done); !put)
            return error(put.error(), "writing", entry.path);
        done += *got;
        count_placed(*got);
    }
    return {};
}

Result<> Dest::note_stat(Item& item) {
    const auto st = item.file ? fs_.stat_fd(item.file.get()) : fs_.stat(tmp_.get(), item.temporary.c_str());
    if (!st) return error(st.error(), "looking at", item.record.entry.path);
    item.record.mtime_ns = int64_t{st->st_mtim.tv_sec} * 1'000'000'000 + st->st_mtim.tv_nsec;
    item.record.inode = st->st_ino;
    return {};
}

}  // namespace zcdp::sync
