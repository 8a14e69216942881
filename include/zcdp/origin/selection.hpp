// What of a source is wanted, decided on names alone: before a stat, a HEAD, a descent or an open. An origin that would
// touch something for its listing (a folder it opens, a file it looks at) asks first; one whose listing comes whole
// from the service need not, for what is not wanted is dropped by whoever reads the listing (src/sync/list/intake.hpp).
//
// Thread rule: any thread; a decision is pure. Paths are as Entry::path has them: relative to the prefix, a folder's
// with its '/' at the end.
#pragma once

#include <cstdint>
#include <string_view>

namespace zcdp::origin {

class Selection {
  public:
    enum class Verdict : uint8_t {
        take,   ///< is wanted
        leave,  ///< is not wanted, whatever it is: not touched, not an error, not listed
        /// Would be wanted, but is no path: not touched, listed by its name alone so that it is counted and named.
        refuse,
    };
    virtual ~Selection() = default;
    /// A file, a symlink, or (with its '/') a folder as an entry of its own, as one that is empty is.
    virtual Verdict of(std::string_view path) const = 0;
    /// Whether anything below the folder (with its '/'; "" is the source itself) may be wanted: else it is not opened.
    /// What is below it is asked for one by one.
    virtual bool may_hold(std::string_view folder) const = 0;
};

/// Wants everything, also what is no path.
const Selection& everything();

}  // namespace zcdp::origin
