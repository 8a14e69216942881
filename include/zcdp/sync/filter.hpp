// --include and --exclude: globs over the paths of a tree. Pure.
//
// `*` matches within a component, `**` across them, `?` one character, `[a-z]` and `[!a-z]` one of a set, `\` quotes.
// A glob without '/' is matched against the last component, one with '/' against the whole path (a leading '/' is
// dropped). A glob that ends in '/' means everything below. Without includes everything is in; an exclude wins.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zcdp::sync {

bool glob_match(std::string_view glob, std::string_view path);

class Filter {
  public:
    Filter(std::vector<std::string> include, std::vector<std::string> exclude);
    bool wants(std::string_view path) const;
    /// One canonical text of both lists: part of what identifies a listing.
    std::string text() const;

  private:
    std::vector<std::string> include_, exclude_;
};

}  // namespace zcdp::sync
