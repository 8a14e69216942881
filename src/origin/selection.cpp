#include "zcdp/origin/selection.hpp"

namespace zcdp::origin {
namespace {

class Everything final : public Selection {
  public:
    Verdict of(std::string_view) const override { return Verdict::take; }
    bool may_hold(std::string_view) const override { return true; }
};

}  // namespace

const Selection& everything() {
    static const Everything all;
    return all;
}

}  // namespace zcdp::origin
