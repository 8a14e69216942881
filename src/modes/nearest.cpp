#include "src/modes/nearest.hpp"

#include <algorithm>

namespace zcdp::modes {

// Optimal string alignment: of the table three rows are needed.
size_t distance(std::string_view a, std::string_view b) {
    std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        std::swap(before, last), std::swap(last, row);
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::string nearest(std::string_view typed, const std::vector<std::string>& words) {
    if (typed.size() > 64) return "";
    std::string found;
    size_t least = std::max<size_t>(1, typed.size() / 2) + 1;
    for (const std::string& word : words) {
        const size_t apart = typed.size() > 1 && word.starts_with(typed) ? 0 : distance(typed, word);
        if (apart < least && apart < word.size()) least = apart, found = word;
    }
    return found;
}

}  // namespace zcdp::modes
