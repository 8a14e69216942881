// origin_conformance SOURCE FOLDER FOLLOW [ENDPOINT]: the conformance suite of Origin against SOURCE. Its objects are
// made in FOLDER; after each change `FOLLOW put|remove KEY FILE` is run, which does the same to the store. Credentials
// come from the environment; without any set, requests are anonymous. With $ZCDP_CONFORMANCE_ROOT a data store is
// opened there, SOURCE is a key of it, and FOLLOW finds it in $ZCDP_SERVER. Prints a line for each rule that is broken;
// exit code 1.
#include <fmt/core.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "src/datastore/client/store_origin.hpp"
#include "tests/support/origin_conformance.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/datastore/server.hpp"
#include "zcdp/origin/options.hpp"

using namespace zcdp;

namespace {

std::string quoted(const std::string& word) {
    std::string out = "'";
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

/// A data store in this process, where what is not pointed at any more goes at once.
class OwnDataStore {
  public:
    OwnDataStore(const std::string& root, const Machine& machine) {
        datastore::ServerOptions options;
        options.root = root, options.listen = "127.0.0.1:0", options.keep_versions = 1;
        options.times.reader_grace_s = 0;
        auto opened = datastore::Server::open(std::move(options), machine);
        if (!opened) {
            fmt::print("{}\n", opened.error().line());
            std::exit(3);
        }
        server_ = std::move(*opened);
        ::setenv("ZCDP_SERVER", server_->url().c_str(), 1);
        thread_ = std::jthread([this](const std::stop_token& stop) { (void)server_->run(stop); });
    }
    const std::string& url() const { return server_->url(); }
    void look_after() { server_->look_after(); }

  private:
    std::unique_ptr<datastore::Server> server_;
    std::jthread thread_;
};

Result<origin::OriginFactory> factory_of(const std::string& source, const std::string& endpoint,
                                         const OwnDataStore* store, const Machine& machine) {
    if (store)
        return datastore::make_store_origin_factory(datastore::Source::of_key(source, 0, "/tmp", machine),
                                                    {store->url(), "", "", 16}, machine);
    origin::OriginOptions options;
    options.endpoint = endpoint;
    options.retries = 2;
    options.anonymous = environment("AWS_ACCESS_KEY_ID").empty() && environment("AZURE_STORAGE_KEY").empty() &&
                        environment("GOOGLE_APPLICATION_CREDENTIALS").empty();
    return make_origin_factory(source, options, machine);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    ::signal(SIGPIPE, SIG_IGN);
    const std::string source = argv[1], folder = argv[2], follow = argv[3];
    Metrics metrics;
    Logger log(system_clock(), 2, LogLevel::warn, LogFormat::text);
    const Machine machine{system_fs(), system_clock(), system_random(), metrics, log, environment};
    std::unique_ptr<OwnDataStore> store;
    if (const std::string root = environment("ZCDP_CONFORMANCE_ROOT"); !root.empty())
        store = std::make_unique<OwnDataStore>(root, machine);
    test::OriginFixture fixture(folder, [&](const std::string& path, bool is_there) {
        const std::string command =
            follow + (is_there ? " put " : " remove ") + quoted(path) + " " + quoted(folder + "/" + path);
        if (std::system(command.c_str()) != 0) std::exit(3);
        if (store) store->look_after();
    });
    auto factory = factory_of(source, argc > 4 ? argv[4] : "", store.get(), machine);
    if (!factory) {
        fmt::print("{}\n", factory.error().line());
        return 1;
    }
    const auto violations = test::OriginConformance(fixture, std::move(*factory)).violations();
    for (const std::string& violation : violations) fmt::print("{}\n", violation);
    return violations.empty() ? 0 : 1;
}
