#include "src/net/client/http_response.hpp"

#include <algorithm>
#include <cstring>

#include "src/net/client/chunked.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::net {
namespace {

/// With less left of a slow body another request costs more than it saves.
constexpr uint64_t kWorthMovingBytes = 256 << 10;
/// A body no longer than this says nothing of what an address gives.
constexpr uint64_t kShortBodyBytes = 1 << 20;

class HttpResponse final : public Response {
  public:
    HttpResponse(Loan loan, ResponseHeader header, bool bodiless, const Limits& limits, uint32_t silence_ms,
                 Deadline deadline)
        : loan_(std::move(loan)),
          addresses_(loan_.addresses()),
          header_(std::move(header)),
          limits_(limits),
          silence_ms_(silence_ms),
          deadline_(deadline),
          peer_(loan_.connection->transport.peer()) {
        if (bodiless) left_ = 0;
        else if (!header_.chunked()) left_ = header_.content_length();
        if (left_ == 0) finish();
        else window_began_ns_ = heard_ns_ = loan_.connection->transport.waited_ns();
    }

    int status() const override { return header_.status(); }
    std::string_view header(std::string_view name) const override { return header_.field(name); }
    std::optional<uint64_t> body_bytes() const override { return header_.chunked() ? std::nullopt : stated_; }
    const std::string& peer() const override { return peer_; }

    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        if (ended_ || into.empty()) co_return size_t{0};
        if (header_.chunked()) co_return co_await read_chunked(into);
        if (left_ && into.size() > *left_) into = into.first(*left_);
        auto got = co_await read_raw(into);
        if (!got) co_return got;
        if (*got == 0) {
            if (left_) co_return Error(ErrorKind::unreachable, "the body was cut off: the peer closed the connection");
            finish();
            co_return size_t{0};
        }
        if (left_ && (*left_ -= *got) == 0) finish();
        co_return got;
    }

    Task<Result<std::string>> read_all(size_t limit_bytes) override {
        std::string body;
        while (true) {
            const size_t had = body.size();
            body.resize(std::min(had + (16 << 10), limit_bytes + 1));
            auto got = co_await read_some(std::as_writable_bytes(std::span(body).subspan(had)));
            if (!got) co_return std::move(got).error();
            body.resize(had + *got);
            if (*got == 0) co_return body;
            if (body.size() > limit_bytes) co_return Error(ErrorKind::refused, "the answer is over the limit");
        }
    }

  private:
    /// From what was read ahead, else from the connection; 0 when the peer has closed.
    Task<Result<size_t>> read_raw(std::span<std::byte> into) {
        Connection& connection = *loan_.connection;
        if (const auto ahead = connection.ahead(); !ahead.empty()) {
            const size_t n = std::min(ahead.size(), into.size());
            std::memcpy(into.data(), ahead.data(), n);
            connection.begin += n;
            co_return n;
        }
        co_return co_await read_in_time(into);
    }

