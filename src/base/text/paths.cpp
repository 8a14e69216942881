// Key -> path (docs/formats.md "Paths"): accept byte for byte, or refuse with a reason.
#include "zcdp/base/paths.hpp"

#include <utility>

#include "zcdp/base/faults.hpp"
#include "zcdp/base/utf8.hpp"

namespace zcdp {
namespace {

PathProblem check_component(std::string_view part) {
    if (part.empty()) return PathProblem::empty_part;
    if (part == "." || part == "..") return faults::broken("dot-parts") ? PathProblem::none : PathProblem::dot_part;
    if (part.size() > kComponentBytesMax) return PathProblem::component_long;
    return PathProblem::none;
}

PathProblem check_bytes(std::string_view key) {
    for (const char c : key) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == 0) return PathProblem::nul;
        if (byte < 0x20 || byte == 0x7f) return PathProblem::control;
    }
    return utf8_valid(key) ? PathProblem::none : PathProblem::invalid_utf8;
}

}  // namespace

std::string_view describe(PathProblem problem) {
    switch (problem) {
        case PathProblem::none: return "is fine";
        case PathProblem::empty: return "is empty";
        case PathProblem::absolute: return "starts with '/'";
        case PathProblem::empty_part: return "has an empty component ('//')";
        case PathProblem::dot_part: return "has a '.' or '..' component";
        case PathProblem::nul: return "has a NUL byte";
        case PathProblem::control: return "has a control byte";
        case PathProblem::invalid_utf8: return "is not valid UTF-8";
        case PathProblem::component_long: return "has a component of more than 255 bytes";
        case PathProblem::path_long: return "has more than 4,000 bytes";
        case PathProblem::file_is_directory: return "lies below another key that is a file";
        case PathProblem::duplicate: return "appears twice";
        case PathProblem::symlink_escapes: return "is a symlink that leaves the tree";
    }
    return "is refused";
}

PathProblem check_path(std::string_view key) {
    if (key.empty()) return PathProblem::empty;
    if (key.front() == '/') return PathProblem::absolute;
    if (key.size() > kPathBytesMax) return PathProblem::path_long;
    if (const PathProblem problem = check_bytes(key); problem != PathProblem::none) return problem;
    if (key.back() == '/') key.remove_suffix(1);  // a directory marker
    for (size_t begin = 0; begin <= key.size();) {
        const size_t slash = key.find('/', begin);
        const size_t end = slash == key.npos ? key.size() : slash;
        if (const PathProblem problem = check_component(key.substr(begin, end - begin)); problem != PathProblem::none)
            return problem;
        begin = end + 1;
    }
    return PathProblem::none;
}

PathProblem check_symlink(std::string_view path, std::string_view target) {
    if (target.empty()) return PathProblem::empty;
    if (target.front() == '/') return PathProblem::symlink_escapes;
    if (target.size() > kPathBytesMax) return PathProblem::path_long;
    if (const PathProblem problem = check_bytes(target); problem != PathProblem::none) return problem;
    // The folder that the link lies in is its depth; the target may never climb above depth 0. Lexical: the kernel
    // could go elsewhere through other symlinks of the tree, but each of those stays inside as well.
    int64_t depth = 0;
    for (const char c : path) depth += c == '/';
    for (size_t begin = 0; begin <= target.size();) {
        const size_t slash = target.find('/', begin);
        const size_t end = slash == target.npos ? target.size() : slash;
        const std::string_view part = target.substr(begin, end - begin);
        if (part == "..") {
            if (--depth < 0) return PathProblem::symlink_escapes;
        } else if (part.size() > kComponentBytesMax) {
            return PathProblem::component_long;
        } else if (!part.empty() && part != ".") {
            ++depth;
        }
        begin = end + 1;
    }
    return PathProblem::none;
}

PathProblem PathOrder::next(std::string_view key, uint64_t id, bool gives_way) {
    const bool marker = key.ends_with('/');
    const std::string_view path = marker ? key.substr(0, key.size() - 1) : key;
    // Every file of which this key is a continuation is still on the stack: between `a` and `a/b` sort only keys that
    // start with `a` (such as `a-x`), and those keep `a` there.
    while (!files_.empty() && !path.starts_with(files_.back().path)) files_.pop_back();
    const auto is_folder = [&](const File& file) {
        return path.size() == file.path.size() ? marker : path[file.path.size()] == '/';
    };
    for (const File& file : files_) {
        if (path.size() == file.path.size() && !marker) return PathProblem::duplicate;
        if (is_folder(file) && !file.gives_way) return PathProblem::file_is_directory;
    }
    for (File& file : files_)
        if (is_folder(file) && !std::exchange(file.is_gone, true)) gone_.push_back(file.id);
    if (!marker) files_.push_back({std::string(path), id, gives_way, false});
    return PathProblem::none;
}

}  // namespace zcdp
