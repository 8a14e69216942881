#include "zcdp/swarm/chooser.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "src/swarm/milliseconds.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::swarm {
namespace {

constexpr double kAnswersAway = 4, kSlow = 4;
constexpr uint64_t kLookAgainMs = 1'000, kNewsAwayMs = 1'000;
constexpr int kLookedAt = 4;   // pieces, of which one is asked for
constexpr double kNew = 0.25;  // the newest answer's part in the usual time

double smoothed(double before, double newest) { return before == 0 ? newest : before + kNew * (newest - before); }

OriginBudget budget_of(uint64_t pieces, const PieceSize& size_of, const Clock& clock, OriginBudgetOptions options) {
    uint64_t all = 0, longest = 0;
    for (uint64_t piece = 0; piece < pieces; ++piece) {
        const uint64_t bytes = size_of(piece);
        all += bytes, longest = std::max(longest, bytes);
    }
    return {all, longest, clock, options};
}

}  // namespace

Chooser::Chooser(std::string self, HaveMap mine, std::shared_ptr<const Owners> owners, const Clock& clock,
                 Random& random, ChooserOptions options, PieceSize size_of)
    : self_(std::move(self)),
      options_(options),
      size_of_(size_of ? std::move(size_of) : [](uint64_t) -> uint64_t { return 1; }),
      clock_(clock),
      random_(random),
      mine_(std::move(mine)),
      taken_(mine_),
      nowhere_(mine_.pieces()),
      lost_(mine_.pieces()),
      drawing_map_(mine_.pieces()),
      draws_(self_, mine_, owners, clock, options.draws),
      budget_(budget_of(mine_.pieces(), size_of_, clock, options.budget)),
      lost_looked_ns_(clock.monotonic_ns()) {
    budget_.set_owners(*owners, self_);
}

// --- what is said ---

void Chooser::set_owners(std::shared_ptr<const Owners> owners) {
    to_draw_.clear();
    budget_.set_owners(*owners, self_);
    draws_.set_owners(std::move(owners));
}

void Chooser::has(Neighbour getter, const News& news) {
    Known& known = known_[getter];
    if (known.pieces.pieces() == 0 || !faults::broken("have-map")) known.pieces = news.have;
    known.is_holder = false;
    known.load = news.load;
    gone_.erase(getter);
    may_ask_ |= taken_.first_wanted(news.have).has_value();
    if (lost_.count() > 0) lost_.remove(news.have);
    draws_.saw(news.have);
    if (known.drawing.pieces() != news.drawing.pieces()) known.drawing = HaveMap(news.drawing.pieces());
    for (auto piece = known.drawing.first_wanted(news.drawing); piece;
         piece = known.drawing.first_wanted(news.drawing, *piece + 1))
        if (!mine_.has(*piece)) drawn_elsewhere(*piece);
    known.drawing = news.drawing;
    if (lost_.count() == 0) return draws_.saw(news.there);
    HaveMap there = news.there;
    there.remove(lost_);
    draws_.saw(there);
}

void Chooser::heard_members(uint64_t members) {
    are_fewer_ |= members < members_;
    members_ = members;
}

void Chooser::drawn_elsewhere(uint64_t piece) {
    if (drawing_map_.has(piece)) return;
    draws_.drawn_elsewhere(piece, to_draw_.erase(piece) > 0);
}

void Chooser::has_all(Neighbour holder) {
    Known& known = known_[holder];
    known.pieces = HaveMap(mine_.pieces()), known.is_holder = true;
}

void Chooser::gone(Neighbour neighbour) {
    for (auto asked = asked_.begin(); asked != asked_.end();) {
        if (asked->ask.of != neighbour) {
            ++asked;
            continue;
        }
        const ptrdiff_t at = asked - asked_.begin();
        settle(asked);
        asked = asked_.begin() + at;
    }
    draws_nothing(neighbour);
    if (known_.erase(neighbour) > 0) gone_.insert(neighbour);
}

/// Of what it drew, only what others draw, too, is still drawn.
void Chooser::draws_nothing(Neighbour neighbour) {
    const auto gone = known_.find(neighbour);
    if (gone == known_.end() || gone->second.drawing.count() == 0) return;
    HaveMap drawn = gone->second.drawing;
    for (const auto& [other, known] : known_)
        if (other != neighbour && known.drawing.count() > 0) drawn.remove(known.drawing);
    draws_.not_drawn(drawn);
}

