// The chunked transfer coding (RFC 9112 section 7.1), as a decoder that is fed bytes as they come. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "zcdp/base/error.hpp"

namespace zcdp::net {

enum class ChunkedForm {
    lenient,  ///< also lines that end in LF alone, and spaces after a size: as clients take answers
    strict,   ///< only what the grammar has: as a server takes requests, which another may have read before it
};

class ChunkedDecoder {
  public:
    explicit ChunkedDecoder(ChunkedForm form = ChunkedForm::lenient) : strict_(form == ChunkedForm::strict) {}
    struct Step {
        size_t consumed = 0;  ///< of the input
        size_t produced = 0;  ///< into the output
    };
    /// Decodes until the input or the output is used up, or the body ends.
    Result<Step> decode(std::string_view in, std::span<std::byte> out);
    bool ended() const { return state_ == State::ended; }

  private:
    enum class State {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer,
        trailer_lf,
        end_lf,
        ended
    };
    Result<> framing(char c);
    Result<> size_digit(uint64_t digit);
    Result<> end_size_line();
    Result<> extra_byte();
    bool strict_;
    State state_ = State::size;
    uint64_t left_ = 0;
    unsigned digits_ = 0;  ///< of the size, without leading zeros
    bool sized_ = false;   ///< the size has a digit
    size_t extra_ = 0;     ///< bytes of extensions, trailers and leading zeros
};

}  // namespace zcdp::net