    /// The wait ends at the deadline, or at the end of the window in which the peer was too slow. Only time spent
    /// waiting counts: a consumer may be as slow as it likes.
    Task<Result<size_t>> read_in_time(std::span<std::byte> into) {
        Transport& transport = loan_.connection->transport;
        const uint64_t window_ns = uint64_t{limits_.min_rate_window_ms} * 1'000'000;
        const uint64_t waited_before = transport.waited_ns();
        while (true) {
            const uint64_t waited = transport.waited_ns() - window_began_ns_;
            if (waited >= window_ns) {
                const uint64_t wanted =
                    std::max<uint64_t>(1, uint64_t{limits_.min_bytes_per_second} * limits_.min_rate_window_ms / 1000);
                if (window_bytes_ < wanted && !faults::broken("minimum-rate"))
                    co_return Error(
                        ErrorKind::timeout,
                        limits_.min_bytes_per_second == 0
                            ? "the body has stalled"
                            : "the body came slower than " + std::to_string(limits_.min_bytes_per_second) + " bytes/s");
                window_began_ns_ = transport.waited_ns();
                window_bytes_ = 0;
                continue;
            }
            const uint64_t silent_ms = (transport.waited_ns() - heard_ns_) / 1'000'000;
            if (silence_ms_ > 0 && silent_ms >= silence_ms_) co_return stalled(silence_ms_);
            uint64_t patience_ms = (window_ns - waited) / 1'000'000 + 1;
            if (silence_ms_ > 0) patience_ms = std::min(patience_ms, silence_ms_ - silent_ms + 1);
            auto got = co_await transport.read_some(into, deadline_.min(Deadline::in_ms(patience_ms)));
            if (!got && got.error().kind() == ErrorKind::timeout && !deadline_.passed()) continue;
            if (!got) co_return got;
            window_bytes_ += *got, heard_ns_ = transport.waited_ns();
            if (addresses_.size() > 1 && is_slow(*got, heard_ns_ - waited_before))
                co_return Error(ErrorKind::stalled, "the body comes much slower than from other addresses");
            co_return got;
        }
    }

    /// After so many bytes that were waited for so long: whether the rest had better come from another address. Of
    /// short bodies only latency is heard: what comes with the header is never waited for, and what comes after it
    /// mostly for a round trip.
    bool is_slow(size_t bytes, uint64_t waited_ns) {
        if (stated_ && *stated_ <= kShortBodyBytes) return false;
        Address& address = *loan_.connection->address;
        addresses_.body_came(address, bytes, waited_ns, loan_.now_ns());
        return address.slow_body && left_ && *left_ > bytes + kWorthMovingBytes;
    }

    Task<Result<size_t>> read_chunked(std::span<std::byte> into) {
        Connection& connection = *loan_.connection;
        while (true) {
            auto step = chunks_.decode(connection.ahead(), into);
            if (!step) co_return std::move(step).error();
            connection.begin += step->consumed;
            if (chunks_.ended()) finish();
            if (step->produced > 0 || ended_) co_return step->produced;
            if (connection.begin == connection.end) connection.begin = connection.end = 0;
            if (connection.buffer.size() < kReadAhead) connection.buffer.resize(kReadAhead);
            auto got = co_await read_in_time(std::span(connection.buffer).subspan(connection.end));
            if (!got) co_return got;
            if (*got == 0)
                co_return Error(ErrorKind::unreachable, "the body was cut off: the peer closed the connection");
            connection.end += *got;
        }
    }

    /// The last byte is here: the connection is free for others, unless more came than was said.
    void finish() {
        ended_ = true;
        addresses_.finished(*loan_.connection->address);
        const bool framed = left_.has_value() || header_.chunked();
        const Connection& connection = *loan_.connection;
        loan_.give_back(header_.keep_alive() && framed && !connection.spent && connection.ahead().empty());
    }

    Loan loan_;
    AddressBook& addresses_;  ///< there as long as the loan is
    ResponseHeader header_;
    const Limits limits_;
    const uint32_t silence_ms_;
    Deadline deadline_;
    std::string peer_;
    std::optional<uint64_t> left_;
    std::optional<uint64_t> stated_ = header_.content_length();
    ChunkedDecoder chunks_;
    bool ended_ = false;
    uint64_t window_began_ns_ = 0, window_bytes_ = 0;
    uint64_t heard_ns_ = 0;  ///< of the time spent waiting, when the last byte came
};

}  // namespace

Error stalled(uint32_t silence_ms) {
    return Error(ErrorKind::stalled, "nothing came for " + std::to_string(silence_ms) + " ms");
}

std::unique_ptr<Response> make_response(Loan loan, ResponseHeader header, bool bodiless, const Limits& limits,
                                        uint32_t silence_ms, Deadline deadline) {
    return std::make_unique<HttpResponse>(std::move(loan), std::move(header), bodiless, limits, silence_ms, deadline);
}

}  // namespace zcdp::net