std::vector<Ask> Chooser::arrived(const Ask& ask) {
    const auto asked = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& one) { return one.ask == ask; });
    if (asked != asked_.end() && ask.of) {
        const double took_ms = static_cast<double>(clock_.monotonic_ns() - asked->since_ns) / kNsPerMs;
        if (const auto known = known_.find(*ask.of); known != known_.end())
            known->second.usual_ms = smoothed(known->second.usual_ms, took_ms);
        usual_ms_ = smoothed(usual_ms_, took_ms);
    }
    if (!mine_.has(ask.piece)) mine_.set(ask.piece), taken_.set(ask.piece);
    lost_.clear(ask.piece), refused_.erase(ask.piece);
    draws_.saw(ask.piece);
    to_draw_.erase(ask.piece);
    std::vector<Ask> needless;
    for (size_t i = asked_.size(); i-- > 0;) {
        if (asked_[i].ask.piece != ask.piece) continue;
        if (asked_[i].ask != ask) needless.push_back(asked_[i].ask);
        settle(asked_.begin() + static_cast<ptrdiff_t>(i));
    }
    return needless;
}

void Chooser::failed(const Ask& ask) {
    const auto asked = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& one) { return one.ask == ask; });
    if (asked != asked_.end()) settle(asked);
}

/// It is under way no more. What was to come of the source has to come all the same.
void Chooser::settle(std::vector<Asked>::iterator asked) {
    const Ask ask = asked->ask;
    const auto known = ask.of ? known_.find(*ask.of) : known_.end();
    const bool was_draw = !ask.of || (known != known_.end() && known->second.is_holder);
    if (known != known_.end()) --known->second.asked;
    was_draw ? --drawing_ : --asked_of_getters_;
    asked_.erase(asked);
    may_ask_ = true;
    if (was_draw) drawing_map_.clear(ask.piece);
    if (mine_.has(ask.piece) || is_asked(ask.piece)) return;
    taken_.clear(ask.piece);
    if (was_draw) to_draw_.insert(ask.piece);
}

bool Chooser::is_asked(uint64_t piece) const {
    return std::any_of(asked_.begin(), asked_.end(),
                       [&](const Asked& one) { return one.ask.piece == piece && !one.is_late; });
}

// --- what to ask ---

std::vector<Ask> Chooser::next() {
    std::vector<Ask> out;
    look_for_late();
    look_for_lost();
    draw(out);
    want_extra();
    ask_getters(out);
    ask_again(out);
    return out;
}

void Chooser::note(std::vector<Ask>& out, Ask ask) {
    const bool is_draw = !ask.of || known_.at(*ask.of).is_holder;
    if (ask.of) ++known_.at(*ask.of).asked, ++known_.at(*ask.of).load;
    is_draw ? ++drawing_ : ++asked_of_getters_;
    if (is_draw) drawing_map_.set(ask.piece);
    taken_.set(ask.piece);
    asked_.push_back({ask, clock_.monotonic_ns()});
    out.push_back(ask);
}

uint32_t Chooser::draws_most() const {
    return draws_.is_alone() ? std::max(options_.draws_most, options_.draws_alone) : options_.draws_most;
}

/// A member alone asks the more of each, the fewer holders there are, so that as much is drawn at once as of an origin.
/// With others, each asks little: a holder sends few pieces at once, and what waits there is late.
uint32_t Chooser::holder_window() const {
    if (!draws_.is_alone()) return options_.window;
    const auto holders = static_cast<uint32_t>(
        std::count_if(known_.begin(), known_.end(), [](const auto& one) { return one.second.is_holder; }));
    return std::max(options_.window, (draws_most() + holders - 1) / std::max(holders, 1u));
}

/// A holder that has room; nothing also when there is none at all.
std::optional<Neighbour> Chooser::free_holder() const {
    const uint32_t window = holder_window();
    std::optional<Neighbour> best;
    for (const auto& [neighbour, known] : known_)
        if (known.is_holder && known.asked < window && (!best || known.asked < known_.at(*best).asked))
            best = neighbour;
    return best;
}

