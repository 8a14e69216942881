// The header of an HTTP/1.1 answer. What frames the body is read strictly; what servers write in their own way and RFC
// 9112 lets a client take is taken: lines that end in LF alone, folded fields, a length beside chunks. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::net {

class ResponseHeader {
  public:
    struct LimitsOfHeader {
        size_t bytes_max, fields_max;
    };
    /// Reads the header that `bytes` begins with: its length with the empty line, or 0 when more is needed. Errors:
    /// failed (malformed, over a limit, two lengths that differ).
    Result<size_t> parse(std::string_view bytes, LimitsOfHeader limits);

    int status() const { return status_; }
    std::string_view field(std::string_view name) const;
    /// As stated; says nothing about answers that have no body by their kind.
    std::optional<uint64_t> content_length() const { return content_length_; }
    bool chunked() const { return chunked_; }
    /// Whether the connection may be used again after the body.
    bool keep_alive() const { return keep_alive_; }

  private:
    struct Span {
        uint32_t begin, length;
    };
    std::string_view text(Span span) const { return std::string_view(bytes_).substr(span.begin, span.length); }
    Result<> parse_status_line(std::string_view line);
    Result<> parse_fields(size_t begin, size_t fields_max);
    Result<> note(std::string_view name, std::string_view value);
    Result<> note_length(std::string_view values);

    std::string bytes_;
    std::vector<std::pair<Span, Span>> fields_;
    int status_ = 0;
    std::optional<uint64_t> content_length_;
    bool chunked_ = false, keep_alive_ = true;
};

}  // namespace zcdp::net
