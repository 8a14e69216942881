// A folder's names as a listing wants them next: in byte order, found in one pass over a folder that shows them in
// none, within bounded memory. Pure. Thread rule: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zcdp {

/// Consecutive names of a folder in byte order, without a gap: all from some name on, up to the folder's last one or up
/// to a bound of bytes.
class NameWindow {
  public:
    /// Whether the folder's first name >= `from`, or that there is none, is to be seen here.
    bool covers(std::string_view from) const;
    /// Whether the folder has no name behind the last one here.
    bool complete() const { return complete_; }
    size_t size() const { return names_.size(); }
    std::string_view operator[](size_t i) const { return {bytes_.data() + names_[i].at, names_[i].length}; }
    /// The first name >= `from`; size() when there is none.
    size_t find(std::string_view from) const;
    size_t memory_bytes() const { return bytes_.capacity() + names_.capacity() * sizeof(Name); }

  private:
    friend class NameWindowBuilder;
    struct Name {
        uint32_t at, length;
    };
    std::string from_;   ///< nothing is known of names before it
    std::string bytes_;  ///< the names one after the other
    std::vector<Name> names_;
    bool complete_ = true;
};

/// Keeps the smallest names >= `from` that fit in `bytes_max`, of all that are added in any order; one at the least.
/// Holds twice as much meanwhile. When a whole folder fits, the names before `from` are kept as well.
class NameWindowBuilder {
  public:
    NameWindowBuilder(std::string_view from, size_t bytes_max) : from_(from), bytes_max_(bytes_max) {}
    /// Whether the window, as far as is known now, may hold the name.
    bool wants(std::string_view name) const { return name >= window_.from_ && (window_.complete_ || name < too_much_); }
    void add(std::string_view name);
    NameWindow finish() &&;

  private:
    size_t used() const { return window_.bytes_.size() + window_.names_.size() * sizeof(NameWindow::Name); }
    void sort();
    void shrink();
    void pack(size_t begin, size_t end);
    std::string from_;
    const size_t bytes_max_;
    NameWindow window_;
    std::string too_much_;  ///< unless the window is complete: the least name that did not fit
};

}  // namespace zcdp