/// Holders before the origin.
void Chooser::draw(std::vector<Ask>& out) {
    for (const uint64_t piece : draws_.due()) to_draw_.insert(piece);
    if (to_draw_.empty()) return;
    const bool has_holder =
        std::any_of(known_.begin(), known_.end(), [](const auto& one) { return one.second.is_holder; });
    for (auto at = to_draw_.begin(); at != to_draw_.end() && drawing_ < draws_most();) {
        const uint64_t piece = *at;
        if (!draws_.there().has(piece) && !is_asked(piece)) {
            const auto holder = free_holder();
            if (has_holder && !holder) return;
            if (!holder && !takes_from_origin(piece)) {
                ++at;
                continue;
            }
            note(out, {holder, piece});
        }
        at = to_draw_.erase(at);
    }
}

/// Whether it may; then it is noted as drawn.
bool Chooser::takes_from_origin(uint64_t piece) {
    const bool is_extra = draws_.is_extra(piece);
    if (is_extra && !is_within_budget(piece)) {
        const int64_t now = clock_.monotonic_ns();
        const int64_t since = refused_.try_emplace(piece, now).first->second;
        if (now - since < static_cast<int64_t>(patience_ms(piece)) * kNsPerMs) return false;
        ++drawn_.over_budget;
    }
    count_draw(piece, is_extra);
    refused_.erase(piece);
    return true;
}

void Chooser::count_draw(uint64_t piece, bool is_extra) {
    budget_.drew(size_of_(piece), is_extra);
    if (!is_extra) ++drawn_.owned;
    else if (draws_.is_lost(piece)) ++drawn_.again;
    else {
        ++drawn_.taken_over;
        if (const std::string owner = draws_.owner_of(piece); owner != self_) drawn_.late_owners.insert(owner);
    }
}

bool Chooser::is_slow(Neighbour neighbour) const {
    const auto known = known_.find(neighbour);
    return known != known_.end() && usual_ms_ > 0 && known->second.usual_ms > kSlow * usual_ms_;
}

bool Chooser::is_within_budget(uint64_t piece) const { return budget_.allows(size_of_(piece), undrawn_bytes(piece)); }

/// What nobody has drawn, nor draws, as far as this member knows.
uint64_t Chooser::undrawn_bytes(uint64_t but_for) const {
    HaveMap undrawn(mine_.pieces());
    undrawn.set_all();
    undrawn.clear(but_for);
    undrawn.remove(draws_.there());
    undrawn.remove(drawing_map_);
    for (const auto& [neighbour, known] : known_)
        if (known.drawing.pieces() == undrawn.pieces()) undrawn.remove(known.drawing);
    uint64_t bytes = 0;
    const HaveMap none(mine_.pieces());
    for (auto piece = none.first_wanted(undrawn); piece; piece = none.first_wanted(undrawn, *piece + 1))
        bytes += size_of_(*piece);
    return bytes;
}

void Chooser::want_extra() {
    uint64_t bytes = wants_comparison_ ? budget_.piece_bytes_most() : 0;
    for (const uint64_t piece : to_draw_)
        if (refused_.contains(piece)) bytes += size_of_(piece);
    budget_.want(bytes);
}

/// How long a piece that is over the budget is left to others; to nobody, when nobody can be reached. Where a member
/// has gone, it may be lost with it.
uint64_t Chooser::patience_ms(uint64_t piece) const {
    bool is_anybody = false;
    for (const auto& [neighbour, known] : known_) {
        if (known.is_holder) continue;
        is_anybody = true;
        if (known.pieces.has(piece) || known.drawing.has(piece)) return options_.budget.patience_ms;
    }
    if (!is_anybody) return 0;
    return gone_.empty() && !are_fewer_ ? options_.budget.patience_unknown_ms : draws_.late_ms();
}

bool Chooser::compares(uint64_t piece, uint64_t one_in) {
    wants_comparison_ |= random_.below(one_in) == 0;
    if (!wants_comparison_) return false;
    const bool now = is_within_budget(piece);
    if (now) budget_.drew(size_of_(piece), true), ++drawn_.compared, wants_comparison_ = false;
    want_extra();
    return now;
}

/// Of a few random ones, each the first after a random place, the one that the fewest neighbours have: what is new gets
/// about.
std::optional<uint64_t> Chooser::wanted_of(const Known& getter) const {
    std::optional<uint64_t> rarest;
    size_t fewest = std::numeric_limits<size_t>::max();
    for (int i = 0; i < kLookedAt; ++i) {
        auto piece = taken_.first_wanted(getter.pieces, random_.below(mine_.pieces()));
        if (!piece) piece = taken_.first_wanted(getter.pieces);
        if (!piece) return std::nullopt;
        const size_t having = neighbours_with(*piece);
        if (having < fewest) fewest = having, rarest = piece;
    }
    return rarest;
}

