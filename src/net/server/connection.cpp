#include "src/net/server/connection.hpp"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>
#include <exception>
#include <span>

namespace zcdp::net::server {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr size_t kJoinedBytes = 32 << 10;  ///< a body of no more is sent with its header, in one call
/// The same for a file without TLS: from there on sendfile, which copies nothing, costs less than a call saved.
constexpr size_t kJoinedFileBytes = 8 << 10;

std::string_view reason_of(int status) {
    const auto text = http::obsolete_reason(static_cast<http::status>(status));
    return {text.data(), text.size()};
}

std::string plain_header() { return "Content-Type: text/plain\r\n"; }

/// Sends pieces as chunks or, where their length was said or to who speaks HTTP/1.0, as they are.
class ConnectionSink final : public BodySink {
  public:
    ConnectionSink(Stream& stream, bool chunked, uint64_t progress_ms)
        : stream_(stream), chunked_(chunked), progress_ms_(progress_ms) {}
    Task<Result<>> write(std::string_view piece) override {
        if (piece.empty()) co_return Result<>();
        sent_bytes_ += piece.size();
        if (!chunked_) co_return result_of(co_await stream_.write(piece, false, progress_ms_));
        bool good = co_await stream_.write(fmt::format("{:x}\r\n", piece.size()), true, progress_ms_);
        if (good) good = co_await stream_.write(piece, true, progress_ms_);
        if (good) good = co_await stream_.write("\r\n", false, progress_ms_);
        co_return result_of(good);
    }
    uint64_t sent_bytes() const { return sent_bytes_; }

  private:
    Result<> result_of(bool good) const {
        if (good) return {};
        return stream_.timed_out() ? Error(ErrorKind::timeout, "the peer reads nothing")
                                   : Error(ErrorKind::unreachable, "the peer is gone");
    }
    Stream& stream_;
    const bool chunked_;
    const uint64_t progress_ms_;
    uint64_t sent_bytes_ = 0;
};

std::string name_in(X509* certificate) {
    char text[256];
    const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
    return length > 0 ? std::string(text, static_cast<size_t>(length)) : std::string();
}

}  // namespace

Task<> Connection::run(SslPtr ssl) {
    if (ssl) {
        if (!co_await stream_.start_tls(std::move(ssl), options_.header_ms)) co_return;
        if (X509* certificate = SSL_get1_peer_certificate(stream_.ssl())) {
            if (SSL_get_verify_result(stream_.ssl()) == X509_V_OK) peer_->certificate_name = name_in(certificate);
            X509_free(certificate);
        }
    }
    while (!draining_) {
        const Next next = co_await next_head();
        if (next != Next::request) co_return;
        if (!co_await answer()) co_return;
        idle_ = true;
    }
    stream_.say_goodbye();
}

void Connection::drain() {
    draining_ = true;
    if (idle_) stream_.cut();
}

/// Empty lines before a request are passed over (RFC 9112 2.2).
Task<Connection::Next> Connection::next_head() {
    Deadline deadline = Deadline::in_ms(options_.idle_ms);
    size_t looked = 0;
    bool begun = false;
    while (true) {
        while (input_.unused().starts_with("\r\n")) input_.use(2);
        const std::string_view unused = input_.unused();
        if (!begun && !unused.empty()) {
            begun = true;
            deadline = Deadline::in_ms(options_.header_ms);
        }
        const size_t end = unused.find("\r\n\r\n", looked > 3 ? looked - 3 : 0);
        if (end != unused.npos && end + 4 <= options_.header_bytes_max) {
            idle_ = false;
            const HeadVerdict verdict = parse_head(unused.substr(0, end + 4), head_);
            input_.use(end + 4);
            if (verdict == HeadVerdict::good) co_return Next::request;
            co_await refuse(verdict == HeadVerdict::malformed ? 400 : 417);
            co_return Next::refused;
        }
        if (unused.size() > options_.header_bytes_max) {
            co_await refuse(431);
            co_return Next::refused;
        }
        looked = unused.size();
        const size_t got = co_await stream_.read_some(input_.room(), deadline);
        input_.received(got);
        if (got > 0) continue;
        if (begun && stream_.timed_out()) {
            co_await refuse(408);
            co_return Next::refused;
        }
        co_return Next::ended;
    }
}

