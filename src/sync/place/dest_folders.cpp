#include "src/sync/place/dest_folders.hpp"

#include <fcntl.h>

#include <cerrno>

namespace zcdp::sync {
namespace {

bool is(const boost::system::error_code& code, int number) {
    return code.category() == boost::system::system_category() && code.value() == number;
}

}  // namespace

Result<std::shared_ptr<Fd>> DestFolders::enter(int parent, const std::string& component, const std::string& path,
                                               bool create) {
    constexpr int flags = O_RDONLY | O_DIRECTORY;
    auto fd = fs_.open_beneath(parent, component.c_str(), flags);
    if (!fd && is(fd.error(), ENOENT)) {
        if (!create) return std::shared_ptr<Fd>();
        if (auto made = fs_.mkdir(parent, component.c_str(), 0777); !made && !is(made.error(), EEXIST))
            return system_error(made.error(), "making the folder", name_ + "/" + path);
        fd = fs_.open_beneath(parent, component.c_str(), flags);
    }
    if (fd) return std::make_shared<Fd>(std::move(*fd));
    if (is(fd.error(), ELOOP) || is(fd.error(), ENOTDIR) || is(fd.error(), EXDEV)) {
        if (!create) return std::shared_ptr<Fd>();
        return Error(ErrorKind::refused,
                     "is a symlink or a file where a folder has to be; nothing is written through it",
                     name_ + "/" + path, "move it away");
    }
    return system_error(fd.error(), "opening the folder", name_ + "/" + path);
}

Result<std::shared_ptr<Fd>> DestFolders::of(std::string_view path, bool create) {
    const size_t slash = path.rfind('/');
    const std::string_view folder = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
    while (!open_.empty() && !folder.starts_with(open_.back().path)) open_.pop_back();
    if (folder.empty()) {
        if (top_) return top_;
        auto fd = fs_.open(dest_, ".", O_RDONLY | O_DIRECTORY);
        if (!fd) return system_error(fd.error(), "opening", name_);
        return top_ = std::make_shared<Fd>(std::move(*fd));
    }
    size_t begin = open_.empty() ? 0 : open_.back().path.size();
    while (begin < folder.size()) {
        const size_t end = folder.find('/', begin);
        const std::string component(folder.substr(begin, end - begin));
        const std::string whole(folder.substr(0, end + 1));
        const int parent = open_.empty() ? dest_ : open_.back().fd->get();
        ZCDP_TRY(auto fd, enter(parent, component, whole, create));
        if (!fd) return fd;
        open_.push_back({whole, std::move(fd)});
        begin = end + 1;
    }
    return open_.back().fd;
}

}  // namespace zcdp::sync
