// The server: its store, its routes, and the thread that looks after it.
#include "zcdp/datastore/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "src/datastore/server/place.hpp"
#include "src/datastore/server/requests.hpp"
#include "src/datastore/server/tokens.hpp"
#include "src/datastore/server/upkeep.hpp"
#include "zcdp/base/stop.hpp"
#include "zcdp/net/listen.hpp"
#include "zcdp/net/pki.hpp"

namespace zcdp::datastore {
namespace {

using net::server::Access;

constexpr unsigned kFileThreads = 16;  ///< what blocks is done by so many at once
constexpr unsigned kLoopsLeast = 2, kLoopsMax = 8;
constexpr uint64_t kPatienceMs = 1'500, kLookMs = 2'000;
constexpr int64_t kReadAgainNs = 10'000'000'000;  ///< tokens and certificates may have changed

bool is_loopback(const std::string& host) {
    return host.starts_with("127.") || host == "::1" || host == "[::1]" || host == "localhost";
}

Result<std::unique_ptr<store::Store>> open_store(const std::string& root, Machine& machine) {
    ZCDP_CHECK(check_place(machine.fs, root));
    store::StoreOptions options;
    options.root = root;
    options.holder = fmt::format("zcdp metadata-server, pid {}", ::getpid());
    return store::Store::open(std::move(options), machine.fs, machine.clock, machine.random, machine.log,
                              machine.metrics);
}

/// A store that has snapshots and no keys has lost them, or is another's: all of it would be taken for orphans.
Result<> check_keys(store::Store& store, Fs& fs) {
    const std::string keys = store.root() + "/keys.db";
    if (fs.stat(AT_FDCWD, keys.c_str())) return {};
    ZCDP_TRY(const auto snapshots, store.list());
    if (snapshots.empty()) return {};
    return Error(ErrorKind::refused,
                 fmt::format("has {} snapshots and no keys.db: nothing says what they are called", snapshots.size()),
                 store.root(), "put keys.db back, or use another --root");
}

class DataServer final : public Server {
  public:
    DataServer(ServerOptions options, Machine machine, std::unique_ptr<store::Store> store,
               std::unique_ptr<KeyIndex> keys, std::unique_ptr<ChunkIndex> chunks, std::unique_ptr<Tokens> tokens)
        : parts_(std::move(options), machine, pool_, std::move(store), std::move(keys), std::move(chunks)),
          tokens_(std::move(tokens)),
          uploads_(machine.clock, machine.random, pool_, parts_.counts.uploads),
          upkeep_(parts_, uploads_) {
        parts_.make_room = [this] { upkeep_.make_room(); };
    }
    ~DataServer() override {
        server_.reset();
        uploads_.end_all();
        pool_.join();
    }

    Result<> bind(net::KeyPair certificate);
    const std::string& url() const override { return url_; }
    Result<> run(std::stop_token stop) override;
    void look_after() override { upkeep_.look(); }

  private:
    void add_routes();
    Task<std::optional<Response>> authenticate(Request& request);
    Task<Response> answer(Request& request, RequestBody& body);
    void read_again();
    bool is_certified() const { return !parts_.options.certificate_file.empty(); }

