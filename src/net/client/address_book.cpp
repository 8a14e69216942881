#include "src/net/client/address_book.hpp"

#include <algorithm>
#include <tuple>

#include "zcdp/base/backoff.hpp"

namespace zcdp::net {
namespace {

/// An answer is late when it takes longer than four times what the quickest other address takes, and 100 ms.
constexpr double kLateFactor = 4, kLateMs = 100;
constexpr uint32_t kLateInARow = 3;
constexpr double kCuriousMs = 500;
constexpr uint64_t kAnswersKnown = 8;  ///< before that an address is no measure for others
/// A body is slow that comes at less than two fifths of the quickest other address's rate; 8 MiB/s are never slow.
constexpr double kSlowPart = 0.4, kRateMost = 20 << 20;
constexpr uint64_t kBodyBytesKnown = 1 << 20, kBodyWaitedNs = 500'000'000, kProbeWaitedNs = 50'000'000;
/// An address is silent when each of the others has answered so often meanwhile.
constexpr uint64_t kAnswersMeanwhile = 8;
constexpr uint64_t kStalledNs = 5'000'000'000;
constexpr BackoffLimits kAvoided{1'000, 64'000, Jitter::full};
constexpr uint64_t kForgottenAnswers = 256;

double rate(const Address& address) {
    return static_cast<double>(address.body_bytes) * 1e9 / static_cast<double>(address.body_waited_ns + 1'000'000);
}

/// The whole span: nobody shares this book.
uint64_t pause_ns(uint32_t strikes) { return Backoff(kAvoided, strikes).span_ms() * 1'000'000; }

}  // namespace

void AddressBook::set(std::span<const boost::asio::ip::tcp::endpoint> endpoints) {
    std::vector<std::shared_ptr<Address>> now;
    for (const auto& endpoint : endpoints) {
        const auto is_it = [&](const auto& address) { return address->endpoint == endpoint; };
        if (std::ranges::any_of(now, is_it)) continue;
        const auto known = std::ranges::find_if(addresses_, is_it);
        if (known != addresses_.end()) {
            now.push_back(*known);
            continue;
        }
        const auto note = notes_ ? notes_->read(endpoint) : AddressNotes::Note();
        now.push_back(std::make_shared<Address>(Address{.endpoint = endpoint,
                                                        .avoided = note.avoided,
                                                        .slow_bodies = note.slow_bodies,
                                                        .strikes = note.strikes,
                                                        .probe_at_ns = note.probe_at_ns,
                                                        .stalled_at_ns = note.stalled_at_ns}));
    }
    addresses_ = std::move(now);
    count_avoided();
    if (avoided_ < addresses_.size()) return;
    for (const auto& address : addresses_) address->avoided = address->slow_body = address->slow_bodies = false;
    avoided_ = 0;
}

void AddressBook::count_avoided() {
    avoided_ =
        static_cast<size_t>(std::ranges::count_if(addresses_, [](const auto& address) { return address->avoided; }));
}

Address* AddressBook::due(uint64_t now_ns) const {
    for (const auto& address : addresses_)
        if (address->avoided && now_ns >= address->probe_at_ns) return address.get();
    return nullptr;
}

std::shared_ptr<Address> AddressBook::next(uint64_t now_ns, std::span<const std::shared_ptr<Address>> tried) {
    const Address* probe = due(now_ns);
    std::shared_ptr<Address> best;
    const auto rank = [&](const Address& address) {
        const bool stalled = address.stalled_at_ns != 0 && now_ns - address.stalled_at_ns < kStalledNs;
        return std::tuple(&address != probe, address.avoided, stalled, curious_ && address.known, address.connections);
    };
    const size_t first = addresses_.empty() ? 0 : turn_++ % addresses_.size();
    for (size_t i = 0; i < addresses_.size(); ++i) {
        const auto& address = addresses_[(first + i) % addresses_.size()];
        if (std::ranges::find(tried, address) != tried.end()) continue;
        if (!best || rank(*address) < rank(*best)) best = address;
    }
    curious_ = false;
    if (best) best->known = true;
    if (best && best.get() == probe) {
        best->probe_at_ns = now_ns + pause_ns(best->strikes++);
        best->slow_body = false;
        best->late_in_a_row = 0;
        best->body_bytes = best->body_waited_ns = 0;
    }
    return best;
}

size_t AddressBook::others_in_use(const Address& address) const {
    return static_cast<size_t>(std::ranges::count_if(
        addresses_, [&](const auto& other) { return other.get() != &address && !other->avoided; }));
}

void AddressBook::note(const Address& address) {
    if (notes_)
        notes_->write(address.endpoint, {address.avoided, address.slow_bodies, address.strikes, address.probe_at_ns,
                                         address.stalled_at_ns});
}

bool AddressBook::is_late(const Address& address, double ms, uint64_t answers_known) const {
    if (ms <= kLateMs) return false;
    for (const auto& other : addresses_) {
        if (other.get() == &address || other->avoided || other->answers < answers_known) continue;
        if (ms > other->answer_ms * kLateFactor && ms > other->answer_ms + kLateMs) return true;
    }
    return false;
}

void AddressBook::answered(Address& address, double ms, uint64_t now_ns) {
    const bool late = is_late(address, ms, kAnswersKnown);
    address.answer_ms += address.answers == 0 ? ms : (ms - address.answer_ms) / 8;
    ++address.answers, ++answers_;
    if (ms > kCuriousMs) curious_ = std::ranges::any_of(addresses_, [](const auto& other) { return !other->known; });
    address.late_in_a_row = late ? address.late_in_a_row + 1 : 0;
    if (address.late_in_a_row >= kLateInARow) strike(address, now_ns);
    if (address.strikes > 0 && !address.avoided && address.answers % kForgottenAnswers == 0) --address.strikes;
}

bool AddressBook::body_is_slow(const Address& address, uint64_t waited_least_ns) const {
    if (address.body_waited_ns < waited_least_ns) return false;
    for (const auto& other : addresses_) {
        if (other.get() == &address || other->avoided || other->body_bytes < kBodyBytesKnown) continue;
        if (rate(address) < kSlowPart * std::min(rate(*other), kRateMost)) return true;
    }
    return false;
}

/// What is older counts less and less.
void AddressBook::judge_body(Address& address, uint64_t now_ns) {
    if (!address.slow_body && body_is_slow(address, kBodyWaitedNs)) {
        strike(address, now_ns);
        address.slow_body = address.slow_bodies = address.avoided;
        note(address);
    }
    address.body_bytes /= 2;
    address.body_waited_ns /= 2;
}

bool AddressBook::silent(const Address& address, Watch since, double waited_ms) const {
    const size_t others = others_in_use(address);
    const Watch now = watch(address);
    if (others == 0 || now.here != since.here) return false;
    if ((address.avoided || address.answers == 0) && is_late(address, waited_ms, 1)) return true;
    return now.elsewhere - since.elsewhere >= kAnswersMeanwhile * others;
}

void AddressBook::gave_up(Address& address, uint64_t now_ns) {
    address.late_in_a_row = kLateInARow;
    strike(address, now_ns);
}

/// Never the last one that is in use.
void AddressBook::strike(Address& address, uint64_t now_ns) {
    if (address.avoided || others_in_use(address) == 0) return;
    address.avoided = true;
    address.probe_at_ns = now_ns + pause_ns(address.strikes++);
    count_avoided();
    note(address);
}

void AddressBook::pardon(Address& address) {
    if (address.late_in_a_row > 0 || address.slow_body || body_is_slow(address, kProbeWaitedNs)) return;
    if (address.slow_bodies && address.body_bytes < kBodyBytesKnown) return;
    address.avoided = address.slow_bodies = false;
    count_avoided();
    note(address);
}

}  // namespace zcdp::net
