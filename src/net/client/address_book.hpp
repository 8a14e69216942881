// Which of a name's addresses the next connection goes to: the one with the fewest, but none whose answers come much
// later, whose bodies come much slower than the others', or who says nothing at all. Such a one is looked at again
// after a while by a single connection. Slow is only who is slower than others: where all are, none is avoided.
//
// Pure: the caller brings the time, in nanoseconds of a clock that never goes back. Thread rule: belongs to its loop.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "src/net/client/address_notes.hpp"

namespace zcdp::net {

/// One address, as its connections have found it.
struct Address {
    boost::asio::ip::tcp::endpoint endpoint;
    uint32_t connections = 0;  ///< open now
    bool known = false;        ///< it was tried
    uint64_t answers = 0;
    double answer_ms = 0;                         ///< from a request to its answer's header, smoothed
    uint32_t late_in_a_row = 0;                   ///< answers
    uint64_t body_bytes = 0, body_waited_ns = 0;  ///< lately
    bool avoided = false;
    bool slow_body = false;      ///< avoided for that: what is left of a body is better asked for elsewhere
    bool slow_bodies = false;    ///< avoided for that, until a body shows that it is over
    uint32_t strikes = 0;        ///< the more, the longer it is avoided
    uint64_t probe_at_ns = 0;    ///< when it is avoided: one more connection may try it from then on
    uint64_t stalled_at_ns = 0;  ///< a request was given up here
};

class AddressBook {
  public:
    explicit AddressBook(std::shared_ptr<AddressNotes> notes = nullptr) : notes_(std::move(notes)) {}
    /// What the name resolves to now; what is known of addresses that were there before is kept.
    void set(std::span<const boost::asio::ip::tcp::endpoint> endpoints);
    size_t size() const { return addresses_.size(); }
    /// Where the next connection goes, of those that are not in `tried`; null when all are.
    std::shared_ptr<Address> next(uint64_t now_ns, std::span<const std::shared_ptr<Address>> tried);
    /// Whether another connection is worth it, also when there is an idle one: to try an avoided address again, or one
    /// of which nothing is known while those that are known answer late.
    bool wants_connection(uint64_t now_ns) const { return curious_ || (avoided_ > 0 && due(now_ns) != nullptr); }

    /// An answer's header came `ms` after its request.
    void answered(Address& address, double ms, uint64_t now_ns);
    /// So much of a long body came, after the peer was waited for that long.
    void body_came(Address& address, size_t bytes, uint64_t waited_ns, uint64_t now_ns) {
        address.body_bytes += bytes;
        address.body_waited_ns += waited_ns < kWaitMostNs ? waited_ns : kWaitMostNs;
        if (address.body_waited_ns >= kJudgedNs || address.body_bytes >= kJudgedBytes) judge_body(address, now_ns);
    }
    /// A whole answer came: what was avoided may have recovered.
    void finished(Address& address) {
        if (address.avoided) pardon(address);
    }
    /// It takes no connection, or ends them without an answer.
    void failed(Address& address, uint64_t now_ns) { strike(address, now_ns); }
    /// A request waited in vain, which happens anywhere: the next connections go elsewhere if they can.
    void stalled(Address& address, uint64_t now_ns) {
        address.stalled_at_ns = now_ns;
        note(address);
    }

    /// For a request that waits: how many answers there were when it began to.
    struct Watch {
        uint64_t here, elsewhere;
    };
    Watch watch(const Address& address) const { return {address.answers, answers_ - address.answers}; }
    /// Whether a request that has waited `waited_ms` at `address` since `since` should be sent to another address. Yes,
    /// if this one has answered nobody since, and the others have answered several times each. For an address that has
    /// never answered, or that was avoided and is only tried again, being late is enough.
    bool silent(const Address& address, Watch since, double waited_ms) const;
    /// A request was taken from it because silent() said so: it is avoided from now on.
    void gave_up(Address& address, uint64_t now_ns);

  private:
    static constexpr uint64_t kWaitMostNs = 100'000'000;  ///< that one wait counts for: a single stall says little
    static constexpr uint64_t kJudgedNs = 1'000'000'000, kJudgedBytes = 64 << 20;
    Address* due(uint64_t now_ns) const;
    size_t others_in_use(const Address& address) const;
    bool is_late(const Address& address, double ms, uint64_t answers_known) const;
    bool body_is_slow(const Address& address, uint64_t waited_least_ns) const;
    void judge_body(Address& address, uint64_t now_ns);
    void strike(Address& address, uint64_t now_ns);
    void pardon(Address& address);
    void count_avoided();
    void note(const Address& address);
    const std::shared_ptr<AddressNotes> notes_;  ///< may be null
    std::vector<std::shared_ptr<Address>> addresses_;
    size_t avoided_ = 0;  ///< of addresses_
    size_t turn_ = 0;
    bool curious_ = false;  ///< an answer took long, and not every address was ever tried
    uint64_t answers_ = 0;  ///< of all, also of those that are no longer here
};

}  // namespace zcdp::net
