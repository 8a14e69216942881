// The client's pure parts and its machinery: errors, kubeconfigs, caches, queues, leases.
#include <fcntl.h>
#include <boost/json/parse.hpp>

#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/api/types.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/kube/lease.hpp"
#include "zcdp/kube/work_queue.hpp"

namespace zcdp::kube {
namespace {

std::string no_environment(const char*) { return ""; }
Result<Connection> parse(const std::string& text, const std::string& context = "") {
    return connection_from_kubeconfig(text, "/nowhere", context, system_fs(), no_environment);
}

const char* const kConfig = R"(
apiVersion: v1
kind: Config
current-context: two
clusters:
- {name: one, cluster: {server: "https://one:6443", certificate-authority-data: Q0E=}}
- {name: two, cluster: {server: "https://two:6443", tls-server-name: kube, insecure-skip-tls-verify: true}}
users:
- {name: cert, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}
- {name: token, user: {token: secret}}
contexts:
- {name: one, context: {cluster: one, user: cert, namespace: team}}
- {name: two, context: {cluster: two, user: token}}
)";

json::object dataset(const char* name, const char* version, const char* uid = "u") {
    return {{"metadata", json::object{{"name", name}, {"namespace", "n"}, {"resourceVersion", version}, {"uid", uid}}}};
}

}  // namespace

TEST_CASE("a Status becomes a typed error with the server's own words") {
    const auto of = [](int status, const char* body) { return api_error(status, body, ""); };
    CHECK(of(404, R"({"kind":"Status","reason":"NotFound","message":"no"})").kind() == ApiErrorKind::not_found);
    CHECK(of(409, R"({"reason":"AlreadyExists","message":"x"})").kind() == ApiErrorKind::already_exists);
    CHECK(of(409, R"({"reason":"Conflict","message":"x"})").kind() == ApiErrorKind::conflict);
    CHECK(of(410, R"({"reason":"Expired","message":"x"})").kind() == ApiErrorKind::gone);
    CHECK(of(403, R"({"reason":"Forbidden","message":"you may not"})").to_error().kind() == ErrorKind::denied);
    CHECK(of(500, "<html>").message() == "HTTP 500: <html>");
    CHECK(of(503, "").kind() == ApiErrorKind::server);
    CHECK(api_error(429, "", "7").retry_after_s() == 7);
}

TEST_CASE("paths of the API") {
    CHECK(resources::pods.path("n", "p", "status") == "/api/v1/namespaces/n/pods/p/status");
    CHECK(resources::datasets.path("") == "/apis/zcdp.io/v1alpha1/datasets");
    CHECK(resources::nodes.path("ignored", "x") == "/api/v1/nodes/x");
}

TEST_CASE("a kubeconfig's proxy-url, and the environment's proxy without one") {
    const std::string cluster = "- {name: two, cluster: {server: \"https://two:6443\"";
    const auto with = [&](const std::string& proxy_url) {
        std::string text = kConfig;
        return text.replace(text.find("- {name: two, cluster: {server: \"https://two:6443\""), cluster.size(),
                            cluster + ", proxy-url: \"" + proxy_url + "\"");
    };
    const auto two = *net::Endpoint::parse("https://two:6443");
    const auto proxied = parse(with("http://user:word@proxy:3128")).value();
    REQUIRE(proxied.proxies.for_endpoint(two));
    CHECK(proxied.proxies.for_endpoint(two)->endpoint.host_and_port() == "proxy:3128");
    CHECK(!parse(kConfig)->proxies.for_endpoint(two));
    const auto refused = parse(with("socks5://user:word@proxy:1080"));
    REQUIRE(!refused);
    CHECK(refused.error().line().find("word") == std::string::npos);
    const auto environment = [](const char* name) -> std::string {
        return std::string(name) == "HTTPS_PROXY" ? "http://outer:8080" : "";
    };
    const auto outer = connection_from_kubeconfig(kConfig, "/nowhere", "", system_fs(), environment).value();
    REQUIRE(outer.proxies.for_endpoint(two));
    CHECK(outer.proxies.for_endpoint(two)->endpoint.host == "outer");
}

