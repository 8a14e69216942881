// A link that gives whatever it sends at once equal shares, as TCP does; every piece is as long as every other, so they
// end in the order in which they began. Work is counted in pieces, as virtual time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

#include "zcdp/swarm/chooser.hpp"

namespace zcdp::swarm {

/// A piece that is sent, and who asked for it.
struct SimSending {
    uint32_t to = 0;
    Ask ask = {};
    double began_ms = 0;
};

class SimLink {
  public:
    /// Pieces a millisecond, together and each alone.
    void set_rate(double together, double alone) { together_ = together, alone_ = alone; }
    size_t sending() const { return sending_.size(); }

    void begin(double now_ms, SimSending what) {
        progress(now_ms);
        what.began_ms = now_ms;
        sending_.push_back({virtual_ + 1, what});
    }
    /// When the first of them ends, unless another begins before that.
    std::optional<double> ends_ms() const {
        if (sending_.empty()) return std::nullopt;
        return at_ms_ + std::max(sending_.front().ends - virtual_, 0.0) / each();
    }
    SimSending end(double now_ms) {
        progress(now_ms);
        const SimSending what = sending_.front().what;
        sending_.pop_front();
        return what;
    }
    std::deque<SimSending> break_off() {
        std::deque<SimSending> all;
        for (const auto& one : sending_) all.push_back(one.what);
        sending_.clear();
        return all;
    }
    /// How many pieces it has sent; parts count.
    double sent() const { return sent_; }

  private:
    struct Sending {
        double ends;  ///< in virtual time
        SimSending what;
    };
    double each() const { return std::min(together_ / static_cast<double>(sending_.size()), alone_); }
    void progress(double now_ms) {
        if (!sending_.empty()) {
            virtual_ += (now_ms - at_ms_) * each();
            sent_ += (now_ms - at_ms_) * each() * static_cast<double>(sending_.size());
        }
        at_ms_ = now_ms;
    }

    std::deque<Sending> sending_;
    double together_ = 1, alone_ = 1, virtual_ = 0, at_ms_ = 0, sent_ = 0;
};

}  // namespace zcdp::swarm
