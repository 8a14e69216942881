// What an object key must look like to become a path below a dataset's tree (docs/formats.md "Paths").
//
// Keys are never normalised or folded: a key either is a path byte for byte, or it is refused with a reason. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zcdp {

enum class PathProblem {
    none,
    empty,              ///< ""
    absolute,           ///< starts with '/'
    empty_part,         ///< "a//b"
    dot_part,           ///< a component "." or ".."
    nul,                ///< a NUL byte
    control,            ///< a control byte (below 0x20, or 0x7f)
    invalid_utf8,       ///< not UTF-8
    component_long,     ///< a component of more than 255 bytes
    path_long,          ///< more than 4,000 bytes
    file_is_directory,  ///< `a` beside `a/b`: a file cannot also be a directory
    duplicate,          ///< the same path twice
    symlink_escapes,    ///< a symlink whose target is absolute or leaves the tree
};

inline constexpr size_t kComponentBytesMax = 255;
inline constexpr size_t kPathBytesMax = 4000;

/// The problem in words, for example "has a '..' component".
std::string_view describe(PathProblem problem);

/// Checks one relative key; a trailing '/' (a directory marker) is allowed. Only sees this key: `a` beside `a/b` and
/// duplicates are PathOrder's business.
PathProblem check_path(std::string_view key);

/// Checks a symlink's target as seen from `path`: relative, and never above the tree's root on its way.
PathProblem check_symlink(std::string_view path, std::string_view target);

/// Sees the keys of a tree in raw byte order and finds `a` beside `a/b` (also with `a-x` between them, for '-' sorts
/// before '/') and duplicates. Memory: the keys that are prefixes of the last one, at most kPathBytesMax of them, and
/// eight bytes for each that gave way.
class PathOrder {
  public:
    /// The next key, already checked; `none` when it fits. A refused key is not remembered.
    PathProblem next(std::string_view key) { return next(key, 0, false); }
    /// The same for a key that `gives_way` to what lies below it: then it is gone(), by its `id`, and not what is below
    /// refused.
    PathProblem next(std::string_view key, uint64_t id, bool gives_way);
    /// The ids of what gave way so far, in no order, each once.
    const std::vector<uint64_t>& gone() const { return gone_; }

  private:
    struct File {
        std::string path;
        uint64_t id = 0;
        bool gives_way = false, is_gone = false;
    };
    std::vector<File> files_;  ///< of which the last key is a continuation
    std::vector<uint64_t> gone_;
};

}  // namespace zcdp