size_t Chooser::neighbours_with(uint64_t piece) const {
    return static_cast<size_t>(std::count_if(known_.begin(), known_.end(), [&](const auto& one) {
        return !one.second.is_holder && one.second.pieces.has(piece);
    }));
}

/// Those of whom something may be asked, the ones of whom least is asked first, by anybody: who knew only how soon they
/// answered last would find many at one, and the wires of others idle. Of equals a random one.
std::vector<Neighbour> Chooser::free_getters() const {
    std::vector<std::pair<std::pair<uint64_t, uint64_t>, Neighbour>> ranked;
    for (const auto& [neighbour, getter] : known_)
        if (!getter.is_holder && getter.asked < options_.window)
            ranked.push_back({{std::max<uint64_t>(getter.load, getter.asked), random_.u64()}, neighbour});
    std::sort(ranked.begin(), ranked.end());
    std::vector<Neighbour> out;
    for (const auto& one : ranked) out.push_back(one.second);
    return out;
}

/// Who draws asks for little else: all wait for what is drawn. And the sooner a piece is here, the sooner it is given
/// on: where there are few getters, not all of them send to this one.
uint32_t Chooser::asks_most() const {
    if (drawing_ == 0) return options_.asks_most;
    const auto getters = static_cast<uint32_t>(
        std::count_if(known_.begin(), known_.end(), [](const auto& one) { return !one.second.is_holder; }));
    return std::min(options_.asks_while_drawing, std::max((getters + 1) / 2, 1u));
}

void Chooser::ask_getters(std::vector<Ask>& out) {
    const uint32_t most = asks_most();
    if (!may_ask_ || asked_of_getters_ >= most) return;
    for (bool more = true; more && asked_of_getters_ < most && !taken_.full();) {
        more = false;
        for (const Neighbour neighbour : free_getters()) {
            if (asked_of_getters_ >= most) return;
            const auto piece = wanted_of(known_.at(neighbour));
            if (!piece) continue;
            note(out, {neighbour, *piece});
            more = true;
        }
    }
    may_ask_ = false;
}

/// Another getter that has the piece, was not asked for it, and has room.
std::optional<Neighbour> Chooser::another(uint64_t piece) const {
    for (const auto& [neighbour, getter] : known_) {
        if (getter.is_holder || getter.asked >= options_.window || !getter.pieces.has(piece)) continue;
        const Ask ask{neighbour, piece};
        const bool was_asked =
            std::any_of(asked_.begin(), asked_.end(), [&](const Asked& one) { return one.ask == ask; });
        if (!was_asked) return neighbour;
    }
    return std::nullopt;
}

/// One of the last pieces, once it has taken its usual time.
void Chooser::ask_again(std::vector<Ask>& out) {
    if (!taken_.full() || missing() > std::min<uint64_t>(options_.last_pieces, mine_.pieces() / 32 + 1)) return;
    const std::vector<Asked> under_way = asked_;
    for (const Asked& one : under_way) {
        const auto age_ms = static_cast<double>(clock_.monotonic_ns() - one.since_ns) / kNsPerMs;
        const bool is_only = std::count_if(asked_.begin(), asked_.end(),
                                           [&](const Asked& other) { return other.ask.piece == one.ask.piece; }) == 1;
        if (!one.ask.of || !is_only || age_ms < usual_ms(one.ask)) continue;
        if (const auto neighbour = another(one.ask.piece)) note(out, {*neighbour, one.ask.piece}), ++asked_twice_;
    }
}

double Chooser::usual_ms(const Ask& ask) const {
    const auto known = ask.of ? known_.find(*ask.of) : known_.end();
    return known != known_.end() && known->second.usual_ms > 0 ? known->second.usual_ms : usual_ms_;
}

/// The origin's answers are its own requests' to judge.
int64_t Chooser::late_ns(const Asked& asked) const {
    const double late_ms =
        std::max(static_cast<double>(options_.late_ms_least), options_.late_factor * usual_ms(asked.ask));
    return asked.since_ns + static_cast<int64_t>(late_ms) * kNsPerMs;
}