TEST_CASE("a kubeconfig's contexts, certificates and tokens") {
    const auto two = parse(kConfig).value();
    CHECK(two.server == "https://two:6443");
    CHECK(two.token == "secret");
    CHECK(two.tls_server_name == "kube");
    CHECK(two.insecure_skip_tls_verify);
    const auto one = parse(kConfig, "one").value();
    CHECK(one.ca_pem == "CA");
    CHECK(one.client_cert_pem == "CERT");
    CHECK(one.client_key_pem == "KEY");
    CHECK(one.default_namespace == "team");
    CHECK_FALSE(one.insecure_skip_tls_verify);
}

TEST_CASE("what a kubeconfig gets wrong is said") {
    CHECK(parse(kConfig, "three").error().what().find("three") != std::string::npos);
    CHECK(parse("{").error().what().find("YAML") != std::string::npos);
    CHECK_FALSE(parse("[]").has_value());
    std::string broken = kConfig;
    broken.replace(broken.find("Q0E="), 4, "a$$a");
    CHECK(parse(broken, "one").error().what().find("base64") != std::string::npos);
}

TEST_CASE("an exec plugin's credentials are taken") {
    const auto with = [](const std::string& command) {
        return parse(
            "current-context: c\nclusters: [{name: c, cluster: {server: 'https://h'}}]\ncontexts: [{name: c, context: "
            "{cluster: c, user: u}}]\n"
            "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, '" +
            command + "'], env: [{name: WORD, value: hello}]}}}]\n");
    };
    CHECK(with("echo \"{\\\"status\\\":{\\\"token\\\":\\\"$WORD\\\"}}\"").value().token == "hello");
    CHECK(with("exit 3").error().kind() == ErrorKind::denied);
    CHECK(with("echo nothing").error().kind() == ErrorKind::denied);
}

TEST_CASE("files that Kubernetes switches by symlinks are read through them") {
    const test::TempFolder folder;
    REQUIRE(system_fs().mkdir(AT_FDCWD, (folder.path() + "/v1").c_str(), 0755).has_value());
    REQUIRE(replace_file(system_fs(), AT_FDCWD, folder.path() + "/v1/token", "abc", 0600).has_value());
    REQUIRE(system_fs().symlink("v1", AT_FDCWD, (folder.path() + "/..data").c_str()).has_value());
    REQUIRE(system_fs().symlink("..data/token", AT_FDCWD, (folder.path() + "/token").c_str()).has_value());
    CHECK(read_user_file(system_fs(), folder.path() + "/token", 100).value() == "abc");
    REQUIRE(system_fs().symlink("loop", AT_FDCWD, (folder.path() + "/loop").c_str()).has_value());
    CHECK_FALSE(read_user_file(system_fs(), folder.path() + "/loop", 100).has_value());
}

TEST_CASE("a cache passes over older states, takes a list as it is, and drops what the list has not") {
    Cache<api::Dataset> cache([](const api::Dataset& d) { return std::vector<std::string>{d.metadata.uid}; });
    int changes = 0;
    cache.on_change([&](const std::string&, const auto&, const auto&) { ++changes; });
    cache.begin_replace();
    cache.put(dataset("a", "10"));
    cache.put(dataset("b", "9", "v"));
    CHECK_FALSE(cache.synced());
    cache.end_replace();
    CHECK(cache.synced());
    CHECK(changes == 2);
    cache.put(dataset("a", "9"));
    cache.put(dataset("a", "10"));
    CHECK(changes == 2);
    cache.learn(dataset("a", "11"));
    CHECK(cache.get("n/a")->metadata.resource_version == "11");
    cache.put(dataset("a", "2", "another"));  // deleted and made again
    CHECK(cache.get("n/a")->metadata.uid == "another");
    CHECK(cache.by_index("u").empty());
    CHECK(cache.by_index("another").size() == 1);
    cache.begin_replace();
    cache.put(dataset("a", "1", "another"));  // a restored etcd: the list is right
    cache.end_replace();
    CHECK(cache.get("n/a")->metadata.resource_version == "1");
    CHECK(cache.get("n/b") == nullptr);
    cache.put({{"metadata", "nonsense"}});
    CHECK(cache.size() == 1);
}

