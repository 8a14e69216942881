// Who is in which swarm, and who should talk to whom: what controllers keep for agents. Soft state: all of it comes
// back within one round of news, from the members themselves, so a controller that was restarted has lost nothing.
//
// Getters are introduced to each other: who is given a neighbour is given to it, too, when that one asks next, and
// those who have the fewest neighbours are given first. Were it one-sided, those who came first would be asked by
// everybody, and the uplinks of those who came last by nobody.
//
// What a swarm may draw of the origin beyond once is given out here, to who asks first, so that it is given once. Who
// says that it needs all of it costs others a wait.
//
// Pure but for the clock's and the randomness's interfaces. Thread rule: belongs to one thread (its user's lock).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::swarm {

struct IntroducerOptions {
    uint32_t neighbours = 16;       ///< getters a getter has, about: half are given to it, to half it is given
    uint32_t holders_most = 4;      ///< members that have all, besides
    uint32_t strangers_least = 4;   ///< of the getters given to it, from anywhere, so that zones hold together
    uint32_t owners_most = 64;      ///< members that draw from the origin
    uint64_t again_ms = 10'000;     ///< when a member should say its news again
    uint64_t young_ms = 3'000;      ///< for so long after somebody came it should say them sooner, so that all know all
    uint64_t young_again_ms = 200;  ///< or later: all together say them so many times a second at most
    uint64_t news_a_second_most = 4'000;
    uint64_t forget_ms = 30'000;  ///< who said nothing for so long is no member any more
    uint64_t members_most = 20'000, swarms_most = 10'000;
};

/// Whether it can be a member's name, its address or its zone: up to 256 visible ASCII characters.
bool is_member_word(std::string_view text);

/// What a swarm draws of the origin beyond once (origin_budget.hpp).
struct Extra {
    uint64_t most_bytes = 0;     ///< of the whole swarm, as its members reckon it
    uint64_t granted_bytes = 0;  ///< to this member, in all
    uint64_t wanted_bytes = 0;   ///< by it, in all
    bool operator==(const Extra&) const = default;
};

/// What a member says of itself.
struct MemberNews {
    std::string name;     ///< of its node: unique in a swarm
    std::string address;  ///< "10.0.0.7:7443"
    std::string zone;     ///< "" where zones are not known
    bool is_holder = false;
    uint64_t pieces_done = 0;
    std::vector<std::string> neighbours;  ///< it has these; it wants more when they are few
    uint64_t drawn_bytes = 0;             ///< of the origin, since it began to get the dataset
    Extra extra = {};
    bool operator==(const MemberNews&) const = default;
};

struct Introduction {
    struct Neighbour {
        std::string name, address;
        bool is_holder = false;
        bool operator==(const Neighbour&) const = default;
    };
    std::vector<Neighbour> neighbours;  ///< new ones
    std::vector<std::string> gone;      ///< of the neighbours it has, those who are no members any more
    std::vector<std::string> owners;    ///< who draws; sorted. The same for all who have heard the same
    uint64_t members = 0, holders = 0;
    uint64_t again_ms = 0;
    uint64_t drawn_bytes = 0;    ///< by all members, and by those that were members since the swarm began
    uint64_t granted_bytes = 0;  ///< of extra, to who asks, in all
    std::string snapshot;  ///< what others have made of the revision; "": not known. Set by who keeps the Introducer
};

class Introducer {
  public:
    Introducer(const Clock& clock, Random& random, IntroducerOptions options = {});

    /// Errors: refused: a name, address or zone that is none, or too many members or swarms.
    Result<Introduction> meet(const std::string& swarm, const MemberNews& news);
    /// Somebody else says that it holds all. While it says of itself that it gets, that stands. Errors: as meet().
    Result<> hear_of_holder(const std::string& swarm, const MemberNews& holder);
    /// It has what it wanted and serves no more, or it goes.
    void leave(const std::string& swarm, const std::string& member);
    /// Forgets who has said nothing for a while; also done by meet(), for its own swarm.
    void forget_silent();

    uint64_t swarms() const { return swarms_.size(); }

  private:
    struct Member {
        MemberNews news;
        int64_t heard_ns = 0;
        uint64_t rank = 0;                  ///< those with the lowest own the pieces
        std::vector<std::string> given_to;  ///< they were given this one, and it has not been told yet
        uint64_t granted_bytes = 0;
        size_t place = 0;  ///< among the holders, or the getters
        size_t load() const { return news.neighbours.size() + given_to.size(); }
    };
    struct Swarm {
        std::map<std::string, Member> members;
        std::vector<Member*> holders, getters;  ///< all, in any order
        std::vector<std::string> owners;
        bool owners_known = false;
        int64_t grew_ns = 0, forgot_ns = 0;
        int64_t grants_from_ns = 0;
        uint64_t drawn_bytes = 0, granted_bytes = 0;  ///< by and to all that are and were members
    };
    Result<Swarm*> swarm_of(const std::string& name, const MemberNews& news);
    Result<Member*> take(Swarm& swarm, const std::string& name, const MemberNews& news) const;
    void forget_silent(Swarm& swarm) const;
    static void enlist(Swarm& swarm, Member& member);
    static void strike_off(Swarm& swarm, Member& member);
    static void forget(Swarm& swarm, std::map<std::string, Member>::iterator member);
    Member& hear(Swarm& swarm, const std::string& name, const MemberNews& news) const;
    const std::vector<std::string>& owners_of(Swarm& swarm) const;
    std::vector<Member*> some(const std::vector<Member*>& all, const MemberNews& news);
    uint64_t grant(Swarm& swarm, Member& member) const;
    template <class Give>
    void give_getters(Swarm& swarm, Member& member, const size_t& getters, const Give& give);
    void introduce(Swarm& swarm, Member& member, Introduction& out);
    uint64_t again_ms(const Swarm& swarm) const;

    const Clock& clock_;
    Random& random_;
    const IntroducerOptions options_;
    std::map<std::string, Swarm> swarms_;
};

}  // namespace zcdp::swarm
