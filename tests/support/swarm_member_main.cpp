// Members of a swarm without a cluster, for the benches. CA is a file that `introduce` writes: who certifies them all.
// URL is where that is. Each says a line once it serves or has all, and ends with its input.
//   swarm_member introduce ADDRESS:PORT CA                    introduces them, as a controller does
//   swarm_member give STORE SNAPSHOT ADDRESS:PORT URL CA      gives it to others
//   swarm_member get STORE SOURCE ADDRESS:PORT URL CA GETTERS [ENDPOINT]
//     syncs SOURCE with the others, of whom so many get it; prints how many bytes came from the origin and from members
// "tls" before give and get: over mutual TLS, as agents do.
#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include "src/services/peers/introductions.hpp"
#include "src/services/peers/wire.hpp"
#include "src/sync/swarm/swarm_feeder.hpp"
#include "zcdp/net/control.hpp"
#include "zcdp/store/store.hpp"
#include "zcdp/swarm/peer_server.hpp"
#include "zcdp/sync/held_snapshot.hpp"
#include "zcdp/sync/peers.hpp"
#include "zcdp/sync/sync.hpp"
#include "zcdp/transfer/loop.hpp"

using namespace zcdp;

namespace {

/// As agents wait for each other where several are to have a dataset.
constexpr uint64_t kSettleMs = 1'500;
constexpr int64_t kDayS = 86'400;
constexpr const char* kDataset = "dataset";
const api::DatasetKey kKey = api::DatasetKey::parse("bench/dataset").value();

struct Here {
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::warn, LogFormat::text};
    Machine machine() {
        return {system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
    }
    Result<std::unique_ptr<store::Store>> open(const std::string& root) {
        return store::Store::open({.root = root, .holder = "swarm_member"}, system_fs(), system_clock(),
                                  system_random(), log, metrics);
    }
};

void say(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

void wait_for_end_of_input() {
    while (std::getchar() != EOF) continue;
}

Result<> introduce(Here& here, const std::string& listen, const std::string& ca_file) {
    ZCDP_TRY(const auto ca, net::make_ca("members", system_clock().unix_s(), 1));
    std::ofstream(ca_file) << ca.certificate_pem << ca.key_pem;
    Mutex mutex;
    swarm::Introducer introducer(system_clock(), system_random());
    net::server::ControlRouter routes;
    routes.add("POST", std::string(services::peers::kPeersPath),
               [&](const net::server::Request&, const std::string& body) -> net::server::ControlResponse {
                   const auto news = services::peers::read_news(body);
                   if (!news) return {400, "text/plain", news.error().line()};
                   const MutexLock lock(mutex);
                   const auto met = introducer.meet(kDataset, *news);
                   if (!met) return {429, "text/plain", met.error().line()};
                   return {200, "application/json", services::peers::to_text(*met)};
               });
    ZCDP_TRY(const auto server, net::server::ControlServer::open({.listen = listen}, 2, std::move(routes), here.log));
    say("introduces");
    wait_for_end_of_input();
    return {};
}

struct Certified {
    net::KeyPair own;
    std::string ca_pem;
    std::shared_ptr<const swarm::Identity> signs;

    /// The file `ca` has the CA's certificate and its key.
    Result<> certify(const std::string& name, const std::string& ca);
};

Result<> Certified::certify(const std::string& name, const std::string& ca) {
    std::ostringstream pem;
    pem << std::ifstream(ca).rdbuf();
    ZCDP_TRY(const auto request, net::make_certificate_request(name));
    ZCDP_TRY(const auto certificate, net::sign_certificate_request({pem.str(), pem.str()}, request.request_pem, name,
                                                                   {name}, system_clock().unix_s(), kDayS));
    own = {certificate, request.key_pem}, ca_pem = pem.str();
    ZCDP_TRY(signs, swarm::Identity::make(own, ca_pem));
    return {};
}

/// "127.0.0.1:80" has to stand in a certificate.
std::string dns_name(std::string address) {
    std::replace_if(address.begin(), address.end(), [](char c) { return c == '.' || c == ':'; }, '-');
    return "member-" + address;
}

/// Who gives pieces at `address`, and knows where the introducer is.
class Member {
  public:
    Member(Here& here, std::string address, std::string url, bool tls)
        : here_(here), address_(std::move(address)), url_(std::move(url)), tls_(tls) {}
    ~Member() { peers_.close(); }
    Result<> open(const std::string& ca) {
        ZCDP_CHECK(self_.certify(name_, ca));
        net::server::Options options{.listen = address_, .tls = tls_};
        if (tls_) {
            options.certificate_pem = self_.own.certificate_pem, options.key_pem = self_.own.key_pem;
            options.client_ca_pem = self_.ca_pem, options.client_certificate_required = true;
        }
        ZCDP_TRY(server_, net::server::Server::open(std::move(options), pool_, peers_.handler(), here_.log));
        return {};
    }
    std::unique_ptr<swarm::Introductions> introductions(asio::any_io_executor executor, const Revision& revision) {
        const auto nothing = [] { return std::string(); };
        return services::peers::make_introductions(executor, {url_, nothing, nothing}, kKey, revision, here_.machine());
    }
    sync::Peers as_peers(const Revision& revision, uint32_t getters) {
        net::HttpClientOptions options;
        if (tls_)
            options.tls = net::make_tls_context({.ca_pem = self_.ca_pem,
                                                 .client_cert_pem = self_.own.certificate_pem,
                                                 .client_key_pem = self_.own.key_pem});
        return {.dataset = kDataset,
                .self = name_,
                .address = address_,
                .scheme = tls_ ? "https" : "http",
                .settle_ms = getters > 1 ? kSettleMs : 0,
                .settle_getters = getters,
                .server = peers_,
                .bans = bans_,
                .identity = [this] { return self_.signs; },
                .http =
                    [this, options](asio::any_io_executor executor) {
                        return net::make_http_client(executor, options, system_clock(), here_.metrics, here_.log);
                    },
                .introductions =
                    [this, revision](asio::any_io_executor executor) { return introductions(executor, revision); }};
    }
    const std::string& address() const { return address_; }
    const std::string& name() const { return name_; }
    swarm::PeerServer& peers() { return peers_; }

  private:
    Here& here_;
    const std::string address_, url_;
    const std::string name_ = dns_name(address_);
    const bool tls_;
    asio::thread_pool pool_{4};
    Certified self_;
    swarm::PeerServer peers_{pool_, {.identity = [this] { return self_.signs; }}};
    swarm::Bans bans_{system_clock(), here_.metrics, here_.log};
    std::unique_ptr<net::server::Server> server_;
};

Task<> meet_as_holder(Member* member, Revision revision) {
    const auto introductions = member->introductions(co_await asio::this_coro::executor, revision);
    while (true) {
        (void)co_await introductions->meet(
            {.name = member->name(), .address = member->address(), .zone = "", .is_holder = true, .neighbours = {}});
        co_await sleep_ms(5'000);
    }
}

Result<> give(Here& here, const std::string& root, const std::string& snapshot, Member& member) {
    ZCDP_TRY(const auto store, here.open(root));
    ZCDP_TRY(const auto info, store->find(snapshot));
    ZCDP_TRY(auto share, sync::share_of_snapshot(*store, snapshot, system_fs(), system_random()));
    member.peers().add(sync::swarm_name(kDataset, info.revision), std::move(share));
    transfer::Loop loop;
    loop.spawn(meet_as_holder(&member, info.revision));
    const std::jthread meets([&loop](std::stop_token stop) { loop.run(std::move(stop)); });
    say("gives");
    wait_for_end_of_input();
    member.peers().close();
    return {};
}

Result<> get(Here& here, const std::string& root, const std::string& source, const std::string& endpoint,
             Member& member, uint32_t getters) {
    ZCDP_TRY(const auto store, here.open(root));
    origin::OriginOptions origin;
    origin.endpoint = endpoint, origin.anonymous = !endpoint.empty();
    ZCDP_TRY(const auto factory, origin::make_origin_factory(source, origin, here.machine()));
    const sync::Peers peers = member.as_peers(Revision("any"), getters);
    sync::SyncOptions options;
    options.source = source, options.peers = &peers;
    sync::Progress progress;
    ZCDP_TRY(const auto report, sync::run(options, store.get(), factory, here.machine(), progress, {}));
    say(fmt::format("{} {}", report.bytes_fetched, report.bytes_received));
    wait_for_end_of_input();
    member.peers().close();
    return {};
}

Result<> run(Here& here, std::vector<std::string> words) {
    const bool tls = !words.empty() && words[0] == "tls";
    if (tls) words.erase(words.begin());
    const std::string mode = words.empty() ? "" : words[0];
    if (mode == "introduce" && words.size() == 3) return introduce(here, words[1], words[2]);
    if ((mode != "give" || words.size() != 6) && (mode != "get" || words.size() < 7 || words.size() > 8))
        return Error(ErrorKind::usage, "wrong arguments", "swarm_member");
    Member member(here, words[3], words[4], tls);
    ZCDP_CHECK(member.open(words[5]));
    if (mode == "give") return give(here, words[1], words[2], member);
    const auto getters = static_cast<uint32_t>(std::strtoul(words[6].c_str(), nullptr, 10));
    return get(here, words[1], words[2], words.size() == 8 ? words[7] : "", member, getters);
}

}  // namespace

int main(int argc, char** argv) {
    ::signal(SIGPIPE, SIG_IGN);  // a member that has gone is an error of the write
    Here here;
    const auto done = run(here, {argv + 1, argv + argc});
    if (done) return 0;
    fmt::print(stderr, "{}\n", done.error().line());
    return 1;
}
