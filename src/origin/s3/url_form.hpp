// How a service writes keys that it says are URL-encoded. Pure.
#pragma once

#include <string_view>

namespace zcdp::origin::s3 {

/// Seen over all names of a page: AWS writes a space as '+' and encodes all but A-Z a-z 0-9 - . _ ~ / and '*'; others
/// write %20 and leave a '+' (and '=', ',', ':', …) as it is; some say that they encode, and do not.
class UrlForm {
  public:
    void see(std::string_view name);
    /// Whether the names are encoded at all.
    bool is_encoded() const { return !plain_; }
    /// Whether a '+' is a space.
    bool plus_is_space() const { return plus_encoded_ || !other_rules_; }

  private:
    bool plain_ = false;         ///< something that no encoding leaves: a bare '%', a space
    bool plus_encoded_ = false;  ///< %2B: so a '+' is none
    bool other_rules_ = false;   ///< %20, or what AWS would have encoded
};

}  // namespace zcdp::origin::s3