/// For what is no request: an answer, and the end of the connection.
Task<> Connection::refuse(int status) {
    idle_ = false;
    if (options_.requests_refused) options_.requests_refused->add();
    const std::string text =
        fmt::format("HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status, reason_of(status));
    if (co_await stream_.write(text, false, options_.progress_ms)) co_await stream_.linger();
}

Response Connection::internal_error(const std::exception& error) {
    log_.error("a request ended in an internal error", {{"target", head_.request.target}, {"error", error.what()}});
    return {500, plain_header(), "internal error\n"};
}

/// Whether another request may follow.
Task<bool> Connection::answer() {
    head_.request.peer = peer_;
    InputBody body(stream_, input_, head_, options_);
    Response response;
    try {
        response = co_await handler_(head_.request, body);
    } catch (const std::exception& error) {
        response = internal_error(error);
    }
    if (const int status = body.failed_status(); status != 0) {
        if (options_.requests_refused) options_.requests_refused->add();
        response = Response{status, plain_header(), fmt::format("{}\n", reason_of(status))};
    }
    // To HTTP/1.0 a stream's end is the connection's.
    const bool ends_with_it =
        response.is_last ||
        (head_.request.version == 10 && std::holds_alternative<Producer>(response.body) && !response.produced_bytes);
    const bool keep_alive = head_.keep_alive && !draining_ && !ends_with_it && body.is_short();
    if (!co_await send(std::move(response), keep_alive)) co_return false;
    if (keep_alive) co_return body.ended() || co_await body.skip();
    if (!body.ended() || !input_.unused().empty()) co_await stream_.linger();
    else stream_.say_goodbye();
    co_return false;
}

std::string Connection::head_of(const Response& response, bool keep_alive) const {
    const bool new_version = head_.request.version == 11;
    const auto* text = std::get_if<std::string>(&response.body);
    const auto* file = std::get_if<FileRange>(&response.body);
    const auto length = text ? text->size() : file ? std::optional(file->length) : response.produced_bytes;
    std::string head;
    head.reserve(256 + response.headers.size() + (length <= kJoinedBytes ? length.value_or(0) : 0));
    head.append(new_version ? "HTTP/1.1 " : "HTTP/1.0 ").append(std::to_string(response.status)).append(" ");
    head.append(reason_of(response.status)).append("\r\n").append(response.headers);
    if (keep_alive && !new_version) head += "Connection: keep-alive\r\n";
    if (!keep_alive && new_version) head += "Connection: close\r\n";
    if (length) head.append("Content-Length: ").append(std::to_string(*length)).append("\r\n\r\n");
    else head += new_version ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n";
    return head;
}

/// What is short goes with its header, in one call.
Task<bool> Connection::send(Response response, bool keep_alive) {
    std::string head = head_of(response, keep_alive);
    if (head_.request.method != "HEAD" && response.status != 304 && response.status != 204) {
        const auto* text = std::get_if<std::string>(&response.body);
        const auto* file = std::get_if<FileRange>(&response.body);
        if (text && text->size() <= kJoinedBytes) {
            head += *text;
        } else if (file && file->length <= (stream_.ssl() ? kJoinedBytes : kJoinedFileBytes)) {
            const size_t size = head.size();
            head.resize(size + file->length);
            const std::span<char> piece = std::span(head).subspan(size);
            auto read = Stream::read_file_now(piece, *file, 0);
            if (!read) read = co_await stream_.read_file(piece, *file, 0);
            if (!*read) co_return false;
        } else {
            co_return co_await send_body(std::move(response), std::move(head));
        }
    }
    std::string_view left = head;
    if (!stream_.write_now(left, false)) co_return false;
    co_return left.empty() || co_await stream_.write(left, false, options_.progress_ms);
}

Task<bool> Connection::send_body(Response response, std::string head) {
    const uint64_t progress_ms = options_.progress_ms;
    const auto* file = std::get_if<FileRange>(&response.body);
    const auto* text = std::get_if<std::string>(&response.body);
    if (!co_await stream_.write(head, file || text, progress_ms)) co_return false;
    if (file) co_return co_await stream_.write_file(*file, progress_ms);
    if (text) co_return co_await stream_.write(*text, false, progress_ms);
    co_return co_await send_produced(std::get<Producer>(response.body), response.produced_bytes);
}

Task<bool> Connection::send_produced(const Producer& produce, std::optional<uint64_t> size_bytes) {
    const bool chunked = head_.request.version == 11 && !size_bytes;
    ConnectionSink sink(stream_, chunked, options_.progress_ms);
    std::string what;
    try {
        const auto produced = co_await produce(sink);
        if (!produced) co_return false;
    } catch (const std::exception& error) {
        what = error.what();
    }
    if (!what.empty()) {
        log_.error("a streamed answer ended in an internal error", {{"target", head_.request.target}, {"error", what}});
        co_return false;  // without the last chunk the peer knows that it was cut off
    }
    if (size_bytes && *size_bytes != sink.sent_bytes()) co_return false;
    co_return !chunked || co_await stream_.write(kLastChunk, false, options_.progress_ms);
}

}  // namespace zcdp::net::server
