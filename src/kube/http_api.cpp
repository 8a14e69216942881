// The API over HTTPS. Requests share one loop and its kept connections; a watch has a loop of its own on its caller's
// thread, so that its events are parsed there and a stop ends it at once.
#include <fcntl.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <future>
#include <optional>
#include <thread>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/json_parse.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/kube/api.hpp"
#include "zcdp/kube/metrics.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::kube {
namespace {

constexpr uint64_t kRequestTimeoutMs = 35'000;
constexpr size_t kBodyMax = 256u << 20, kLineMax = 32u << 20;
constexpr int64_t kCredentialsKeptNs = 60'000'000'000;
constexpr size_t kFileMax = 1u << 20;
constexpr unsigned kDepthMax = 100;

ApiError unanswered(const Error& error) {
    const auto kind = error.kind() == ErrorKind::timeout ? ApiErrorKind::timeout : ApiErrorKind::unreachable;
    return ApiError(kind, 0, error.line());
}

void add_query(std::string& target, std::string_view name, const std::string& value) {
    if (value.empty()) return;
    target += target.find('?') == std::string::npos ? '?' : '&';
    target.append(name).append("=").append(uri_encode(value, false));
}

const char* content_type(PatchKind kind) {
    switch (kind) {
        case PatchKind::merge: return "application/merge-patch+json";
        case PatchKind::json_patch: return "application/json-patch+json";
        case PatchKind::strategic: return "application/strategic-merge-patch+json";
        case PatchKind::apply: return "application/apply-patch+yaml";
    }
    return "";
}

ApiResult<json::object> parse_object(std::string_view body) {
    auto value = parse_json(body, kDepthMax);
    if (!value || !value->is_object())
        return ApiError(ApiErrorKind::malformed, 200, "the API server's answer is no JSON object");
    return std::move(value->get_object());
}

/// CA, client certificate and token as they are now; files are looked at again every minute, for they rotate.
class Credentials {
  public:
    Credentials(Connection connection, Fs& fs, const Clock& clock)
        : fs_(fs), clock_(clock), connection_(std::move(connection)) {}

    struct Now {
        std::shared_ptr<net::TlsContext> tls;
        std::string token;
        uint64_t generation;  ///< changes with the CA
    };
    Now now() {
        const MutexLock lock(mutex_);
        const int64_t at = clock_.monotonic_ns();
        if (!tls_ || !read_at_ns_ || at - *read_at_ns_ > kCredentialsKeptNs) {
            read_at_ns_ = at;
            read_files();
        }
        return {tls_, connection_.token, generation_};
    }
    /// The server refused the token: it is read again now.
    void refused() {
        const MutexLock lock(mutex_);
        read_at_ns_.reset();
    }

  private:
    void read_files() ZCDP_REQUIRES(mutex_) {
        if (!connection_.token_file.empty())
            if (auto token = read_user_file(fs_, connection_.token_file, kFileMax)) {
                while (!token->empty() && (token->back() == '\n' || token->back() == ' ')) token->pop_back();
                connection_.token = std::move(*token);
            }
        bool changed = !tls_;
        if (!connection_.ca_file.empty())
            if (auto pem = read_user_file(fs_, connection_.ca_file, kFileMax); pem && *pem != connection_.ca_pem) {
                connection_.ca_pem = std::move(*pem);
                changed = true;
            }
        if (!changed) return;
        net::TlsOptions tls;
        tls.ca_pem = connection_.ca_pem;
        tls.client_cert_pem = connection_.client_cert_pem;
        tls.client_key_pem = connection_.client_key_pem;
        tls.server_name = connection_.tls_server_name;
        tls.insecure_skip_verify = connection_.insecure_skip_tls_verify;
        tls_ = net::make_tls_context(tls);
        ++generation_;
    }
    Fs& fs_;
    const Clock& clock_;
    Mutex mutex_;
    Connection connection_ ZCDP_GUARDED_BY(mutex_);
    std::optional<int64_t> read_at_ns_ ZCDP_GUARDED_BY(mutex_);
    uint64_t generation_ ZCDP_GUARDED_BY(mutex_) = 0;
    std::shared_ptr<net::TlsContext> tls_ ZCDP_GUARDED_BY(mutex_);
};

struct Answer {
    int status = 0;
    std::string body, retry_after;
};

class HttpApi final : public Api {
  public:
    HttpApi(Connection connection, std::string user_agent, Fs& fs, const Clock& clock, Metrics& metrics, Logger& log)
        : endpoint_(net::Endpoint::parse(connection.server)),
          proxies_(connection.proxies),
          credentials_(std::move(connection), fs, clock),
          user_agent_(std::move(user_agent)),
          clock_(clock),
          metrics_(metrics),
          log_(log),
          requests_(metrics.counter(metric::requests)),
          thread_([this] { loop_.run(); }) {}
    ~HttpApi() override {
        asio::post(loop_, [this] { client_.reset(); });
        work_.reset();
        thread_.join();
    }

