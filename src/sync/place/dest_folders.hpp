// Walks the folders of a DEST in path order and keeps those on the way to the present one open. Nothing is ever opened
// through a symlink, so nothing can be written outside DEST. Thread rule: one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::sync {

class DestFolders {
  public:
    /// `dest` is DEST's own descriptor; `name` is what messages call it.
    DestFolders(Fs& fs, int dest, std::string name) : fs_(fs), dest_(dest), name_(std::move(name)) {}

    /// The folder that `path` (a file's, or a folder's with its '/') lies in or is; made if it is missing and `create`,
    /// else null. Errors: refused, when a symlink or a file is in the way.
    Result<std::shared_ptr<Fd>> of(std::string_view path, bool create);

  private:
    struct Level {
        std::string path;  ///< with its '/'
        std::shared_ptr<Fd> fd;
    };
    Result<std::shared_ptr<Fd>> enter(int parent, const std::string& component, const std::string& path, bool create);
    Fs& fs_;
    int dest_;
    std::string name_;
    std::shared_ptr<Fd> top_;
    std::vector<Level> open_;
};

}  // namespace zcdp::sync
