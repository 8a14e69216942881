#include "src/origin/remote/requester.hpp"

#include <algorithm>

#include "src/origin/remote/answers.hpp"
#include "zcdp/base/backoff.hpp"

namespace zcdp::origin {
namespace {

constexpr BackoffLimits kRetries{200, 20'000, Jitter::full};
constexpr uint32_t kSlowestBytesPerSecond = 64 * 1024;
constexpr size_t kErrorBytesMax = 64 << 10;
constexpr size_t kInfoBytesMax = 256 << 10;
constexpr uint32_t kHeaderBytesMax = 300 << 10;  ///< curl's: policies and metadata in headers grow
constexpr uint32_t kHeaderFieldsMax = 1000;

bool is_transient(ErrorKind kind) {
    return kind == ErrorKind::timeout || kind == ErrorKind::unreachable || kind == ErrorKind::throttled ||
           kind == ErrorKind::stalled || kind == ErrorKind::failed || kind == ErrorKind::corrupt;
}

/// Of a service that hands out credentials: it may be there again in a moment.
bool may_be_back(ErrorKind kind) {
    return kind == ErrorKind::timeout || kind == ErrorKind::unreachable || kind == ErrorKind::throttled;
}

}  // namespace

Requester::Requester(std::shared_ptr<Remote> remote, std::unique_ptr<Protocol> protocol, asio::any_io_executor executor)
    : remote_(std::move(remote)), protocol_(std::move(protocol)) {
    net::HttpClientOptions options;
    options.tls = remote_->tls;
    options.user_agent = "zcdp";
    options.proxies = remote_->proxies;
    options.source_address = remote_->options.source_address;
    options.limits.header_timeout_ms =
        static_cast<uint32_t>(std::min<uint64_t>(remote_->options.timeout_ms, 3'600'000));
    options.limits.connections_max = 256;
    options.limits.header_bytes_max = kHeaderBytesMax, options.limits.header_fields_max = kHeaderFieldsMax;
    net::HttpClientOptions for_credentials = options;
    for_credentials.limits.min_rate_window_ms =
        std::min(options.limits.min_rate_window_ms, options.limits.header_timeout_ms);
    credentials_http_ = net::make_http_client(executor, std::move(for_credentials), remote_->machine.clock,
                                              remote_->machine.metrics, remote_->machine.log);
    options.address_rules = remote_->address_rules;
    options.address_notes = remote_->address_notes;
    http_ = net::make_http_client(executor, std::move(options), remote_->machine.clock, remote_->machine.metrics,
                                  remote_->machine.log);
    protocol_->sent_by(*this);
}

Task<bool> Requester::retry_after(const Error& error, uint32_t attempt, uint64_t retry_after_ms) {
    if (!is_transient(error.kind()) || attempt > remote_->options.retries || !remote_->budget.take()) co_return false;
    co_await pause_before(attempt, error, retry_after_ms);
    co_return true;
}

Task<void> Requester::pause_before(uint32_t attempt, const Error& error, uint64_t retry_after_ms) {
    Backoff backoff(kRetries, std::max(attempt, 1u) - 1);
    const uint64_t pause = backoff.next(remote_->machine.random, retry_after_ms);
    remote_->retries.add();
    remote_->machine.log.info(
        "trying again",
        {{"object", error.object()}, {"error", error.what()}, {"attempt", uint64_t{attempt}}, {"pause_ms", pause}});
    co_await sleep_ms(pause);
}

void Requester::give_up(const std::string& name, const Error& error) {
    remote_->patience.gave_up();
    remote_->hedges.add();
    remote_->machine.log.debug("given up as silent, sent again", {{"object", name}, {"error", error.what()}});
}

/// Asks for credentials again when their service fails, with the usual pauses. That does not count against the retry
/// budget, which protects the origin: nothing was sent to it.
Task<Result<Prepared>> Requester::prepare(const Call& call) {
    const Clock& clock = remote_->machine.clock;
    const int64_t until_ns = clock.monotonic_ns() + static_cast<int64_t>(remote_->options.timeout_ms) * 1'000'000;
    for (uint32_t attempt = 1;; ++attempt) {
        auto prepared = co_await protocol_->prepare(call, *credentials_http_);
        if (prepared || !may_be_back(prepared.error().kind()) || attempt > remote_->options.retries ||
            clock.monotonic_ns() >= until_ns)
            co_return prepared;
        co_await pause_before(attempt, prepared.error(), 0);
    }
}

/// An answer may come from what stands before the origin, and is judged as that first: a server's front that refuses
/// the client certificate, a proxy.
RetryDecision Requester::classify(Call& call, const Prepared& sent, const net::Response& answer, std::string_view body,
                                  const std::string& name, Tried& tried) {
    if (sent.endpoint.tls)
        if (auto refused = client_certificate_refused(answer.status(), body, name))
            return {RetryDecision::Action::none, std::move(*refused)};
    RetryDecision decision = protocol_->classify(call, sent, answer, body, name, tried);
    // Some doors know no HEAD: a GET of the first byte says as much.
    const bool unknown_method = answer.status() == 405 || answer.status() == 501;
    if (unknown_method && decision.action == RetryDecision::Action::none &&
        decision.error.kind() != ErrorKind::not_found && ask_for_first_byte(call)) {
        decision.action = RetryDecision::Action::at_once;
        return decision;
    }
    const net::Proxy* proxy = sent.endpoint.tls ? nullptr : remote_->proxies.for_endpoint(sent.endpoint);
    if (proxy && answer.status() >= 500)  // it may be the proxy that says so
        decision.error =
            Error(decision.error.kind(), decision.error.what() + " (through the proxy " + proxy->endpoint.url() + ")",
                  name, decision.error.hint());
    return decision;
}

Task<Result<std::unique_ptr<net::Response>>> Requester::send(Call call) {
    using Action = RetryDecision::Action;
    Tried tried;
    const std::string name = protocol_->name_of(call.key);
    // Without it anybody on the way may choose how the bytes are packed (RFC 9110 12.5.3).
    const auto is_encoding = [](const net::Header& header) { return header.first == "Accept-Encoding"; };
    if (std::none_of(call.headers.begin(), call.headers.end(), is_encoding))
        call.headers.emplace_back("Accept-Encoding", "identity");
    const uint64_t timeout_ms = remote_->options.timeout_ms + call.body_bytes * 1000 / kSlowestBytesPerSecond;
    for (uint32_t attempt = 1;;) {
        ZCDP_CO_TRY(Prepared prepared, co_await prepare(call));
        remote_->requests.add();
        prepared.request.silence_ms = remote_->patience.silence_ms(tried.hedges);
        prepared.target = prepared.request.target;
        std::optional<transfer::Concurrency::Waiting> waiting(std::in_place, remote_->concurrency);
        const int64_t sent_ns = remote_->machine.clock.monotonic_ns();
        auto answer = co_await http_->send(prepared.endpoint, std::move(prepared.request), Deadline::in_ms(timeout_ms));
        std::optional<Error> error;
        uint64_t retry_after = 0;
        if (!answer && answer.error().kind() == ErrorKind::stalled) {
            give_up(name, answer.error());
            ++tried.hedges;
            continue;
        }
        if (answer) {
            remote_->patience.answered(static_cast<double>(remote_->machine.clock.monotonic_ns() - sent_ns) / 1e6);
            if ((*answer)->status() / 100 == 2) {
                remote_->budget.refund();
                remote_->concurrency.succeeded();
                co_return answer;
            }
            retry_after = retry_after_ms_of(**answer, remote_->machine.clock.unix_s());
            std::string body;
            if (auto text = co_await (*answer)->read_all(kErrorBytesMax)) body = std::move(*text);
            RetryDecision decision = classify(call, prepared, **answer, body, name, tried);
            remote_->machine.log.debug(
                "the origin refuses",
                {{"object", name}, {"error", decision.error.what()}, {"peer", (*answer)->peer()}});
            if (decision.action == Action::at_once) {
                remote_->retries.add();
                continue;
            }
            if (decision.action == Action::slow_down)
                remote_->concurrency.throttled(remote_->machine.clock.monotonic_ns());
            if (decision.action == Action::none) co_return std::move(decision.error);
            error = std::move(decision.error);
            answer->reset();
        } else {
            error = Error(
                answer.error().kind(),
                answer.error().what() + (answer.error().object().empty() ? "" : " [" + answer.error().object() + "]"),
                name, answer.error().hint());
            if (error->kind() == ErrorKind::not_found) co_return std::move(*error);
        }
        waiting.reset();
        const bool again = co_await this->retry_after(*error, attempt++, retry_after);
        if (!again) co_return std::move(*error);
    }
}

/// Some do not say how long an object is until they are asked for a part of it.
Task<Result<std::unique_ptr<net::Response>>> Requester::send_for_size(Call& call) {
    auto answer = co_await send(call);
    if (answer && !object_bytes_of(**answer) && ask_for_first_byte(call)) answer = co_await send(call);
    co_return answer;
}

Task<Result<>> Requester::refused(Refused& of, std::unique_ptr<net::Response> answer, std::string body) {
    using Action = RetryDecision::Action;
    RetryDecision decision = classify(of.call, {}, *answer, body, protocol_->name_of(of.call.key), of.tried);
    const uint64_t retry_after = retry_after_ms_of(*answer, remote_->machine.clock.unix_s());
    answer.reset();
    if (decision.action == Action::none) co_return std::move(decision.error);
    if (decision.action == Action::at_once) {
        remote_->retries.add();
        co_return Result<>();
    }
    if (decision.action == Action::slow_down) remote_->concurrency.throttled(remote_->machine.clock.monotonic_ns());
    const bool again = co_await this->retry_after(decision.error, of.attempt++, retry_after);
    if (!again) co_return std::move(decision.error);
    co_return Result<>();
}

Task<Result<ObjectInfo>> Requester::head(ObjectKey key) {
    Refused refusals{protocol_->head_call(key), {}};
    const bool in_body = refusals.call.method != "HEAD";
    const std::string name = protocol_->name_of(key);
    for (uint32_t attempt = 1;;) {
        ZCDP_CO_TRY(auto answer, co_await send_for_size(refusals.call));
        if (!in_body && !object_bytes_of(*answer))
            co_return Error(ErrorKind::refused, "does not say its size", name,
                            "zcdp needs a Content-Length; a folder's URL ends in /");
        Result<std::string> body = std::string();
        if (in_body) body = co_await answer->read_all(kInfoBytesMax);
        if (!body) {
            const Error broken = std::move(body).error().about(name);
            const bool again = co_await retry_after(broken, attempt++);
            if (!again) co_return broken;
            continue;
        }
        if (!body->empty() && protocol_->is_refusal(*body)) {
            ZCDP_CO_CHECK(co_await refused(refusals, std::move(answer), std::move(*body)));
            continue;
        }
        auto info = protocol_->info_of(*answer, *body, key);
        if (!info) co_return std::move(info).error().about(name);
        if (answer->header("accept-ranges") == "none") info->has_ranges = false;
        co_return info;
    }
}

}  // namespace zcdp::origin
