// What is shared by whoever writes into a directory outside the store, a user's DEST or a volume: walking its folders,
// making a batch of new files durable, saying what went wrong there. Nothing is ever opened through a symlink, so
// nothing can be written outside.
//
// Thread rule: one thread. Descriptors that are passed as int are borrowed and stay open meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::store {

/// An Error about `path` in a target. What is missing there is no answer about the source: failed, not not_found.
Error target_error(const boost::system::error_code& code, std::string_view action, const std::string& path);

/// Walks folders in path order and keeps those on the way to the present one open.
class TargetFolders {
  public:
    /// Called once for each folder below the target that the walk enters, made or found; `path` ends in '/'.
    using Entered = std::function<Result<>(int folder, const std::string& path)>;

    /// `target` is the directory's own descriptor; `name` is what messages call it.
    TargetFolders(Fs& fs, int target, std::string name, Entered entered = {})
        : fs_(fs), target_(target), name_(std::move(name)), entered_(std::move(entered)) {}

    /// The folder that `path` (a file's, or a folder's with its '/') lies in or is; made if it is missing and `create`,
    /// else null. Errors: refused, when a symlink or a file is in the way; what `entered` ends with.
    Result<std::shared_ptr<Fd>> of(std::string_view path, bool create);
    /// In which folders one was made since this was cleared: their names are not durable yet.
    std::vector<std::shared_ptr<Fd>>& made_in() { return made_in_; }

  private:
    struct Level {
        std::string path;  ///< with its '/'
        std::shared_ptr<Fd> fd;
    };
    Result<std::shared_ptr<Fd>> top();
    Result<std::shared_ptr<Fd>> enter(const std::shared_ptr<Fd>& parent, const std::string& component,
                                      const std::string& path, bool create);
    Fs& fs_;
    int target_;
    std::string name_;
    Entered entered_;
    std::shared_ptr<Fd> top_;
    std::vector<Level> open_;
    std::vector<std::shared_ptr<Fd>> made_in_;
};

/// How much one barrier serves; the bounds keep descriptors and unsynced bytes few.
struct BatchSize {
    size_t files = 0;  ///< they stay open until the barrier
    uint64_t bytes = 0;
    bool full(Fs& fs) const;
};

struct NewFile {
    int fd;
    const std::string& path;  ///< below the target, for messages
};
/// The contents of new files, before they get their names. `own` is a folder of zcdp's on the target's file system,
/// whose file "barrier" is used where the journal is committed; `target` is what messages call the directory.
Result<> make_contents_durable(Fs& fs, BarrierKind barrier, int own, const std::string& target,
                               std::span<const NewFile> files);

}  // namespace zcdp::store