TEST_CASE("a cache names what it cannot read, keeps its last readable state, and forgets it when it is gone") {
    Cache<api::Dataset> cache;
    std::vector<std::string> told;
    int gone = 0;
    cache.on_unreadable([&](const std::string& key, const std::string& error) { told.push_back(key + ": " + error); });
    cache.on_change([&](const std::string&, const auto&, const auto& after) { gone += after == nullptr; });
    const auto broken = [](const char* name, const char* version) {
        json::object out = dataset(name, version);
        out["spec"] = json::object{{"paused", "perhaps"}};
        return out;
    };
    cache.begin_replace();
    cache.put(dataset("a", "10"));
    cache.put(broken("b", "11"));
    cache.end_replace();
    CHECK(told == std::vector<std::string>{"n/b: spec.paused is not true or false"});
    CHECK(cache.unreadable() == std::map<std::string, std::string>{{"n/b", "spec.paused is not true or false"}});
    cache.put(broken("a", "12"));
    cache.put(broken("a", "13"));
    CHECK(told.size() == 2);
    CHECK(cache.is_unreadable("n/a"));
    REQUIRE(cache.get("n/a"));
    CHECK(cache.get("n/a")->metadata.resource_version == "10");
    cache.begin_replace();  // it is listed again, and is not taken for deleted
    cache.put(broken("a", "14"));
    cache.put(broken("b", "14"));
    cache.end_replace();
    CHECK(gone == 0);
    CHECK(cache.unreadable().size() == 2);
    cache.put(dataset("a", "15"));
    CHECK_FALSE(cache.is_unreadable("n/a"));
    CHECK(cache.get("n/a")->metadata.resource_version == "15");
    cache.erase(broken("b", "16"));
    CHECK(cache.unreadable().empty());
    cache.put(broken("c", "17"));
    cache.begin_replace();
    cache.end_replace();
    CHECK(cache.unreadable().empty());
    CHECK(gone == 1);  // "a", which was readable
}

TEST_CASE("a queue gives a key to one at a time, sooner when asked sooner, later after failures") {
    ManualClock clock(0);
    SeededRandom random(1);
    WorkQueue queue(clock, random);
    queue.add("a"), queue.add("a"), queue.add("b", 1'000);
    CHECK(queue.depth() == 2);
    CHECK(queue.try_take() == "a");
    queue.add("a");
    CHECK_FALSE(queue.try_take().has_value());  // taken: not twice at once
    queue.done("a");
    CHECK(queue.try_take() == "a");
    queue.done("a");
    queue.add("b", 0);
    CHECK(queue.try_take() == "b");
    queue.done("b");
    uint64_t last = 0;
    for (int i = 0; i < 4; ++i) {
        queue.add_after_failure("c");
        const uint64_t due = *queue.next_due_ms();
        CHECK(due > last / 4);
        last = due;
        clock.advance_ns(100'000'000'000);
        CHECK(queue.try_take() == "c");
        queue.done("c");
    }
    CHECK(last > 700);
    queue.succeeded("c");
    queue.add_after_failure("c");
    CHECK(*queue.next_due_ms() <= 300);
}

TEST_CASE("a lease has one holder, who stops leading before another may take over") {
    ManualClock clock(1'800'000'000'000'000'000);
    SeededRandom random(1);
    Logger log(clock, 2, LogLevel::off, LogFormat::text);
    test::SimServer server(clock);
    test::SimApi api_a(server, random), api_b(server, random);
    const auto options = [](const char* name) { return LeaseOptions{"ns", "lease", name, 15, 10'000, 2'000}; };
    LeaderLease a(api_a, options("a"), clock, log), b(api_b, options("b"), clock, log);
    CHECK(a.step());
    CHECK_FALSE(b.step());
    CHECK(b.holder() == "a");
    api_a.failure_rate = 1;  // a is cut off
    for (int i = 0; i < 4; ++i) {
        clock.advance_ns(2'000'000'000);
        a.step();
        CHECK_FALSE(b.step());
    }
    CHECK(a.is_leader());
    clock.advance_ns(2'100'000'000);
    CHECK_FALSE(a.is_leader());  // by its own clock, without asking anybody
    CHECK_FALSE(b.step());
    clock.advance_ns(6'000'000'000);
    CHECK(b.step());
    api_a.failure_rate = 0;
    CHECK_FALSE(a.step());
    b.release();
    CHECK(a.step());
}

}  // namespace zcdp::kube
