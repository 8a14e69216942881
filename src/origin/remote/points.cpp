#include "src/origin/remote/points.hpp"

#include <algorithm>

namespace zcdp::origin {
namespace {

/// Sorts after every key that goes on from where it stands: U+10FFFF.
constexpr std::string_view kAfterAll = "\xf4\x8f\xbf\xbf";

/// Below the prefix, and of one component.
bool is_child(std::string_view name, std::string_view prefix, bool is_prefix) {
    if (!name.starts_with(prefix)) return false;
    const size_t slash = name.find('/', prefix.size());
    return is_prefix ? slash + 1 == name.size() : slash == name.npos;
}

}  // namespace

Points::Points(const ListPage& page, std::string_view prefix, std::string_view last) {
    for (const Entry& entry : page.entries)
        if (entry.path != prefix) points_.push_back({entry.path, false, false});
    const size_t files = points_.size();
    for (const std::string& name : page.prefixes) points_.push_back({name, true, false});
    const auto by_name = [](const Point& a, const Point& b) { return a.name < b.name; };
    const auto middle = points_.begin() + static_cast<ptrdiff_t>(files);
    bool as_expected =
        std::is_sorted(points_.begin(), middle, by_name) && std::is_sorted(middle, points_.end(), by_name);
    for (const Point& point : points_) as_expected = as_expected && is_child(point.name, prefix, point.is_prefix);
    if (!as_expected) points_.clear();
    std::sort(points_.begin(), points_.end(), by_name);
    std::erase_if(points_, [&](const Point& point) {
        return (point.is_prefix ? point.name + std::string(kAfterAll) : point.name) <= last;
    });
    for (Point& point : points_) point.passed = last.starts_with(point.name);
}

std::vector<Range> Points::ranges(std::string last, size_t most) const {
    std::vector<Range> ranges{{std::move(last), ""}};
    for (const size_t cut : cut_points(points_.size(), most)) {
        const Point& before = points_[cut - 1];
        ranges.back().until = points_[cut].name;
        ranges.push_back({before.is_prefix ? before.name + std::string(kAfterAll) : before.name, ""});
    }
    return ranges;
}

bool Points::pass(const std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
        for (; at_ < points_.size(); ++at_) {
            Point& point = points_[at_];
            const bool is_of_it = point.is_prefix ? entry.path.starts_with(point.name) : entry.path == point.name;
            if (is_of_it) point.passed = true;
            if (is_of_it || entry.path < point.name) break;  // less: a child that is new since
            if (!point.passed) return false;
        }
    }
    return true;
}

bool Points::all_passed() const {
    return std::all_of(points_.begin() + static_cast<ptrdiff_t>(at_), points_.end(),
                       [](const Point& point) { return point.passed; });
}

std::vector<size_t> cut_points(size_t points, size_t ranges) {
    std::vector<size_t> cuts;
    const size_t runs = std::min(points, ranges);
    for (size_t run = 1; run < runs; ++run) cuts.push_back(run * points / runs);
    return cuts;
}

}  // namespace zcdp::origin