/// Nothing is late before that; what was asked first stands first.
int64_t Chooser::soonest_late_ns() const {
    const auto first =
        std::find_if(asked_.begin(), asked_.end(), [](const Asked& asked) { return !asked.is_late && asked.ask.of; });
    if (first == asked_.end()) return std::numeric_limits<int64_t>::max();
    return first->since_ns + static_cast<int64_t>(options_.late_ms_least) * kNsPerMs;
}

void Chooser::look_for_late() {
    const int64_t now = clock_.monotonic_ns();
    if (now < soonest_late_ns()) return;
    for (Asked& asked : asked_) {
        if (asked.is_late || !asked.ask.of || now < late_ns(asked)) continue;
        asked.is_late = true;
        if (is_asked(asked.ask.piece)) continue;
        taken_.clear(asked.ask.piece), may_ask_ = true;
        ++asked_twice_;
        if (known_.at(*asked.ask.of).is_holder) to_draw_.insert(asked.ask.piece);
    }
}

/// All getters are neighbours: what none of them has is nowhere, but for news that are on their way.
bool Chooser::knows_all() const {
    const auto getters =
        std::count_if(known_.begin(), known_.end(), [](const auto& one) { return !one.second.is_holder; });
    return static_cast<size_t>(getters) + 1 >= draws_.owners();
}

/// As long as a piece may take from one of the neighbours' neighbours: a few answers.
uint64_t Chooser::lost_ms() const {
    if (knows_all()) return kNewsAwayMs;
    if (usual_ms_ == 0) return draws_.late_ms();
    return std::max(options_.draws.late_ms_least, static_cast<uint64_t>(kAnswersAway * usual_ms_));
}

/// What some getter had, as all say, and no neighbour has had for a while in which little else was left to ask for, is
/// lost with that getter. Where it is only slow to come, its owner has it and draws nothing.
void Chooser::look_for_lost() {
    const int64_t now = clock_.monotonic_ns();
    const auto is_waiting = [this](uint64_t piece) { return refused_.contains(piece); };
    const bool is_starving = missing() > 0 && std::all_of(to_draw_.begin(), to_draw_.end(), is_waiting) &&
                             std::all_of(asked_.begin(), asked_.end(), [](const Asked& one) { return one.is_late; });
    if (!is_starving) starving_since_ns_ = -1;
    else if (starving_since_ns_ < 0) starving_since_ns_ = now;
    if (missing() == 0 || now - lost_looked_ns_ < static_cast<int64_t>(lost_ms()) * kNsPerMs) return;
    lost_looked_ns_ = now;
    if (faults::broken("lost-piece")) return;
    if (may_ask_ || asked_of_getters_ >= options_.asks_while_drawing) return;  // a rare one only waits its turn
    HaveMap nowhere = draws_.there();
    nowhere.remove(taken_);
    for (const auto& [neighbour, known] : known_)
        if (!known.is_holder) nowhere.remove(known.pieces);
    const HaveMap none(mine_.pieces());
    for (auto piece = none.first_wanted(nowhere); piece; piece = none.first_wanted(nowhere, *piece + 1)) {
        if (!nowhere_.has(*piece)) continue;
        lost_.set(*piece);
        ++lost_count_;
        draws_.lost(*piece);
    }
    nowhere_ = std::move(nowhere);
}

uint64_t Chooser::starving_ms() const {
    if (starving_since_ns_ < 0) return 0;
    return static_cast<uint64_t>((clock_.monotonic_ns() - starving_since_ns_) / kNsPerMs);
}

std::optional<uint64_t> Chooser::wake_ms() const {
    std::optional<uint64_t> next = draws_.wake_ms();
    const int64_t now = clock_.monotonic_ns();
    const auto at = [&](int64_t ns) {
        const uint64_t ms = ms_until(ns, now);
        next = std::min(next.value_or(ms), ms);
    };
    if (const int64_t soonest = soonest_late_ns(); soonest > now) {
        if (soonest != std::numeric_limits<int64_t>::max()) at(soonest);
    } else {
        for (const Asked& asked : asked_)
            if (!asked.is_late && asked.ask.of) at(late_ns(asked));
    }
    if (std::any_of(to_draw_.begin(), to_draw_.end(), [this](uint64_t piece) { return refused_.contains(piece); }))
        at(now + static_cast<int64_t>(kLookAgainMs) * kNsPerMs);
    if (missing() > 0) at(lost_looked_ns_ + static_cast<int64_t>(lost_ms()) * kNsPerMs);
    return next;
}

}  // namespace zcdp::swarm
