#include "src/sync/selection.hpp"

#include "zcdp/base/paths.hpp"

namespace zcdp::sync {

origin::Selection::Verdict FilterSelection::of(std::string_view path) const {
    if (!filter_.wants(path)) return Verdict::leave;
    return refuse_bad_keys_ && check_path(path) != PathProblem::none ? Verdict::refuse : Verdict::take;
}

}  // namespace zcdp::sync
