// Nodes that sync a dataset from one folder and from each other, each with its own store and server in this process.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "src/sync/swarm/swarm_feeder.hpp"
#include "tests/support/introductions.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/swarm/peer_server.hpp"
#include "zcdp/sync/peers.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::test {

namespace fs = std::filesystem;

inline void write_random(const fs::path& path, uint64_t size_bytes, uint64_t seed) {
    fs::create_directories(path.parent_path());
    std::string content(size_bytes, '\0');
    SeededRandom(seed).fill(std::as_writable_bytes(std::span(content)));
    std::ofstream(path, std::ios::binary) << content;
}

inline std::string content_of(const fs::path& path) {
    std::ostringstream content;
    content << std::ifstream(path, std::ios::binary).rdbuf();
    return std::move(content).str();
}

/// Long files, short ones of all sizes, one that is executable, empty ones, an empty folder and a link.
struct Dataset {
    Dataset() {
        write_random(folder.path() + "/long/a", (20 << 20) + 123, 1);
        write_random(folder.path() + "/long/b", 64 << 20, 2);
        write_random(folder.path() + "/middle", 3 << 20, 3);
        write_random(folder.path() + "/nothing", 0, 4);
        for (uint64_t i = 0; i < 400; ++i)
            write_random(folder.path() + "/short/" + std::to_string(i), i * 311, 100 + i);
        fs::permissions(folder.path() + "/short/7", fs::perms::owner_exec, fs::perm_options::add);
        fs::create_directories(folder.path() + "/empty");
        fs::create_symlink("../middle", folder.path() + "/long/link");
    }
    bool is(const std::string& tree) const {
        uint64_t files = 0;
        for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
            const fs::path there = tree / entry.path().lexically_relative(folder.path());
            if (entry.symlink_status().type() != fs::symlink_status(there).type()) return false;
            if (entry.is_symlink() && fs::read_symlink(entry) != fs::read_symlink(there)) return false;
            if (entry.is_symlink() || !entry.is_regular_file()) continue;
            ++files;
            if (content_of(entry.path()) != content_of(there)) return false;
        }
        return files == 404 && is_executable(fs::path(tree) / "short/7") && !is_executable(fs::path(tree) / "short/8");
    }
    TempFolder folder{true};

  private:
    static bool is_executable(const fs::path& file) {
        return (fs::status(file).permissions() & fs::perms::owner_exec) != fs::perms::none;
    }
};

/// A store, what gives it to others, and one sync at a time.
struct Node {
    Node(std::string name_given, IntroducerInProcess& controller_given, Fs& of_store = system_fs())
        : name(std::move(name_given)), controller(controller_given), temp(of_store, true), store(temp.open()) {
        server = net::server::Server::open({.listen = "127.0.0.1:0"}, pool, peer_server.handler(), log).value();
    }
    ~Node() {
        stop.request_stop();
        if (thread.joinable()) thread.join();
        peer_server.close();
        server.reset();
    }
    /// `late_ms`: how soon somebody draws what its owner was to draw; where pieces are counted, never.
    void start(const std::string& source, uint64_t late_ms = 120'000) {
        thread = std::thread([this, source, late_ms] {
            const sync::Peers peers{.dataset = "the dataset",
                                    .self = name,
                                    .address = address(),
                                    .settle_ms = settle_ms,
                                    .server = peer_server,
                                    .bans = bans,
                                    .identity = [this] { return identity; },
                                    .http =
                                        [this](asio::any_io_executor executor) {
                                            return net::make_http_client(executor, {.limits = limits}, system_clock(),
                                                                         metrics, log);
                                        },
                                    .introductions = [this](asio::any_io_executor) { return controller.door(); },
                                    .compare_one_in = compare_one_in,
                                    .chooser = {.draws = {.late_ms_least = late_ms, .unknown_ms = 500}}};
            sync::SyncOptions options;
            options.source = source, options.peers = &peers;
            const auto factory = origin::make_origin_factory(source, {}, machine());
            if (!factory) result = factory.error();
            else result = sync::run(options, store.get(), *factory, machine(), progress, stop.get_token());
        });
    }
    /// What a sync of `source` would list, in order.
    Revision list(const std::string& source, const std::function<void(const origin::Entry&)>& each) {
        sync::SyncOptions options;
        options.source = source;
        const auto factory = origin::make_origin_factory(source, {}, machine());
        REQUIRE(factory);
        const auto listed = sync::list_source(options, *factory, machine(), store->root() + "/staging", progress, {},
                                              [&](const origin::Entry& entry) -> Result<> {
                                                  each(entry);
                                                  return {};
                                              });
        REQUIRE(listed);
        return listed->revision;
    }
    /// Without a sync, as a holder or as a getter that has ended.
    void give(const Revision& revision, std::shared_ptr<swarm::Share> share, bool is_holder = true) {
        peer_server.add(sync::swarm_name("the dataset", revision), std::move(share));
        REQUIRE(controller.meet(
            {.name = name, .address = address(), .zone = "", .is_holder = is_holder, .neighbours = {}}));
    }
    const Result<sync::SyncReport>& ended() {
        thread.join();
        return result;
    }
    std::string address() const { return "127.0.0.1:" + std::to_string(server->port()); }
    Machine machine() {
        return {system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
    }
    uint64_t settle_ms = 2000;  ///< of its next sync
    net::Limits limits = {};    ///< what it takes of others
    const std::string name;
    IntroducerInProcess& controller;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics;
    TempStore temp;
    std::unique_ptr<store::Store> store;
    asio::thread_pool pool{2};
    std::shared_ptr<const swarm::Identity> identity = controller.ca.certify(name);
    swarm::PeerServer peer_server{pool, {.identity = [this] { return identity; }}};
    swarm::Bans bans{system_clock(), metrics, log};
    uint32_t compare_one_in = 1'000'000;  ///< so rarely that it does not happen
    std::unique_ptr<net::server::Server> server;
    sync::Progress progress;
    std::stop_source stop;
    std::thread thread;
    Result<sync::SyncReport> result = Error();
};

}  // namespace zcdp::test
