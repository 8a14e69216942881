#include "src/net/server/request.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace zcdp::net::server {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

constexpr size_t kFieldsMax = 100;

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return out;
}

bool only_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Beast's parser, which writes straight into a Head. Bodies are read elsewhere: it never sees one.
class HeadParser final : public http::basic_parser<true> {
  public:
    explicit HeadParser(Head& head) : head_(head) {
        header_limit(UINT32_MAX);  // who calls has counted
        body_limit(boost::none);
    }

  private:
    void on_request_impl(http::verb, string_view method, string_view target, int version, error_code& code) override {
        head_.request.method.assign(method.data(), method.size());
        head_.request.target.assign(target.data(), target.size());
        head_.request.version = static_cast<unsigned>(version);
        if (version != 10 && version != 11) code = http::error::bad_version;
    }
    void on_field_impl(http::field field, string_view name, string_view value, error_code& code) override {
        auto& headers = head_.request.headers;
        if (headers.size() == kFieldsMax) {
            code = http::error::header_limit;
            return;
        }
        headers.emplace_back(lower({name.data(), name.size()}), std::string(value.data(), value.size()));
        if (field == http::field::content_length && (lengths_++ > 0 || !only_digits(headers.back().second)))
            code = http::error::bad_content_length;
        if (field == http::field::transfer_encoding && (codings_++ > 0 || lower(headers.back().second) != "chunked"))
            code = http::error::bad_transfer_encoding;
    }
    void on_header_impl(error_code& code) override {
        if (codings_ > 0 && (lengths_ > 0 || head_.request.version == 10)) code = http::error::bad_transfer_encoding;
    }
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override { return body.size(); }
    void on_finish_impl(error_code&) override {}

    Head& head_;
    size_t lengths_ = 0, codings_ = 0;
};

}  // namespace

HeadVerdict parse_head(std::string_view bytes, Head& head) {
    head = Head();
    // Beast joins folded lines; others take them for the end of a field, or for a field of their own.
    if (bytes.find("\r\n ") != bytes.npos || bytes.find("\r\n\t") != bytes.npos) return HeadVerdict::malformed;
    head.request.headers.reserve(16);
    HeadParser parser(head);
    error_code code;
    parser.put(asio::buffer(bytes.data(), bytes.size()), code);
    if (code || !parser.is_header_done()) return HeadVerdict::malformed;
    head.keep_alive = parser.keep_alive();
    head.chunked = parser.chunked();
    head.content_length = head.chunked ? 0 : parser.content_length().value_or(0);
    const std::string_view expected = head.request.header("expect");
    if (expected.empty() || head.request.version == 10) return HeadVerdict::good;
    head.expects_continue = lower(expected) == "100-continue";
    return head.expects_continue ? HeadVerdict::good : HeadVerdict::unknown_expectation;
}

}  // namespace zcdp::net::server
