// --include and --exclude: globs over the paths of a tree. Pure.
//
// `*` matches within a component, `**` across them, `?` one character, `[a-z]` and `[!a-z]` one of a set, `\` quotes.
// A glob without '/' is matched against the last component, one with '/' against the whole path (a leading '/' is
// dropped, so it binds a glob to the top). A glob that ends in '/' means the folder and everything below; with no other
// '/' in it a folder of that name at any depth. Without includes everything is in; an exclude wins.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zcdp::sync {

/// Whether all of `path` matches.
bool glob_match(std::string_view glob, std::string_view path);
/// Whether the glob may match something that begins with `begin`. Never false where it does match.
bool glob_may_go_on(std::string_view glob, std::string_view begin);

class Filter {
  public:
    Filter(std::vector<std::string> include, std::vector<std::string> exclude);
    /// A path, or a folder with its '/' at the end; one that may hold nothing is not wanted itself.
    bool wants(std::string_view path) const;
    /// Whether something below the folder (with its '/'; "" is the whole tree) may be wanted. Never false where
    /// something is.
    bool may_hold(std::string_view folder) const;
    /// One canonical text of both lists: part of what identifies a listing.
    std::string text() const;

  private:
    struct Glob {
        explicit Glob(std::string written);
        bool matches(std::string_view path) const;
        bool may_match_below(std::string_view folder) const;
        bool matches_all_below(std::string_view folder) const;
        std::string text;     ///< as written
        std::string pattern;  ///< for the whole path, or with `name_only` for its last component
        bool name_only, folders_too;
    };
    std::vector<Glob> include_, exclude_;
};

}  // namespace zcdp::sync
