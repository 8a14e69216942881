#include "src/origin/s3/client.hpp"

#include <charconv>


namespace zcdp::origin::s3 {
namespace {

constexpr int kRefreshesMax = 3;  ///< a request that waited for new credentials may find them expired again
constexpr uint32_t kSlowestBytesPerSecond = 64 * 1024;
constexpr size_t kErrorBytesMax = 64 << 10;
constexpr int kRegionsMax = 2;

uint64_t retry_after_ms_of(const net::Response& answer) {
    const std::string_view value = answer.header("retry-after");
    uint64_t seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (value.empty() || error != std::errc() || end != value.data() + value.size()) return 0;
    return std::min<uint64_t>(seconds, 60) * 1000;
}

bool is_transient(ErrorKind kind) {
    return kind == ErrorKind::timeout || kind == ErrorKind::unreachable || kind == ErrorKind::throttled ||
           kind == ErrorKind::failed || kind == ErrorKind::corrupt;
}

}  // namespace

std::string target_of(const S3Request& request, const Address& address, std::string& path, std::string& query) {
    path = address.path_prefix + "/" + uri_encode(request.key, true);
    query.clear();
    for (const auto& [name, value] : request.query) {
        if (!query.empty()) query += '&';
        query += uri_encode(name, false);
        query += '=';
        query += uri_encode(value, false);
    }
    return query.empty() ? path : path + "?" + query;
}

Client::Client(std::shared_ptr<Shared> shared, asio::any_io_executor executor) : shared_(std::move(shared)) {
    net::HttpClientOptions options;
    options.tls = shared_->tls;
    options.user_agent = "zcdp";
    options.proxies = shared_->proxies;
    options.limits.header_timeout_ms = static_cast<uint32_t>(std::min<uint64_t>(shared_->options.timeout_ms, 3'600'000));
    options.limits.connections_max = 256;
    credentials_http_ = net::make_http_client(executor, options, shared_->machine.metrics, shared_->machine.log);
    options.address_rules = shared_->address_rules;
    http_ = net::make_http_client(executor, std::move(options), shared_->machine.metrics, shared_->machine.log);
}

Task<Result<net::Request>> Client::sign(const S3Request& request, const Address& address, Credentials& used) {
    net::Request out;
    out.method = request.method;
    std::string path, query;
    out.target = target_of(request, address, path, query);
    out.headers = request.headers;
    const int64_t skew = shared_->clock_skew_s;
    ZCDP_CO_TRY(used, co_await shared_->credentials.get(*credentials_http_, skew));
    if (used.anonymous()) co_return out;
    const std::string date = amz_date(shared_->machine.clock.unix_s() + skew);
    const std::string host = address.endpoint.authority();
    SigningInput input;
    input.method = request.method, input.host = host, input.path = path, input.query = query;
    input.region = address.region, input.amz_date = date, input.payload_sha256 = kEmptySha256;
    // Services may insist that every x-amz-* header is signed.
    for (const auto& [name, value] : request.headers)
        if (name.starts_with("x-amz-")) input.extra_headers.emplace_back(name, value);
    out.headers.emplace_back("Authorization", signer_.authorization(input, used));
    out.headers.emplace_back("x-amz-content-sha256", kEmptySha256);
    out.headers.emplace_back("x-amz-date", date);
    if (!used.session_token.empty()) out.headers.emplace_back("x-amz-security-token", used.session_token);
    co_return out;
}

/// Whether asking again at once can help.
Task<bool> Client::apply(Remedy remedy, const ErrorAnswer& answer, const net::Response& response,
                         const Credentials& used, Once& once) {
    switch (remedy) {
        case Remedy::refresh_credentials:
            shared_->credentials.expired(used);
            co_return ++once.refreshes <= kRefreshesMax;
        case Remedy::correct_clock: {
            const int64_t server = parse_http_date(std::string(response.header("date")));
            if (server < 0 || std::exchange(once.clock_corrected, true)) co_return false;
            shared_->clock_skew_s = server - shared_->machine.clock.unix_s();
            shared_->machine.log.warn("the clock differs from the origin's, requests are signed with the origin's time",
                                      {{"seconds", int64_t{shared_->clock_skew_s}}});
            co_return true;
        }
        case Remedy::use_region:
            // Only a region is taken from the answer, never a host: credentials go nowhere else.
            co_return once.regions++ < kRegionsMax && shared_->move_to_region(answer.region);
        default: co_return false;
    }
}

Task<bool> Client::retry_after(const Error& error, uint32_t attempt, uint64_t retry_after_ms) {
    if (!is_transient(error.kind()) || attempt > shared_->options.retries || !shared_->budget.take()) co_return false;
    const uint64_t pause = backoff_ms(attempt, shared_->machine.random.unit(), retry_after_ms);
    shared_->retries.add();
    shared_->machine.log.info("trying again", {{"object", error.object()}, {"why", error.what()},
                                              {"attempt", uint64_t{attempt}}, {"pause_ms", pause}});
    co_await sleep_ms(pause);
    co_return true;
}

Task<Result<std::unique_ptr<net::Response>>> Client::send(S3Request request) {
    Once once;
    const std::string name = object_name(request.key);
    for (uint32_t attempt = 1;;) {
        const Address address = shared_->address();
        Credentials used;
        ZCDP_CO_TRY(auto signed_request, co_await sign(request, address, used));
        const uint64_t timeout_ms = shared_->options.timeout_ms + request.body_bytes * 1000 / kSlowestBytesPerSecond;
        shared_->requests.add();
        auto answer = co_await http_->send(address.endpoint, std::move(signed_request), Deadline::in_ms(timeout_ms));
        std::optional<Error> error;
        uint64_t retry_after = 0;
        if (answer) {
            if ((*answer)->status() / 100 == 2) {
                shared_->budget.refund();
                shared_->concurrency.succeeded();
                co_return answer;
            }
            retry_after = retry_after_ms_of(**answer);
            std::string body;
            if (auto text = co_await (*answer)->read_all(kErrorBytesMax)) body = std::move(*text);
            const ErrorAnswer reason = parse_error(**answer, body);
            const Remedy remedy = remedy_of(reason);
            error = error_of(reason, name);
            shared_->machine.log.debug("the origin refuses", {{"object", name}, {"why", error->what()},
                                                              {"request_id", reason.request_id}, {"peer", (*answer)->peer()}});
            const bool again = co_await apply(remedy, reason, **answer, used, once);
            if (again) {
                shared_->retries.add();
                continue;
            }
            if (remedy == Remedy::slow_down) shared_->concurrency.throttled(shared_->machine.clock.monotonic_ns());
            if (remedy != Remedy::slow_down && remedy != Remedy::retry) co_return std::move(*error);
            answer->reset();
        } else {
            error = Error(answer.error().kind(), answer.error().what() + (answer.error().object().empty() ? "" : " [" + answer.error().object() + "]"),
                          name, answer.error().hint());
            if (error->kind() == ErrorKind::not_found) co_return std::move(*error);
        }
        const bool again = co_await this->retry_after(*error, attempt++, retry_after);
        if (!again) co_return std::move(*error);
    }
}

}  // namespace zcdp::origin::s3
