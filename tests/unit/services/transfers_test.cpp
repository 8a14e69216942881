// Syncs of an agent: begun, bounded, tried again, stopped.
#include "src/services/agent/transfers.hpp"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "tests/support/doctest.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::services::agent {
namespace {

using test::TempFolder;
using test::TempStore;

constexpr int64_t kSecondNs = 1'000'000'000;

/// Lets whoever passes wait while it is closed.
class Gate {
  public:
    void close() {
        const std::scoped_lock lock(mutex_);
        closed_ = true;
    }
    void open() {
        const std::scoped_lock lock(mutex_);
        closed_ = false;
        change_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        change_.wait(lock, [this] { return !closed_; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable change_;
    bool closed_ = false;
};

struct Node {
    explicit Node(unsigned at_once = 2)
        : store(temp.open()),
          transfers(
              {*store, machine(), metrics, log},
              [this](const api::NodeDataset&) -> Result<backend::BackendAccess> {
                  ++asked;
                  gate.pass();
                  if (fails) return Error(ErrorKind::denied, "may not be read", "StorageBackend b");
                  backend::BackendAccess access;
                  access.source = source.path() + "/";
                  return access;
              },
              [](const api::NodeDataset&, const backend::BackendAccess& access, Machine labelled) {
                  return origin::make_origin_factory(access.source, access.options, labelled);
              },
              at_once,
              [this](const std::string& name) {
                  const std::scoped_lock lock(mutex);
                  changed.push_back(name);
              }) {
        std::ofstream(source.path() + "/file") << "content";
    }
    Machine machine() {
        return {system_fs(), clock, system_random(), metrics, log, [](const char*) { return std::string(); }};
    }
    static api::NodeDataset wanted(const std::string& name, const std::string& prefix = "p") {
        api::NodeDataset out;
        out.metadata.name = name;
        out.spec.source.prefix = prefix;
        return out;
    }
    TransferPhase phase(const std::string& name) {
        const auto view = transfers.view(name);
        REQUIRE(view);
        return view->phase;
    }
    /// Until it has ended, in this way or that one.
    TransferView ended(const std::string& name) {
        for (int looks = 0; looks < 600; ++looks) {
            const uint64_t seen = transfers.changes();
            const auto view = transfers.view(name);
            REQUIRE(view);
            if (view->phase == TransferPhase::ready || view->phase == TransferPhase::failed) {
                // What it says last comes after.
                while (transfers.active() > 0) std::this_thread::yield();
                return *view;
            }
            transfers.wait_for_change(seen, 50);
        }
        FAIL("a transfer does not end");
        return {};
    }

    TempFolder source;
    ManualClock clock{1'800'000'000 * kSecondNs};
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Gate gate;
    std::atomic<bool> fails{false};
    std::atomic<int> asked{0};
    std::mutex mutex;
    std::vector<std::string> changed;
    TempStore temp;
    std::unique_ptr<store::Store> store;
    Transfers transfers;  // last: its threads use the others
};

}  // namespace

TEST_CASE("a dataset that is wanted is fetched, once, and whoever waits is told") {
    Node node;
    CHECK_FALSE(node.transfers.view("n"));
    node.transfers.ensure(Node::wanted("n"));
    const TransferView view = node.ended("n");
    REQUIRE(view.phase == TransferPhase::ready);
    CHECK(view.size_bytes == 7);
    CHECK(view.origin_bytes == 7);
    CHECK(view.attempts == 1);
    CHECK_FALSE(view.error);
    const auto info = node.store->find(view.snapshot);
    REQUIRE(info);
    CHECK(std::filesystem::exists(info->tree_path + "/file"));
    node.transfers.ensure(Node::wanted("n"));
    CHECK(node.phase("n") == TransferPhase::ready);
    CHECK(node.asked == 1);
    CHECK(node.transfers.changes() == 1);
}

TEST_CASE("what a sync counts bears its dataset's labels") {
    Node node;
    api::NodeDataset wanted = Node::wanted("n");
    wanted.spec.dataset.namespace_ = "team", wanted.spec.dataset.name = "d", wanted.spec.source.backend = "b";
    node.transfers.ensure(wanted);
    REQUIRE(node.ended("n").phase == TransferPhase::ready);
    const std::string text = node.metrics.prometheus_text();
    for (const char* line : {"\nzcdp_origin_bytes_total{namespace=\"team\",dataset=\"d\",backend=\"b\"} 7\n",
                             "\nzcdp_reused_bytes_total{namespace=\"team\",dataset=\"d\",backend=\"b\"} 0\n",
                             "\nzcdp_sync_seconds_count 1\n"}) {
        INFO(text);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("what failed is tried again after its pause, which grows, and at once from elsewhere") {
    Node node;
    node.fails = true;
    node.transfers.ensure(Node::wanted("n"));
    TransferView view = node.ended("n");
    REQUIRE(view.phase == TransferPhase::failed);
    REQUIRE(view.error);
    CHECK(view.error->kind() == ErrorKind::denied);
    CHECK(view.error_unix_s == node.clock.unix_s());
    CHECK(view.retry_in_ms >= 500);
    CHECK(view.retry_in_ms < 1'500);
    node.transfers.ensure(Node::wanted("n"));
    CHECK(node.asked == 1);  // it is not its time

    node.clock.advance_ns(2 * kSecondNs);
    CHECK(node.transfers.view("n")->retry_in_ms == 0);
    node.transfers.ensure(Node::wanted("n"));
    view = node.ended("n");
    CHECK(view.attempts == 2);
    CHECK(view.retry_in_ms >= 1'000);
    CHECK(view.retry_in_ms < 3'000);

    node.fails = false;
    node.transfers.ensure(Node::wanted("n", "elsewhere"));
    view = node.ended("n");
    CHECK(view.phase == TransferPhase::ready);
    CHECK(view.attempts == 3);
    CHECK_FALSE(view.error);
}

TEST_CASE("the pause of what fails for ever stays below three minutes") {
    Node node;
    node.fails = true;
    for (int i = 0; i < 12; ++i) {
        node.transfers.ensure(Node::wanted("n"));
        CHECK(node.ended("n").retry_in_ms < 180'000);
        node.clock.advance_ns(180 * kSecondNs);
    }
    CHECK(node.ended("n").attempts == 12);
}

TEST_CASE("so many run at once, and the others when they are asked for again") {
    Node node(1);
    node.gate.close();
    node.transfers.ensure(Node::wanted("a"));
    node.transfers.ensure(Node::wanted("b"));
    CHECK(node.phase("a") == TransferPhase::running);
    CHECK(node.phase("b") == TransferPhase::waiting);
    CHECK(node.transfers.active() == 1);
    node.gate.open();
    CHECK(node.ended("a").phase == TransferPhase::ready);
    CHECK(node.phase("b") == TransferPhase::waiting);
    node.transfers.ensure(Node::wanted("b"));
    CHECK(node.ended("b").phase == TransferPhase::ready);
    CHECK(node.asked == 2);
}

TEST_CASE("what is forgotten is stopped and waited for, and may begin anew") {
    Node node;
    CHECK(node.transfers.forget("never heard of").empty());
    node.gate.close();
    node.transfers.ensure(Node::wanted("n"));
    std::jthread later([&node] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        node.gate.open();
    });
    CHECK(node.transfers.forget("n").empty());  // its sync begins after it was stopped
    CHECK_FALSE(node.transfers.view("n"));
    CHECK(node.transfers.active() == 0);
    CHECK(node.store->list()->empty());
    node.transfers.ensure(Node::wanted("n"));
    CHECK(node.ended("n").attempts == 1);
    CHECK(node.ended("n").phase == TransferPhase::ready);
    const std::string made = node.transfers.forget("n");
    CHECK(node.store->find(made).has_value());  // for whoever has to evict it: no status may have named it yet
    CHECK_FALSE(node.transfers.view("n"));
}

TEST_CASE("what is in the store already is taken as it is, but for what runs") {
    Node node;
    node.transfers.adopt("n", "snapshot", 7);
    const auto view = node.transfers.view("n");
    REQUIRE(view);
    CHECK(view->phase == TransferPhase::ready);
    CHECK(view->snapshot == "snapshot");
    CHECK(node.transfers.changes() == 1);
    node.transfers.ensure(Node::wanted("n"));
    CHECK(node.asked == 0);
    node.gate.close();
    node.transfers.ensure(Node::wanted("m"));
    node.transfers.adopt("m", "another", 1);
    CHECK(node.phase("m") == TransferPhase::running);
    node.gate.open();
    CHECK(node.ended("m").snapshot != "another");
}

TEST_CASE("whoever waits for a change is woken by it, or after the time it gives") {
    Node node;
    node.transfers.wait_for_change(node.transfers.changes(), 1);
    node.transfers.ensure(Node::wanted("n"));
    node.transfers.wait_for_change(0, 60'000);
    CHECK(node.transfers.changes() == 1);
    CHECK(node.ended("n").phase == TransferPhase::ready);
}

}  // namespace zcdp::services::agent
