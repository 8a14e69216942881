// The Selection that origins are given: --include and --exclude first, then whether what is wanted is a path at all.
// Pure.
#pragma once

#include "zcdp/origin/selection.hpp"
#include "zcdp/sync/filter.hpp"

namespace zcdp::sync {

class FilterSelection final : public origin::Selection {
  public:
    /// `filter` must outlive it. Without `refuse_bad_keys` what is no path is taken as anything else.
    explicit FilterSelection(const Filter& filter, bool refuse_bad_keys = true)
        : filter_(filter), refuse_bad_keys_(refuse_bad_keys) {}
    Verdict of(std::string_view path) const override;
    bool may_hold(std::string_view folder) const override { return filter_.may_hold(folder); }

  private:
    const Filter& filter_;
    const bool refuse_bad_keys_;
};

}  // namespace zcdp::sync
