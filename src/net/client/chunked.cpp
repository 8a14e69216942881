#include "src/net/client/chunked.hpp"

#include <algorithm>
#include <cstring>

#include "zcdp/base/ascii.hpp"

namespace zcdp::net {
namespace {

constexpr size_t kExtraBytesMax = 16 << 10;
constexpr unsigned kSizeDigitsMax = 15;

Error malformed() { return Error(ErrorKind::failed, "the body's chunks are malformed"); }

}  // namespace

Result<ChunkedDecoder::Step> ChunkedDecoder::decode(std::string_view in, std::span<std::byte> out) {
    Step step;
    while (step.consumed < in.size() && !ended()) {
        if (state_ != State::data) {
            ZCDP_CHECK(framing(in[step.consumed++]));
            continue;
        }
        if (step.produced == out.size()) break;
        const uint64_t n = std::min({left_, uint64_t{in.size() - step.consumed}, uint64_t{out.size() - step.produced}});
        std::memcpy(out.data() + step.produced, in.data() + step.consumed, n);
        step.consumed += n, step.produced += n, left_ -= n;
        if (left_ == 0) state_ = State::data_cr;
    }
    return step;
}

/// One byte outside of the data. Lines end in CR LF or, as curl takes it, in LF alone.
Result<> ChunkedDecoder::framing(char c) {
    const bool after_cr =
        state_ == State::size_lf || state_ == State::data_lf || state_ == State::trailer_lf || state_ == State::end_lf;
    if (strict_ && c == '\n' && !after_cr) return malformed();
    if (strict_ && state_ == State::size && (c == ' ' || c == '\t')) return malformed();
    switch (state_) {
        case State::size:
            if (const int digit = hex_digit(c); digit >= 0) return size_digit(static_cast<uint64_t>(digit));
            if (!sized_) return malformed();
            if (c == '\n') return end_size_line();
            state_ = c == '\r' ? State::size_lf : State::extension;
            return c == '\r' || c == ';' || c == ' ' || c == '\t' ? Result<>() : malformed();
        case State::extension:
            if (c == '\n') return end_size_line();
            if (c == '\r') state_ = State::size_lf;
            return extra_byte();
        case State::size_lf: return c == '\n' ? end_size_line() : malformed();
        case State::data_cr:
            state_ = c == '\n' ? State::size : State::data_lf;
            return c == '\r' || c == '\n' ? Result<>() : malformed();
        case State::data_lf: state_ = State::size; break;
        case State::trailer_start:
            state_ = c == '\n' ? State::ended : c == '\r' ? State::end_lf : State::trailer;
            return {};
        case State::trailer:
            if (c == '\n') state_ = State::trailer_start;
            if (c == '\r') state_ = State::trailer_lf;
            return extra_byte();
        case State::trailer_lf: state_ = State::trailer_start; break;
        case State::end_lf: state_ = State::ended; break;
        case State::data:
        case State::ended: return malformed();
    }
    return c == '\n' ? Result<>() : malformed();
}

/// Some servers pad sizes with zeros: these do not count as digits.
Result<> ChunkedDecoder::size_digit(uint64_t digit) {
    sized_ = true;
    if (left_ == 0 && digit == 0) return extra_byte();
    if (++digits_ > kSizeDigitsMax) return malformed();
    left_ = left_ * 16 + digit;
    return {};
}

Result<> ChunkedDecoder::end_size_line() {
    state_ = left_ == 0 ? State::trailer_start : State::data;
    digits_ = 0;
    sized_ = false;
    return {};
}

Result<> ChunkedDecoder::extra_byte() { return ++extra_ > kExtraBytesMax ? Result<>(malformed()) : Result<>(); }

}  // namespace zcdp::net