    ApiResult<json::object> get(const Resource& resource, const std::string& ns, const std::string& name) override {
        return object_of(request("GET", resource.path(ns, name), "", {}));
    }
    ApiResult<std::string> list(const Resource& resource, const ListOptions& options,
                                const std::function<void(json::object&&)>& each) override;
    ApiResult<> watch(const Resource& resource, const WatchOptions& options,
                      const std::function<void(WatchEvent&&)>& on_event, std::stop_token stop) override;
    ApiResult<json::object> create(const Resource& resource, const std::string& ns, const json::object& object,
                                   const char* subresource, const std::string& name) override {
        return object_of(
            request("POST", resource.path(ns, name, subresource), "application/json", json::serialize(object)));
    }
    ApiResult<json::object> replace(const Resource& resource, const json::object& object,
                                    const char* subresource) override {
        const json::object& meta = object.at("metadata").as_object();
        return object_of(request("PUT", resource.path(text_of(meta, "namespace"), text_of(meta, "name"), subresource),
                                 "application/json", json::serialize(object)));
    }
    ApiResult<json::object> patch(const Resource& resource, const std::string& ns, const std::string& name,
                                  PatchKind kind, const json::value& body, const char* subresource) override {
        std::string path = resource.path(ns, name, subresource);
        if (kind == PatchKind::apply) path += "?fieldManager=zcdp&force=true";
        return object_of(request("PATCH", path, content_type(kind), json::serialize(body)));
    }
    ApiResult<> remove(const Resource& resource, const std::string& ns, const std::string& name,
                       const std::string& uid) override {
        json::object options{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Background"}};
        if (!uid.empty()) options["preconditions"] = json::object{{"uid", uid}};
        auto answer = request("DELETE", resource.path(ns, name), "application/json", json::serialize(options));
        if (!answer) return std::move(answer).error();
        return {};
    }
    ApiResult<std::string> raw_get(const std::string& path) override {
        auto answer = request("GET", path, "", {});
        if (!answer) return std::move(answer).error();
        return std::move(answer->body);
    }

  private:
    net::HttpClientOptions client_options(const Credentials::Now& now) const {
        net::HttpClientOptions options;
        options.tls = now.tls;
        options.proxies = proxies_;
        options.user_agent = user_agent_;
        return options;
    }
    net::Request make_request(const char* method, std::string target, const char* type, std::string body,
                              const std::string& token) const {
        net::Request out;
        out.method = method;
        out.target = std::move(target);
        out.headers = {{"Accept", "application/json"}};
        if (*type) out.headers.emplace_back("Content-Type", type);
        if (!token.empty()) out.headers.emplace_back("Authorization", "Bearer " + token);
        out.body = std::move(body);
        return out;
    }

    /// On the loop's thread.
    Task<ApiResult<Answer>> exchange(net::Request what, Credentials::Now now) {
        if (!client_ || generation_ != now.generation) {
            client_ = net::make_http_client(loop_.get_executor(), client_options(now), clock_, metrics_, log_);
            generation_ = now.generation;
        }
        const auto client = client_;
        auto answer = co_await client->send(*endpoint_, std::move(what), Deadline::in_ms(kRequestTimeoutMs));
        if (!answer) co_return unanswered(answer.error());
        auto body = co_await (*answer)->read_all(kBodyMax);
        if (!body) co_return unanswered(body.error());
        co_return Answer{(*answer)->status(), std::move(*body), std::string((*answer)->header("retry-after"))};
    }

    ApiResult<Answer> request(const char* method, std::string target, const char* type, std::string body) {
        if (!endpoint_) return ApiError(ApiErrorKind::unreachable, 0, endpoint_.error().line());
        requests_.add();
        const Credentials::Now now = credentials_.now();
        std::promise<ApiResult<Answer>> promise;
        auto future = promise.get_future();
        auto what = make_request(method, std::move(target), type, std::move(body), now.token);
        asio::co_spawn(loop_, exchange(std::move(what), now),
                       [&promise](std::exception_ptr error, ApiResult<Answer> answer) {
                           if (error) promise.set_exception(error);
                           else promise.set_value(std::move(answer));
                       });
        ApiResult<Answer> answer = future.get();
        if (!answer) return answer;
        if (answer->status >= 200 && answer->status < 300) return answer;
        if (answer->status == 401) credentials_.refused();
        return api_error(answer->status, answer->body, answer->retry_after);
    }

    static ApiResult<json::object> object_of(ApiResult<Answer> answer) {
        if (!answer) return std::move(answer).error();
        return parse_object(answer->body);
    }

    Task<ApiResult<>> read_events(net::HttpClient& client, std::string target, Credentials::Now now, uint32_t timeout_s,
                                  const std::function<void(WatchEvent&&)>& on_event);

    Result<net::Endpoint> endpoint_;
    const net::Proxies proxies_;
    Credentials credentials_;
    const std::string user_agent_;
    const Clock& clock_;
    Metrics& metrics_;
    Logger& log_;
    Counter& requests_;
    asio::io_context loop_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
    std::shared_ptr<net::HttpClient> client_;  ///< of the loop
    uint64_t generation_ = 0;
    std::thread thread_;
};

ApiResult<std::string> HttpApi::list(const Resource& resource, const ListOptions& options,
                                     const std::function<void(json::object&&)>& each) {
    std::string token, version;
    do {
        std::string target = resource.path(options.ns);
        add_query(target, "labelSelector", options.label_selector);
        add_query(target, "fieldSelector", options.field_selector);
        add_query(target, "limit", options.from_cache ? "" : std::to_string(options.page));
        add_query(target, "continue", token);
        if (options.from_cache) add_query(target, "resourceVersion", "0");
        auto answer = request("GET", std::move(target), "", {});
        if (!answer) return std::move(answer).error();
        auto page = parse_object(answer->body);
        if (!page) return std::move(page).error();
        const json::value* meta = page->if_contains("metadata");
        const json::value* items = page->if_contains("items");
        if (!meta || !meta->is_object() || !items)
            return ApiError(ApiErrorKind::malformed, 200, "a list without metadata or items");
        token = text_of(meta->get_object(), "continue");
        version = text_of(meta->get_object(), "resourceVersion");
        if (json::value* list = page->if_contains("items"); list->is_array())
            for (json::value& item : list->get_array())
                if (item.is_object()) each(std::move(item.get_object()));
    } while (!token.empty());
    return version;
}

/// One line of a watch; an ERROR event is the Status it carries.
ApiResult<WatchEvent> parse_event(std::string_view line) {
    auto event = parse_object(line);
    if (!event) return std::move(event).error();
    const std::string type = text_of(*event, "type");
    json::value* object = event->if_contains("object");
    if (!object || !object->is_object())
        return ApiError(ApiErrorKind::malformed, 200, "a watch event without an object");
    if (type == "ERROR") {
        const json::value* code = object->get_object().if_contains("code");
        return api_error(code && code->is_int64() ? static_cast<int>(code->get_int64()) : 500, json::serialize(*object),
                         "");
    }
    const auto kind = type == "ADDED"      ? WatchEvent::Type::added
                      : type == "MODIFIED" ? WatchEvent::Type::modified
                      : type == "DELETED"  ? WatchEvent::Type::deleted
                                           : WatchEvent::Type::bookmark;
    return WatchEvent{kind, std::move(object->get_object())};
}

Task<ApiResult<>> HttpApi::read_events(net::HttpClient& client, std::string target, Credentials::Now now,
                                       uint32_t timeout_s, const std::function<void(WatchEvent&&)>& on_event) {
    auto what = make_request("GET", std::move(target), "", {}, now.token);
    auto answer = co_await client.send(*endpoint_, std::move(what), Deadline::in_ms((timeout_s + 60) * 1000ull));
    if (!answer) co_return unanswered(answer.error());
    if ((*answer)->status() != 200) {
        if ((*answer)->status() == 401) credentials_.refused();
        const int status = (*answer)->status();
        auto body = co_await (*answer)->read_all(kFileMax);
        co_return api_error(status, body ? *body : "", (*answer)->header("retry-after"));
    }
    std::string pending;
    std::vector<std::byte> buffer(64 << 10);
    while (true) {
        auto got = co_await (*answer)->read_some(buffer);
        // A kind of which nothing ever changes has no bookmarks either: its stream is begun anew, as one that the
        // server ended.
        if (!got && got.error().kind() == ErrorKind::timeout) co_return ApiResult<>();
        if (!got) co_return unanswered(got.error());
        if (*got == 0) co_return ApiResult<>();
        pending.append(reinterpret_cast<const char*>(buffer.data()), *got);
        size_t begin = 0;
        for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
            auto event = parse_event(std::string_view(pending).substr(begin, end - begin));
            if (!event) co_return std::move(event).error();
            on_event(std::move(*event));
        }
        pending.erase(0, begin);
        if (pending.size() > kLineMax)
            co_return ApiError(ApiErrorKind::malformed, 200, "a watch event is over the limit");
    }
}

ApiResult<> HttpApi::watch(const Resource& resource, const WatchOptions& options,
                           const std::function<void(WatchEvent&&)>& on_event, std::stop_token stop) {
    if (!endpoint_) return ApiError(ApiErrorKind::unreachable, 0, endpoint_.error().line());
    requests_.add();
    std::string target = resource.path(options.ns) + "?watch=1&allowWatchBookmarks=true";
    add_query(target, "labelSelector", options.label_selector);
    add_query(target, "fieldSelector", options.field_selector);
    add_query(target, "resourceVersion", options.resource_version);
    add_query(target, "timeoutSeconds", std::to_string(options.timeout_s));
    const Credentials::Now now = credentials_.now();
    asio::io_context loop(1);
    net::HttpClientOptions client_settings = client_options(now);
    // Bookmarks come every minute, the first perhaps only after two: a stream that brings nothing at all may be dead.
    client_settings.limits.min_bytes_per_second = 0;
    client_settings.limits.min_rate_window_ms = 150'000;
    const auto client = net::make_http_client(loop.get_executor(), client_settings, clock_, metrics_, log_);
    ApiResult<> result;
    std::exception_ptr thrown;
    asio::co_spawn(loop, read_events(*client, std::move(target), now, options.timeout_s, on_event),
                   [&](std::exception_ptr error, ApiResult<> ended) {
                       thrown = error;
                       if (!error) result = std::move(ended);
                       client->close();
                       loop.stop();
                   });
    const std::stop_callback end(stop, [&loop] { loop.stop(); });
    loop.run();
    if (thrown) std::rethrow_exception(thrown);
    return result;
}

}  // namespace

std::unique_ptr<Api> connect(Connection connection, std::string user_agent, Fs& fs, const Clock& clock,
                             Metrics& metrics, Logger& log) {
    return std::make_unique<HttpApi>(std::move(connection), std::move(user_agent), fs, clock, metrics, log);
}

}  // namespace zcdp::kube