    asio::thread_pool pool_{kFileThreads};
    Parts parts_;
    const std::unique_ptr<Tokens> tokens_;
    Uploads uploads_;
    Upkeep upkeep_;
    KeyRequests key_requests_{parts_};
    FileRequests file_requests_{parts_};
    UploadRequests upload_requests_{parts_, uploads_};
    net::server::Router router_;
    net::KeyPair certificate_;
    std::string url_;
    std::unique_ptr<net::server::Server> server_;
};

Task<std::optional<Response>> DataServer::authenticate(Request& request) {
    const Tokens::Verdict verdict = tokens_->check(request.header("authorization"));
    if (verdict == Tokens::Verdict::counts) co_return std::nullopt;
    parts_.counts.denied.add();
    const bool missing = verdict == Tokens::Verdict::missing;
    Response refused = refusal(
        {missing ? 401 : 403, Error(ErrorKind::denied, missing ? "a token is needed" : "the token does not count", "",
                                    "name the file with it by --token-file or ZCDP_TOKEN_FILE")});
    if (missing) refused.headers += "WWW-Authenticate: Bearer\r\n";
    co_return refused;
}

Task<Response> health(Request&, RequestBody&) { co_return json_response(200, "{\"status\":\"ok\"}"); }

Task<Response> no_such_request(Request& request, RequestBody&) {
    co_return refusal(Refused(
        Error(ErrorKind::not_found, "is nothing that a data store answers", request.method + " " + request.target)));
}

void DataServer::add_routes() {
    router_.add("GET", "/v1/health", health);
    const Access access{[this](Request& request) { return authenticate(request); }, {}};
    key_requests_.add_to(router_, access);
    file_requests_.add_to(router_, access);
    upload_requests_.add_to(router_, access);
    router_.otherwise(no_such_request);
}

Task<Response> DataServer::answer(Request& request, RequestBody& body) {
    Response response = co_await router_.route(request, body);
    parts_.counts.requests.add();
    if (parts_.machine.log.enabled(LogLevel::info))
        parts_.machine.log.info("request",
                                {{"method", request.method}, {"target", request.target}, {"status", response.status}});
    co_return response;
}

Result<> DataServer::bind(net::KeyPair certificate) {
    upkeep_.count();
    add_routes();
    net::server::Options wanted;
    wanted.listen = parts_.options.listen;
    wanted.loops = std::clamp(std::thread::hardware_concurrency(), kLoopsLeast, kLoopsMax);
    wanted.connections_max = parts_.options.connections_max, wanted.refuse_when_full = true;
    wanted.body_bytes_max = UINT64_MAX;  // each request has a bound of its own
    wanted.requests_refused = &parts_.counts.refused;
    wanted.tls = is_certified();
    wanted.certificate_pem = certificate.certificate_pem, wanted.key_pem = certificate.key_pem;
    certificate_ = std::move(certificate);
    ZCDP_TRY(server_,
             net::server::Server::open(
                 std::move(wanted), pool_,
                 [this](Request& request, RequestBody& body) { return answer(request, body); }, parts_.machine.log));
    url_ = fmt::format("{}://{}:{}", is_certified() ? "https" : "http", server_->address(), server_->port());
    return {};
}

/// What cannot be read leaves what was read before.
void DataServer::read_again() {
    const ServerOptions& options = parts_.options;
    auto done = tokens_->read_again();
    if (done && is_certified()) {
        auto pair = net::read_key_pair(parts_.machine.fs, options.certificate_file, options.key_file);
        if (!pair) done = std::move(pair).error();
        else if (pair->certificate_pem != certificate_.certificate_pem) {
            done = server_->set_certificate(pair->certificate_pem, pair->key_pem);
            if (done) certificate_ = std::move(*pair);
        }
    }
    if (!done) parts_.machine.log.warn("what was read before stays", {{"error", done.error().line()}});
}

Result<> DataServer::run(std::stop_token stop) {
    int64_t read_ns = parts_.machine.clock.monotonic_ns();
    do {
        upkeep_.look();
        if (const int64_t now_ns = parts_.machine.clock.monotonic_ns(); now_ns - read_ns >= kReadAgainNs) {
            read_again();
            read_ns = now_ns;
        }
    } while (!wait_for_stop(stop, kLookMs));
    server_->drain(kPatienceMs);
    return {};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(ServerOptions options, Machine machine) {
    ZCDP_TRY(const auto listen, net::Listen::parse(options.listen));
    if (options.token_file.empty() && !is_loopback(listen.host))
        return Error(ErrorKind::usage, "is reached by others, and no token is demanded", options.listen,
                     "name a file with one by --token-file, or listen on 127.0.0.1");
    ZCDP_TRY(auto tokens, Tokens::read(options.token_file, machine.fs));
    net::KeyPair certificate;
    if (!options.certificate_file.empty()) {
        ZCDP_TRY(certificate, net::read_key_pair(machine.fs, options.certificate_file, options.key_file));
    }
    ZCDP_TRY(auto store, open_store(options.root, machine));
    ZCDP_CHECK(check_keys(*store, machine.fs));
    ZCDP_TRY(auto keys, KeyIndex::open(store->root() + "/keys.db", {options.keep_versions, options.quota_keys}));
    ZCDP_TRY(auto chunks, ChunkIndex::open(store->root() + "/chunks.db"));
    auto server = std::make_unique<DataServer>(std::move(options), machine, std::move(store), std::move(keys),
                                               std::move(chunks), std::move(tokens));
    ZCDP_CHECK(server->bind(std::move(certificate)));
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace zcdp::datastore
