#include "src/sync/list/selection.hpp"

#include "zcdp/base/paths.hpp"

namespace zcdp::sync {

origin::Selection::Verdict FilterSelection::of(std::string_view path) const {
    const bool wanted = filter_.wants(path);
    // What lies below a folder of such a name cannot be a path either.
    const bool concerned = wanted || (path.ends_with('/') && filter_.may_hold(path));
    if (concerned && refuse_bad_keys_ && check_path(path) != PathProblem::none) return Verdict::refuse;
    return wanted ? Verdict::take : Verdict::leave;
}

}  // namespace zcdp::sync
