#include "zcdp/sync/filter.hpp"

#include <algorithm>

namespace zcdp::sync {
namespace {

/// Length of the set "[...]" that `glob` starts with, 0 when it has no end; `hit` says whether `c` is in it.
size_t match_set(std::string_view glob, char c, bool& hit) {
    size_t i = 1;
    const bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
    if (negated) ++i;
    bool found = false;
    for (const size_t first = i; i < glob.size(); ++i) {
        if (glob[i] == ']' && i > first) {
            hit = found != negated;
            return i + 1;
        }
        const char low = glob[i];
        char high = low;
        if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
            high = glob[i + 2];
            i += 2;
        }
        found = found || (c >= low && c <= high);
    }
    return 0;
}

/// Matches one pattern element other than a star against text[0]; the element's length, or 0 when it does not match.
size_t match_one(std::string_view glob, std::string_view text) {
    if (text.empty()) return 0;
    if (glob[0] == '?') return text[0] == '/' ? 0 : 1;
    if (glob[0] == '[') {
        bool hit = false;
        if (const size_t length = match_set(glob, text[0], hit)) return hit && text[0] != '/' ? length : 0;
    }
    if (glob[0] == '\\' && glob.size() > 1) return glob[1] == text[0] ? 2 : 0;
    return glob[0] == text[0] ? 1 : 0;
}

/// Where to go back to when what follows a star does not match: the star takes one character more.
struct Retry {
    size_t glob = std::string_view::npos, text = 0;
    bool is_set() const { return glob != std::string_view::npos; }
};

}  // namespace

// Linear back-tracking: a later star makes an earlier one of its kind final, so the cost is O(glob × path).
bool glob_match(std::string_view glob, std::string_view path) {
    size_t g = 0, p = 0;
    Retry within, across;
    while (true) {
        if (g < glob.size() && glob[g] == '*') {
            const bool crosses = g + 1 < glob.size() && glob[g + 1] == '*';
            while (g < glob.size() && glob[g] == '*') ++g;
            if (crosses) {
                if (g < glob.size() && glob[g] == '/' && (p == 0 || path[p - 1] == '/')) ++g;  // "**/" may be nothing
                across = {g, p};
                within = {};
            } else {
                within = {g, p};
            }
            continue;
        }
        if (g == glob.size() && p == path.size()) return true;
        const size_t length = g < glob.size() ? match_one(glob.substr(g), path.substr(p)) : 0;
        if (length > 0) {
            g += length, ++p;
        } else if (within.is_set() && within.text < path.size() && path[within.text] != '/') {
            g = within.glob, p = ++within.text;
        } else if (across.is_set() && across.text < path.size()) {
            g = across.glob, p = ++across.text;
            within = {};
        } else {
            return false;
        }
    }
}

namespace {

bool matches(std::string_view glob, std::string_view path) {
    if (!path.empty() && path.back() == '/') path.remove_suffix(1);
    const bool whole = glob.find('/') != std::string_view::npos;
    if (!glob.empty() && glob.front() == '/') glob.remove_prefix(1);
    if (!glob.empty() && glob.back() == '/') {
        const std::string below = std::string(whole && glob.find('/') + 1 < glob.size() ? "" : "**/") + std::string(glob) + "**";
        return glob_match(below, path);
    }
    if (whole) return glob_match(glob, path);
    const size_t slash = path.rfind('/');
    return glob_match(glob, slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace

Filter::Filter(std::vector<std::string> include, std::vector<std::string> exclude)
    : include_(std::move(include)), exclude_(std::move(exclude)) {}

bool Filter::wants(std::string_view path) const {
    const auto hit = [&](const std::string& glob) { return matches(glob, path); };
    if (std::any_of(exclude_.begin(), exclude_.end(), hit)) return false;
    return include_.empty() || std::any_of(include_.begin(), include_.end(), hit);
}

std::string Filter::text() const {
    std::string text;
    for (const auto& glob : include_) text += "+" + glob + "\n";
    for (const auto& glob : exclude_) text += "-" + glob + "\n";
    return text;
}

}  // namespace zcdp::sync
