// Ids that are text, each a type of its own: none is passed for another, and a reader sees what a string is.
//
// Text becomes an id, and an id text, only where that is said: at JSON, SQLite, HTTP headers, the command line and
// hashes. Thread rule: values.
#pragma once

#include <fmt/core.h>

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace zcdp {

/// The text of an id of this kind; ordered by its bytes. `Kind` is never defined: it only tells types apart.
template <class Kind>
class Id {
  public:
    Id() = default;
    template <std::convertible_to<std::string_view> Text>
    explicit Id(Text&& text) : text_(std::forward<Text>(text)) {}

    const std::string& str() const& { return text_; }
    std::string str() && { return std::move(text_); }
    bool empty() const { return text_.empty(); }

    bool operator==(const Id&) const = default;
    auto operator<=>(const Id&) const = default;
    /// For codecs, which read into it.
    friend std::string& codec_text(Id& id) { return id.text_; }
    friend const std::string& codec_text(const Id& id) { return id.text_; }

  private:
    std::string text_;
};

/// What an origin says of an object that changes whenever its content does: the ETag without quotes, the versionId, the
/// generation, or what a kind of origin makes for it. Only equal or not equal to another one of the same object.
using Tag = Id<struct TagId>;

/// What a listing of an origin says before any byte is fetched: hex of the SHA-256 over its (path, size, tag) records.
/// Not what Hugging Face calls a revision (a branch, a tag or a commit).
using Revision = Id<struct RevisionId>;

}  // namespace zcdp

template <class Kind>
struct std::hash<zcdp::Id<Kind>> {
    size_t operator()(const zcdp::Id<Kind>& id) const noexcept { return std::hash<std::string>()(id.str()); }
};

template <class Kind>
struct fmt::formatter<zcdp::Id<Kind>> : fmt::formatter<std::string_view> {
    template <class Context>
    auto format(const zcdp::Id<Kind>& id, Context& context) const {
        return fmt::formatter<std::string_view>::format(id.str(), context);
    }
};
