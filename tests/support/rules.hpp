// The rules of a conformance suite: which of them are broken.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace zcdp::test {

class Rules {
  public:
    virtual ~Rules() = default;

    /// One line for each rule that is broken; empty: it conforms.
    std::vector<std::string> violations() {
        check_all();
        return violations_;
    }
    /// Whether this rule is broken; once it is, nothing further is looked at.
    bool breaks(const std::string& rule) {
        wanted_ = rule;
        try {
            check_all();
        } catch (const Broken&) {
            return true;
        }
        return false;
    }

  protected:
    virtual void check_all() = 0;
    void expect(bool holds, const std::string& rule) {
        if (holds) return;
        if (rule == wanted_) throw Broken();
        if (std::ranges::find(violations_, rule) == violations_.end()) violations_.push_back(rule);
    }

  private:
    struct Broken {};
    std::vector<std::string> violations_;
    std::string wanted_;
};

}  // namespace zcdp::test
