// A key that is accepted never leaves the tree, and a symlink that is accepted never points out of it.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "zcdp/base/paths.hpp"

namespace {

/// The depth that a path reaches at its lowest, component by component.
int lowest_depth(std::string_view path, int start) {
    int depth = start, lowest = start;
    for (size_t begin = 0; begin <= path.size();) {
        const size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin);
        if (part == "..") --depth;
        else if (!part.empty() && part != ".") ++depth;
        lowest = std::min(lowest, depth);
        begin = end + 1;
    }
    return lowest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (zcdp::check_path(text) == zcdp::PathProblem::none) {
        if (text.front() == '/' || text.find('\0') != text.npos || lowest_depth(text, 0) < 0) std::abort();
        if (("/" + std::string(text) + "/").find("/../") != std::string::npos) std::abort();
    }
    const size_t half = size / 2;
    const std::string_view link = text.substr(0, half), target = text.substr(half);
    if (zcdp::check_path(link) == zcdp::PathProblem::none &&
        zcdp::check_symlink(link, target) == zcdp::PathProblem::none) {
        const int folder = static_cast<int>(std::count(link.begin(), link.end(), '/'));
        if (target.front() == '/' || lowest_depth(target, folder) < 0) std::abort();
    }
    return 0;
}
