#include "zcdp/base/name_window.hpp"

#include <algorithm>

namespace zcdp {

bool NameWindow::covers(std::string_view from) const {
    if (from < from_) return false;
    return complete_ || from <= (*this)[size() - 1];
}

size_t NameWindow::find(std::string_view from) const {
    const auto found =
        std::lower_bound(names_.begin(), names_.end(), from, [this](const Name& name, std::string_view text) {
            return std::string_view(bytes_.data() + name.at, name.length) < text;
        });
    return static_cast<size_t>(found - names_.begin());
}

void NameWindowBuilder::add(std::string_view name) {
    if (!wants(name)) return;
    window_.names_.push_back({static_cast<uint32_t>(window_.bytes_.size()), static_cast<uint32_t>(name.size())});
    window_.bytes_ += name;
    if (used() > 2 * bytes_max_) shrink();
}

NameWindow NameWindowBuilder::finish() && {
    if (used() > bytes_max_) shrink();
    sort();
    window_.bytes_.shrink_to_fit();
    window_.names_.shrink_to_fit();
    return std::move(window_);
}

/// A folder that is changed meanwhile may show a name twice.
void NameWindowBuilder::sort() {
    const auto text = [this](const NameWindow::Name& name) {
        return std::string_view(window_.bytes_.data() + name.at, name.length);
    };
    auto& names = window_.names_;
    std::sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return text(a) < text(b); });
    names.erase(
        std::unique(names.begin(), names.end(), [&](const auto& a, const auto& b) { return text(a) == text(b); }),
        names.end());
}

/// Gives up what lies before `from`, then the greatest names, until the rest fits.
void NameWindowBuilder::shrink() {
    sort();
    window_.from_ = from_;
    const size_t begin = window_.find(from_);
    size_t end = begin, bytes = 0;
    for (; end < window_.size(); ++end) {
        bytes += window_[end].size() + sizeof(NameWindow::Name);
        if (bytes > bytes_max_ && end > begin) break;
    }
    if (end < window_.size()) {
        window_.complete_ = false;
        too_much_ = window_[end];
    }
    pack(begin, end);
}

/// Keeps the names [begin, end) and their bytes alone.
void NameWindowBuilder::pack(size_t begin, size_t end) {
    std::string bytes;
    std::vector<NameWindow::Name> names;
    for (size_t i = begin; i < end; ++i) {
        names.push_back({static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(window_[i].size())});
        bytes += window_[i];
    }
    window_.bytes_ = std::move(bytes);
    window_.names_ = std::move(names);
}

}  // namespace zcdp
