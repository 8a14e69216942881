#include "zcdp/swarm/draws.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "src/swarm/milliseconds.hpp"

namespace zcdp::swarm {
namespace {

// What is under way comes at about the same time, at the end, too, and is all there is to trade at first: a small part.
constexpr uint64_t kWindowPart = 16, kWindowLeast = 4;

}  // namespace

Draws::Draws(std::string self, const HaveMap& there, std::shared_ptr<const Owners> owners, const Clock& clock,
             DrawOptions options)
    : self_(std::move(self)),
      options_(options),
      clock_(clock),
      there_(there),
      window_(static_cast<uint32_t>(
          std::min<uint64_t>(options.window_first, std::max(kWindowLeast, there.pieces() / kWindowPart)))),
      began_ns_(clock.monotonic_ns()) {
    set_owners(std::move(owners));
}

void Draws::set_owners(std::shared_ptr<const Owners> owners) {
    const auto before = std::exchange(owners_, std::move(owners));
    self_index_ = owners_->index_of(self_);
    const std::vector<uint64_t> kept = before ? kept_of(*before) : std::vector<uint64_t>();
    due_.clear(), awaited_.clear();
    next_ = 0, punctual_ = 0;
    open_window();
    for (const uint64_t piece : kept) {
        const auto at = awaited_.find(piece);
        if (at == awaited_.end() || std::exchange(at->second.is_due, true)) continue;
        at->second.turn = 0;
        due_.push_back(piece);
    }
}

/// Whose draws are under way, as it has said, goes on with them, or else each change would have all of a window drawn
/// once more. Gives this member's; it had more than its part while it was alone.
std::vector<uint64_t> Draws::kept_of(const Owners& before) {
    std::vector<uint64_t> mine;
    for (const auto& [piece, awaited] : awaited_) {
        const auto owner = before.owner_of(piece);
        const std::string& name = owner ? before.members()[*owner] : self_;
        const bool is_mine = name == self_ && awaited.is_due;
        if (is_mine && before.members().size() > 1) mine.push_back(piece);
        else if (awaited.is_elsewhere) elsewhere_.insert(piece);
    }
    return mine;
}

bool Draws::is_alone() const { return self_index_ && owners_->members().size() == 1; }

uint32_t Draws::window() const { return is_alone() ? std::max(window_, options_.window_alone) : window_; }

void Draws::await(uint64_t piece) {
    Awaited& awaited = awaited_.at(piece);
    awaited.is_elsewhere |= elsewhere_.erase(piece) > 0;
    if (awaited.is_elsewhere) return;
    if (!self_index_ || owners_->owner_of(piece) != self_index_) return;
    awaited.turn = 0, awaited.is_due = true;
    due_.push_back(piece);
}

/// The first pieces that are not there, as many as the window holds.
void Draws::open_window() {
    for (; punctual_ < window() && next_ < there_.pieces(); ++next_) {
        if (there_.has(next_)) continue;
        awaited_.emplace(next_, Awaited{clock_.monotonic_ns(), {}});
        ++punctual_;
        await(next_);
    }
}

void Draws::saw(uint64_t piece) {
    if (there_.has(piece)) return;
    there_.set(piece);
    elsewhere_.erase(piece), lost_.erase(piece);
    if (const auto at = awaited_.find(piece); at != awaited_.end()) {
        punctual_ -= !at->second.is_slow;
        awaited_.erase(at);
        std::erase(due_, piece);
        ++seen_;
        measure();
    }
    open_window();
}

void Draws::saw(const HaveMap& pieces) {
    for (auto piece = there_.first_wanted(pieces); piece; piece = there_.first_wanted(pieces, *piece + 1)) saw(*piece);
}

/// Once as many have come as the window holds, their rate is this window's. A stall is no rate: what comes after it
/// counts as if it had been late, not later.
void Draws::measure() {
    if (seen_ < std::max(window_, options_.seen_least)) return;
    const int64_t now = clock_.monotonic_ns();
    const int64_t took = std::min(now - began_ns_, static_cast<int64_t>(late_ms()) * kNsPerMs);
    rate_ = static_cast<double>(seen_) / static_cast<double>(std::max<int64_t>(took, 1));
    seen_ = 0, began_ns_ = now;
    if (settled_) return;
    if (is_trial_ && rate_ < options_.worth * rate_before_) {
        window_ /= 2, settled_ = true;
        return;
    }
    if (2 * window_ > options_.window_most) {
        settled_ = true;
        return;
    }
    rate_before_ = rate_, window_ *= 2, is_trial_ = true;
}

/// Little's law: what is under way, divided by how much comes, is how long each takes. Late ones are under way, too:
/// so that draws which a slow source keeps waiting do not bring more draws upon it.
uint64_t Draws::late_ms() const {
    const double under_way = static_cast<double>(std::max<size_t>(window(), awaited_.size()));
    const double usual_ms = rate_ > 0 ? under_way / rate_ / kNsPerMs : static_cast<double>(options_.unknown_ms);
    return static_cast<uint64_t>(std::clamp(options_.late_factor * usual_ms,
                                            static_cast<double>(options_.late_ms_least),
                                            static_cast<double>(options_.late_ms_most)));
}

/// When this member's turn comes; before that is known, when the owner is late.
int64_t Draws::due_ns(const Awaited& awaited, uint64_t late_ms) {
    return awaited.since_ns +
           static_cast<int64_t>(late_ms * std::max<uint64_t>(awaited.turn.value_or(1), 1)) * kNsPerMs;
}

/// When it holds the window no more.
int64_t Draws::slow_ns(const Awaited& awaited, uint64_t late_ms) const {
    if (rate_ <= 0) return std::numeric_limits<int64_t>::max();  // nobody knows yet what is slow
    return awaited.since_ns +
           static_cast<int64_t>(static_cast<double>(late_ms) * options_.slow_factor / options_.late_factor) * kNsPerMs;
}

void Draws::look_for_late() {
    const int64_t now = clock_.monotonic_ns();
    const uint64_t late = late_ms();
    for (auto& [piece, awaited] : awaited_) {
        if (!awaited.is_slow && now >= slow_ns(awaited, late)) awaited.is_slow = true, --punctual_;
        if (awaited.is_due || now < due_ns(awaited, late)) continue;
        if (!awaited.turn) awaited.turn = owners_->turn_of(piece, self_) + awaited.is_elsewhere;
        if (now < due_ns(awaited, late)) continue;
        awaited.is_due = true, ++taken_over_;
        due_.push_back(piece);
    }
    open_window();
}

/// Whoever draws it now has its time from now on.
void Draws::drawn_elsewhere(uint64_t piece, bool was_waiting) {
    if (there_.has(piece)) return;
    const auto at = awaited_.find(piece);
    if (at == awaited_.end()) {
        elsewhere_.insert(piece);
        return;
    }
    Awaited& awaited = at->second;
    const auto due = std::find(due_.begin(), due_.end(), piece);
    if (awaited.is_due && due == due_.end() && !was_waiting) return;
    if (due != due_.end()) due_.erase(due);
    // Once a turn: else who says it again and again would keep everybody from it.
    if (!awaited.is_elsewhere || awaited.is_due) awaited.since_ns = clock_.monotonic_ns();
    awaited.is_elsewhere = true, awaited.is_due = false;
}

void Draws::not_drawn(const HaveMap& pieces) {
    std::erase_if(elsewhere_, [&](uint64_t piece) { return pieces.has(piece); });
    for (auto& [piece, awaited] : awaited_)
        if (pieces.has(piece)) awaited.is_elsewhere = false;
}

void Draws::lost(uint64_t piece) {
    if (!there_.has(piece)) return;
    there_.clear(piece);
    lost_.insert(piece);
    if (piece >= next_ || !awaited_.emplace(piece, Awaited{clock_.monotonic_ns(), {}}).second) return;
    ++punctual_;
    await(piece);
}

std::string Draws::owner_of(uint64_t piece) const {
    const auto owner = owners_->owner_of(piece);
    return owner ? owners_->members()[*owner] : "";
}

bool Draws::is_extra(uint64_t piece) const {
    if (there_.has(piece) || lost_.contains(piece)) return true;
    const auto at = awaited_.find(piece);
    return at != awaited_.end() && (at->second.is_elsewhere || at->second.turn.value_or(0) > 0);
}

std::vector<uint64_t> Draws::due() {
    look_for_late();
    return std::exchange(due_, {});
}

std::optional<uint64_t> Draws::wake_ms() const {
    std::optional<int64_t> next;
    const uint64_t late = late_ms();
    const auto at = [&](int64_t ns) { next = std::min(next.value_or(ns), ns); };
    for (const auto& [piece, awaited] : awaited_) {
        if (!awaited.is_slow && rate_ > 0 && next_ < there_.pieces()) at(slow_ns(awaited, late));
        if (!awaited.is_due) at(due_ns(awaited, late));
    }
    if (!next) return std::nullopt;
    return ms_until(*next, clock_.monotonic_ns());
}

}  // namespace zcdp::swarm
