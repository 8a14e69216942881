// Which pieces this member draws from the source, and when. The source is the origin, or members who have had all from
// the start; to draw is to ask it for a piece that no getter has. All else getters have from each other.
//
// What is known everywhere, by gossip that is quicker than pieces are: which pieces some getter has ("there"). From it
// each member finds the same answers alone, without a coordinator:
//  - Pieces are drawn in their order, and only a window of them at once in the whole swarm: the first so many that are
//    not there yet. A thousand owners who asked at once would share the source's wire, and all pieces would come at the
//    very end, with nothing to trade before. The window begins small and doubles while that brings more, for a source
//    whose single connections are slow.
//  - A piece in the window is drawn by its owner (owners.hpp). How long a draw takes follows from how many are under
//    way and how many come (Little's law). After twice that it holds the window no more, so that the source does not
//    wait for a slow owner; after several times that it falls to the next in turn, too. So an owner that hangs, or is
//    gone unnoticed, costs a wait.
//
// Pure but for the clock's interface. Thread rule: belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/swarm/have_map.hpp"
#include "zcdp/swarm/owners.hpp"

namespace zcdp::swarm {

struct DrawOptions {
    uint32_t window_first = 8, window_most = 4096;  ///< pieces under way from the source to all members; at first a
                                                    ///< 16th of all at most
    uint32_t window_alone = 64;                     ///< the least for a member without others
    uint32_t seen_least = 8;                        ///< pieces that come, for a window to be measured
    double worth = 1.4;                             ///< a doubled window stays when it brings so many times as much
    double slow_factor = 2;                         ///< a draw holds the window for so many times the usual time
    double late_factor = 4;                         ///< the next in turn follows after so many times the usual time
    uint64_t late_ms_least = 1'000, late_ms_most = 300'000;  ///< but never sooner, nor later
    uint64_t unknown_ms = 5'000;                             ///< the usual time of a draw while none has been seen
};

class Draws {
  public:
    /// `there` is what is here already. `self` may be none of the owners: then it draws only when all of them are late.
    Draws(std::string self, const HaveMap& there, std::shared_ptr<const Owners> owners, const Clock& clock,
          DrawOptions options = {});

    /// Others belong to the swarm now. Who draws a piece already, as far as this member knows, goes on with it.
    void set_owners(std::shared_ptr<const Owners> owners);
    /// Some getter has it, perhaps this one. Said twice, it counts once.
    void saw(uint64_t piece);
    void saw(const HaveMap& pieces);
    /// Another member has begun to draw it: whoever owns it, it falls to this one only when that takes too long.
    /// `was_waiting`: it had fallen to this one, which has not begun.
    void drawn_elsewhere(uint64_t piece, bool was_waiting);
    /// Who drew them can be reached no more: they fall to whose turn it is.
    void not_drawn(const HaveMap& pieces);
    /// No getter has it any more: it is drawn once more, as if it had never been there.
    void lost(uint64_t piece);

    /// The pieces that have fallen to this member since the last call.
    std::vector<uint64_t> due();
    /// In how many milliseconds due() may have something though nothing was seen; nullopt: not by itself.
    std::optional<uint64_t> wake_ms() const;

    const HaveMap& there() const { return there_; }
    /// Whether somebody else draws it, too, or has drawn it: it is late with its owner, or was lost.
    bool is_extra(uint64_t piece) const;
    bool is_lost(uint64_t piece) const { return lost_.contains(piece); }
    /// "" when there are no owners.
    std::string owner_of(uint64_t piece) const;
    /// Nobody else draws.
    bool is_alone() const;
    size_t owners() const { return owners_->members().size(); }
    uint32_t window() const;
    /// How long a draw may take before the next in turn draws, too.
    uint64_t late_ms() const;
    /// How many pieces fell to this member because somebody before it was late.
    uint64_t taken_over() const { return taken_over_; }

  private:
    /// A piece that some member draws now, as far as this one knows.
    struct Awaited {
        int64_t since_ns;
        std::optional<uint64_t> turn;  ///< of this member; found when the owner is late
        bool is_slow = false, is_due = false, is_elsewhere = false;
    };
    std::vector<uint64_t> kept_of(const Owners& before);
    void open_window();
    void await(uint64_t piece);
    void measure();
    void look_for_late();
    int64_t slow_ns(const Awaited& awaited, uint64_t late_ms) const;
    static int64_t due_ns(const Awaited& awaited, uint64_t late_ms);

    const std::string self_;
    const DrawOptions options_;
    const Clock& clock_;
    std::shared_ptr<const Owners> owners_;
    std::optional<size_t> self_index_;  ///< among the owners
    HaveMap there_;
    std::map<uint64_t, Awaited> awaited_;  ///< all that is in the window, or was and is late
    uint64_t next_ = 0;                    ///< the first piece that never was in the window
    uint32_t punctual_ = 0;                ///< of awaited_, those that are not late
    std::set<uint64_t> elsewhere_;         ///< drawn by others before it was in the window
    std::set<uint64_t> lost_;              ///< and not there again
    std::vector<uint64_t> due_;
    uint64_t taken_over_ = 0;

    uint32_t window_;
    bool is_trial_ = false, settled_ = false;  ///< the window was doubled to see; no doubling helps
    uint64_t seen_ = 0;                        ///< in this measurement
    int64_t began_ns_;                         ///< this measurement
    double rate_ = 0, rate_before_ = 0;        ///< pieces a nanosecond: now; with half the window
};

}  // namespace zcdp::swarm
