// One server over HTTP: where it is, who asks, and what is asked again.
#include "zcdp/datastore/client.hpp"

#include <algorithm>
#include <charconv>

#include "src/datastore/client/again.hpp"
#include "zcdp/base/backoff.hpp"

namespace zcdp::datastore {
namespace {

/// A server that restarts is waited for; one that never was there is said soon.
constexpr int64_t kKeepTryingNs = 60'000'000'000, kFirstContactNs = 3'000'000'000;
constexpr BackoffLimits kPauses{100, 5'000, Jitter::equal};
constexpr uint64_t kAskedPauseMostMs = 30'000;
/// A commit of many files is answered when it is durable. What is only read comes sooner (kReadSilenceMs).
constexpr uint32_t kHeaderTimeoutMs = 600'000;
/// The longest request, at the slowest rate that is none too slow. What does not move is given up much sooner.
constexpr uint64_t kRequestTimeoutMs = 3'600'000, kSlowestBytesPerSecond = 64 << 10;
constexpr size_t kErrorBytesMost = 64 << 10;

bool is_bearer_token(const std::string& token) {
    return std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

bool only_reads(const net::Request& request) { return request.method == "GET" || request.method == "HEAD"; }

bool asks_to_wait(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

/// The connection ended, or never came about.
bool is_broken(const Error& error) {
    return error.kind() == ErrorKind::unreachable || error.kind() == ErrorKind::timeout ||
           error.kind() == ErrorKind::stalled;
}

/// Retry-After in seconds, as our servers say it; 0 for anything else.
uint64_t asked_pause_ms(const net::Response& answer) {
    const std::string_view text = answer.header("retry-after");
    uint64_t seconds = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool whole = wrong == std::errc() && end == text.data() + text.size();
    return whole ? std::min(seconds, kAskedPauseMostMs / 1000) * 1000 : 0;
}

class HttpStoreClient final : public Client {
  public:
    HttpStoreClient(asio::any_io_executor executor, net::BaseUrl base, const ServerAccess& access,
                    net::HttpClientOptions options, Machine machine)
        : base_(std::move(base)),
          authorization_(access.token.empty() ? "" : "Bearer " + access.token),
          machine_(machine),
          http_(net::make_http_client(executor, std::move(options), machine.clock, machine.metrics, machine.log)) {}

    Task<Result<std::unique_ptr<net::Response>>> send(net::Request request, bool may_repeat) override {
        prepare(request);
        Trying trying = begin(may_repeat || only_reads(request));
        while (true) {
            auto answer = co_await attempt(request, trying);
            if (answer) co_return answer;
            const bool again = co_await pause(trying, answer.error());
            if (!again) co_return answer;
        }
    }

    Task<Result<std::string>> ask(net::Request request, size_t limit_bytes, bool may_repeat) override {
        prepare(request);
        Trying trying = begin(may_repeat || only_reads(request));
        while (true) {
            Result<std::string> body = std::string();
            auto answer = co_await attempt(request, trying);
            if (answer) body = co_await (*answer)->read_all(limit_bytes);
            else body = std::move(answer).error();
            if (body) co_return body;
            if (answer) trying.transient = is_broken(body.error());
            const bool again = co_await pause(trying, body.error());
            if (!again) co_return std::move(body).error().about(base_.url());
        }
    }

  private:
    /// One question, however often it is asked.
    struct Trying {
        bool repeatable = false;
        bool transient = false;  ///< the last attempt's error may pass
        uint64_t asked_ms = 0;   ///< the pause that the server asked for
        int64_t begun_ns = 0;
        Backoff backoff{kPauses};
    };

    void prepare(net::Request& request) const {
        request.target.insert(0, base_.path);
        if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_);
        if (only_reads(request) && request.silence_ms == 0) request.silence_ms = kReadSilenceMs;
    }

    Trying begin(bool repeatable) const {
        Trying trying;
        trying.repeatable = repeatable, trying.begun_ns = machine_.clock.monotonic_ns();
        return trying;
    }

    Task<Result<std::unique_ptr<net::Response>>> attempt(net::Request& request, Trying& trying) {
        const Deadline deadline =
            Deadline::in_ms(kRequestTimeoutMs + request.body_bytes() * 1000 / kSlowestBytesPerSecond);
        net::Request now = trying.repeatable ? request : std::move(request);
        auto answer = co_await http_->send(base_.endpoint, std::move(now), deadline);
        if (!answer) {
            trying.transient = is_broken(answer.error()), trying.asked_ms = 0;
            co_return answer;
        }
        const int status = (*answer)->status();
        if (status / 100 == 2) {
            answered_ = true;
            co_return answer;
        }
        trying.transient = asks_to_wait(status), trying.asked_ms = asked_pause_ms(**answer);
        if (!trying.transient) answered_ = true;
        const auto body = co_await (*answer)->read_all(kErrorBytesMost);
        co_return parse_error(status, body ? std::string_view(*body) : std::string_view()).about(base_.url());
    }

    /// Whether to ask again; waits first.
    Task<bool> pause(Trying& trying, const Error& error) {
        const int64_t patience_ns = answered_ ? kKeepTryingNs : kFirstContactNs;
        if (!trying.repeatable || !trying.transient || machine_.clock.monotonic_ns() - trying.begun_ns >= patience_ns)
            co_return false;
        const uint64_t pause_ms = trying.backoff.next(machine_.random, trying.asked_ms);
        machine_.log.info("trying again",
                          {{"object", error.object()}, {"error", error.what()}, {"pause_ms", pause_ms}});
        co_await sleep_ms(pause_ms);
        co_return true;
    }

    const net::BaseUrl base_;
    const std::string authorization_;
    Machine machine_;
    std::unique_ptr<net::HttpClient> http_;
    bool answered_ = false;
};

}  // namespace

Result<std::unique_ptr<Client>> make_client(asio::any_io_executor executor, const ServerAccess& access,
                                            Machine machine) {
    ZCDP_TRY(auto base, net::BaseUrl::parse(access.url));
    if (!is_bearer_token(access.token))
        return Error(ErrorKind::usage, "the token has a byte that no header can carry", base.url(),
                     "a token is one line of visible ASCII");
    net::HttpClientOptions options;
    net::TlsOptions tls;
    tls.ca_pem = access.ca_pem;
    options.tls = net::make_tls_context(std::move(tls));
    options.user_agent = "zcdp";
    options.limits.header_timeout_ms = kHeaderTimeoutMs;
    options.limits.connections_max = std::max(access.connections, 1u);
    ZCDP_TRY(options.proxies, net::Proxies::from_environment(machine.environment));
    const std::string others = machine.environment("all_proxy");
    options.proxies.set_for_others(others.empty() ? machine.environment("ALL_PROXY") : others);
    return std::unique_ptr<Client>(
        std::make_unique<HttpStoreClient>(executor, std::move(base), access, std::move(options), machine));
}

}  // namespace zcdp::datastore
