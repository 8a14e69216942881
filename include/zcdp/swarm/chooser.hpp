// What one member of a swarm asks of whom next: the decider that agents run over sockets and the simulation over an
// in-memory network (docs/design.md section 6). Pure but for the clock's and the randomness's interfaces.
//
// Who uses it says what happens (a neighbour has a piece, a piece arrived, an ask failed) and then takes what to ask.
//  - Of a getter: a piece that it has and this member wants, the rarest of a few random ones. Of those whom least is
//  asked of, as they say; and little at once, for
//    what comes soon is soon given on.
//  - Of the source, which is the origin or neighbours that have had all from the start: what falls to this member
//    (draws.hpp). Of the origin nothing more than once while that is over the budget (origin_budget.hpp) and somebody
//    who can be reached has the piece or draws it, nor for some times its usual time while nobody is known to; then it
//    is drawn all the same.
//  - An answer that is late, by its neighbour's own measure, is asked for elsewhere; so is one of the last pieces.
//  - A piece that was there, as others said, and that no neighbour has had while there was little else to ask for, is
//    lost with whoever had it: it is drawn again.
// Thread rule: belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/swarm/draws.hpp"
#include "zcdp/swarm/have_map.hpp"
#include "zcdp/swarm/origin_budget.hpp"
#include "zcdp/swarm/session_state.hpp"
#include "zcdp/swarm/wire.hpp"

namespace zcdp::swarm {

struct ChooserOptions {
    uint32_t window = 1;     ///< pieces asked of one neighbour at once; of holders more by a member without others
    uint32_t asks_most = 4;  ///< of all getters at once
    uint32_t asks_while_drawing = 3;
    uint32_t draws_most = 8;    ///< of the source at once
    uint32_t draws_alone = 32;  ///< the same for a member without others: as many as an ordinary sync
    uint32_t last_pieces = 16;  ///< with so many missing, or a 32nd of all if that is less, one is asked for twice
    uint64_t late_ms_least = 500;
    double late_factor = 4;  ///< an answer is late after so many times its neighbour's usual time
    DrawOptions draws = {};
    OriginBudgetOptions budget = {};
};

/// How many bytes a piece has.
using PieceSize = std::function<uint64_t(uint64_t piece)>;

/// A neighbour, by a number that its user has given it.
using Neighbour = uint32_t;

struct Ask {
    std::optional<Neighbour> of;  ///< nobody: the origin
    uint64_t piece = 0;
    bool operator==(const Ask&) const = default;
};

class Chooser {
  public:
    /// `mine` is what is here already; `self` may be none of the owners. Without `size_of` all pieces are as long.
    Chooser(std::string self, HaveMap mine, std::shared_ptr<const Owners> owners, const Clock& clock, Random& random,
            ChooserOptions options = {}, PieceSize size_of = {});

    /// Others belong to the swarm now. What is under way stays so; what was to be drawn here may be another's to draw.
    void set_owners(std::shared_ptr<const Owners> owners);
    /// A getter's news; with the first it becomes a neighbour. What it had and says no more it has no more.
    void has(Neighbour getter, const News& news);
    /// A neighbour that has had all from the start.
    void has_all(Neighbour holder);
    /// It cannot be reached, or is banned: what was asked of it is asked elsewhere, and what it drew is drawn by others
    /// once they are told that it owns nothing (set_owners), or when it is late.
    void gone(Neighbour neighbour);
    /// So many members there are, as controllers say.
    void heard_members(uint64_t members);
    /// The piece is here, verified. Gives what else was asked for it, which need not be answered.
    std::vector<Ask> arrived(const Ask& ask);
    /// What was asked will not come: an error, a refusal, wrong bytes.
    void failed(const Ask& ask);

    /// What to ask now, noted as asked. Empty: nothing, until something happens or wake_ms() have passed.
    std::vector<Ask> next();
    /// How long nothing can change by itself; nullopt: for ever.
    std::optional<uint64_t> wake_ms() const;

    /// Whether a piece that a neighbour has is to be drawn and compared; if so, that is noted as drawn. Each call has a
    /// chance of one in `one_in` to want a comparison, which may be made with a later piece, when the budget allows it.
    bool compares(uint64_t piece, uint64_t one_in);
    /// What controllers are told of the budget, and answer.
    OriginBudget& budget() { return budget_; }

