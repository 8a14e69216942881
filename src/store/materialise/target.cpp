#include "zcdp/store/target.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "zcdp/base/is_errno.hpp"

namespace zcdp::store {
namespace {

constexpr size_t kBatchFiles = 4096;
constexpr uint64_t kBatchBytes = 256ull << 20;

}  // namespace

Error target_error(const boost::system::error_code& code, std::string_view action, const std::string& path) {
    Error error = system_error(code, action, path);
    if (error.kind() != ErrorKind::not_found) return error;
    return Error(ErrorKind::failed, error.what(), error.object(),
                 "did somebody take it away meanwhile? run the sync again");
}

Result<std::shared_ptr<Fd>> TargetFolders::enter(const std::shared_ptr<Fd>& parent, const std::string& component,
                                                 const std::string& path, bool create) {
    constexpr int flags = O_RDONLY | O_DIRECTORY;
    auto fd = fs_.open_beneath(parent->get(), component.c_str(), flags);
    if (!fd && is_errno(fd.error(), ENOENT)) {
        if (!create) return std::shared_ptr<Fd>();
        if (auto made = fs_.mkdir(parent->get(), component.c_str(), 0777); !made && !is_errno(made.error(), EEXIST))
            return system_error(made.error(), "making the folder", name_ + "/" + path);
        if (made_in_.empty() || made_in_.back() != parent) made_in_.push_back(parent);
        fd = fs_.open_beneath(parent->get(), component.c_str(), flags);
    }
    if (fd) return std::make_shared<Fd>(std::move(*fd));
    if (is_errno(fd.error(), ELOOP) || is_errno(fd.error(), ENOTDIR) || is_errno(fd.error(), EXDEV)) {
        if (!create) return std::shared_ptr<Fd>();
        return Error(ErrorKind::refused,
                     "is a symlink or a file where a folder has to be; nothing is written through it",
                     name_ + "/" + path, "move it away");
    }
    return system_error(fd.error(), "opening the folder", name_ + "/" + path);
}

Result<std::shared_ptr<Fd>> TargetFolders::top() {
    if (top_) return top_;
    auto fd = fs_.open(target_, ".", O_RDONLY | O_DIRECTORY);
    if (!fd) return system_error(fd.error(), "opening", name_);
    return top_ = std::make_shared<Fd>(std::move(*fd));
}

Result<std::shared_ptr<Fd>> TargetFolders::of(std::string_view path, bool create) {
    const size_t slash = path.rfind('/');
    const std::string_view folder = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
    while (!open_.empty() && !folder.starts_with(open_.back().path)) open_.pop_back();
    if (folder.empty()) return top();
    size_t begin = open_.empty() ? 0 : open_.back().path.size();
    while (begin < folder.size()) {
        const size_t end = folder.find('/', begin);
        const std::string component(folder.substr(begin, end - begin));
        const std::string whole(folder.substr(0, end + 1));
        ZCDP_TRY(const auto parent, open_.empty() ? top() : Result<std::shared_ptr<Fd>>(open_.back().fd));
        ZCDP_TRY(auto fd, enter(parent, component, whole, create));
        if (!fd) return fd;
        if (entered_) ZCDP_CHECK(entered_(fd->get(), whole));
        open_.push_back({whole, std::move(fd)});
        begin = end + 1;
    }
    return open_.back().fd;
}

bool BatchSize::full(Fs& fs) const {
    return files >= std::min(kBatchFiles, fs.open_files_max() / 4) || bytes >= kBatchBytes;
}

Result<> make_contents_durable(Fs& fs, BarrierKind barrier, int own, const std::string& target,
                               std::span<const NewFile> files) {
    const bool journal = barrier == BarrierKind::journal;
    // All in a row, and only then the first is waited for: the device is woken up once, not for each.
    for (const NewFile& file : files) (void)fs.start_writeback(file.fd);
    for (const NewFile& file : files)
        if (auto synced = journal ? fs.wait_writeback(file.fd) : fs.fdatasync(file.fd); !synced)
            return target_error(synced.error(), "syncing", target + "/" + file.path);
    if (journal && !files.empty())
        if (auto synced = commit_journal(fs, own, "barrier"); !synced)
            return target_error(synced.error(), "syncing", target);
    return {};
}

}  // namespace zcdp::store
