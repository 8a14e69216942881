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

/// Where to go back to when what follows a star does not match: the star takes one character more, and "**/" whole
/// components.
struct Retry {
    size_t glob = std::string_view::npos, text = 0;
    bool by_component = false;
    bool is_set() const { return glob != std::string_view::npos; }
    /// Moves `text` on in `path`; false when there is nothing more to take. With `open_end` the last component may go
    /// on.
    bool take_more(std::string_view path, bool open_end) {
        if (!is_set() || text >= path.size()) return false;
        if (!by_component) return ++text, true;
        const size_t slash = path.find('/', text);
        if (slash == std::string_view::npos && !open_end) return false;
        text = slash == std::string_view::npos ? path.size() : slash + 1;
        return true;
    }
};

// Linear back-tracking: a later star makes an earlier one of its kind final, so the cost is O(glob × path). With
// `begin_only` it is enough that all of the path is used up: what is left of the glob may match what comes behind.
bool match(std::string_view glob, std::string_view path, bool begin_only) {
    size_t g = 0, p = 0;
    Retry within, across;
    while (true) {
        if (g < glob.size() && glob[g] == '*') {
            const bool crosses = g + 1 < glob.size() && glob[g + 1] == '*';
            while (g < glob.size() && glob[g] == '*') ++g;
            if (crosses) {
                const bool by_component = g < glob.size() && glob[g] == '/' && (p == 0 || path[p - 1] == '/');
                g += by_component;  // "**/" may be nothing
                across = {g, p, by_component};
                within = {};
            } else {
                within = {g, p, false};
            }
            continue;
        }
        if (p == path.size() && (begin_only || g == glob.size())) return true;
        const size_t length = g < glob.size() ? match_one(glob.substr(g), path.substr(p)) : 0;
        if (length > 0) {
            g += length, ++p;
        } else if (within.is_set() && within.text < path.size() && path[within.text] != '/') {
            g = within.glob, p = ++within.text;
        } else if (across.take_more(path, begin_only)) {
            g = across.glob, p = across.text;
            within = {};
        } else {
            return false;
        }
    }
}

}  // namespace

bool glob_match(std::string_view glob, std::string_view path) { return match(glob, path, false); }
bool glob_may_go_on(std::string_view glob, std::string_view begin) { return match(glob, begin, true); }

Filter::Glob::Glob(std::string written) : text(std::move(written)), pattern(text) {
    name_only = pattern.find('/') == std::string::npos;
    folders_too = pattern.ends_with('/');
    const bool at_top = pattern.starts_with('/');
    if (at_top) pattern.erase(0, 1);
    if (!folders_too) return;
    if (!at_top && pattern.find('/') + 1 == pattern.size()) pattern.insert(0, "**/");
    pattern += "**";
}

bool Filter::Glob::matches(std::string_view path) const {
    if (!folders_too && path.ends_with('/')) path.remove_suffix(1);
    if (!name_only) return glob_match(pattern, path);
    const size_t slash = path.rfind('/');
    return glob_match(pattern, slash == std::string_view::npos ? path : path.substr(slash + 1));
}

bool Filter::Glob::may_match_below(std::string_view folder) const {
    return name_only || glob_may_go_on(pattern, folder);
}

/// Of those with a '/' only one that ends in `**` does, if what is before that matches the folder or one around it.
bool Filter::Glob::matches_all_below(std::string_view folder) const {
    std::string_view rest = pattern;
    if (name_only) return !rest.empty() && rest.find_first_not_of('*') == std::string_view::npos;
    while (rest.ends_with("**/*")) rest.remove_suffix(2);
    return rest.ends_with("**") && glob_match(rest, folder);
}

Filter::Filter(std::vector<std::string> include, std::vector<std::string> exclude)
    : include_(std::make_move_iterator(include.begin()), std::make_move_iterator(include.end())),
      exclude_(std::make_move_iterator(exclude.begin()), std::make_move_iterator(exclude.end())) {}

bool Filter::wants(std::string_view path) const {
    const bool folder = path.ends_with('/');
    const auto hit = [&](const Glob& glob) { return glob.matches(path); };
    if (std::ranges::any_of(
            exclude_, [&](const Glob& glob) { return glob.matches(path) || (folder && glob.matches_all_below(path)); }))
        return false;
    return include_.empty() || std::ranges::any_of(include_, hit);
}

bool Filter::may_hold(std::string_view folder) const {
    if (std::ranges::any_of(exclude_, [&](const Glob& glob) { return glob.matches_all_below(folder); })) return false;
    return include_.empty() ||
           std::ranges::any_of(include_, [&](const Glob& glob) { return glob.may_match_below(folder); });
}

std::string Filter::text() const {
    std::string text;
    for (const Glob& glob : include_) text += "+" + glob.text + "\n";
    for (const Glob& glob : exclude_) text += "-" + glob.text + "\n";
    return text;
}

}  // namespace zcdp::sync