    /// How long nothing is under way though pieces are missing, as next() has seen it; then more neighbours are needed.
    uint64_t starving_ms() const;

    const HaveMap& mine() const { return mine_; }
    /// What some getter has, and what this member draws now: neighbours are told.
    const HaveMap& there() const { return draws_.there(); }
    const HaveMap& drawing() const { return drawing_map_; }
    const Draws& draws() const { return draws_; }
    /// Pieces that were asked for a second time.
    uint64_t asked_twice() const { return asked_twice_; }
    uint64_t lost() const { return lost_count_; }
    /// Of the origin.
    const DrawnPieces& drawn() const { return drawn_; }
    /// Much slower than this member's other neighbours.
    bool is_slow(Neighbour neighbour) const;

  private:
    struct Asked {
        Ask ask;
        int64_t since_ns;
        bool is_late = false;
    };
    struct Known {
        HaveMap pieces;  ///< nothing for a holder: what may be asked of one is not what it has
        HaveMap drawing;
        bool is_holder = false;
        uint32_t asked = 0;
        uint64_t load = 0;    ///< as it said last, and what was asked of it since
        double usual_ms = 0;  ///< smoothed time of its answers; 0: none yet
    };

    void drawn_elsewhere(uint64_t piece);
    void draw(std::vector<Ask>& out);
    bool takes_from_origin(uint64_t piece);
    void count_draw(uint64_t piece, bool is_extra);
    bool is_within_budget(uint64_t piece) const;
    uint64_t undrawn_bytes(uint64_t but_for) const;
    void want_extra();
    uint64_t patience_ms(uint64_t piece) const;
    void ask_getters(std::vector<Ask>& out);
    void ask_again(std::vector<Ask>& out);
    void look_for_late();
    void look_for_lost();
    uint64_t lost_ms() const;
    bool knows_all() const;
    void draws_nothing(Neighbour neighbour);
    void note(std::vector<Ask>& out, Ask ask);
    void settle(std::vector<Asked>::iterator asked);
    std::optional<uint64_t> wanted_of(const Known& getter) const;
    size_t neighbours_with(uint64_t piece) const;
    uint32_t draws_most() const;
    uint32_t holder_window() const;
    std::optional<Neighbour> free_holder() const;
    std::optional<Neighbour> another(uint64_t piece) const;
    bool is_asked(uint64_t piece) const;
    uint32_t asks_most() const;
    std::vector<Neighbour> free_getters() const;
    uint64_t missing() const { return mine_.pieces() - mine_.count(); }
    int64_t late_ns(const Asked& asked) const;
    int64_t soonest_late_ns() const;
    double usual_ms(const Ask& ask) const;

    const std::string self_;
    const ChooserOptions options_;
    const PieceSize size_of_;
    const Clock& clock_;
    Random& random_;
    HaveMap mine_, taken_;  ///< taken: mine, and what is asked for and not late
    HaveMap nowhere_;       ///< what was there, and no neighbour had, when that was looked at last
    HaveMap lost_;          ///< what neighbours say is there, and no one of them has
    HaveMap drawing_map_;
    Draws draws_;
    OriginBudget budget_;
    std::map<Neighbour, Known> known_;
    std::set<Neighbour> gone_;  ///< and not back
    std::vector<Asked> asked_;
    std::set<uint64_t> to_draw_;
    std::map<uint64_t, int64_t> refused_;  ///< pieces that were over the budget, since when
    uint64_t members_ = 0;
    bool are_fewer_ = false;  ///< members than there were
    bool wants_comparison_ = false;
    bool may_ask_ = true;  ///< some getter may have something to ask for since none was found
    uint32_t asked_of_getters_ = 0, drawing_ = 0;
    uint64_t asked_twice_ = 0, lost_count_ = 0;
    DrawnPieces drawn_;
    double usual_ms_ = 0;             ///< of all getters' answers
    int64_t starving_since_ns_ = -1;  ///< nothing is under way since; -1: something is
    int64_t lost_looked_ns_;
};

}  // namespace zcdp::swarm
