// The controller's listings: one a dataset, four at once, forgotten, stopped.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "src/services/controller/listing/listings.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/forwarding_fs.hpp"
#include "tests/support/sim_api.hpp"
#include "tests/support/temp_folder.hpp"

namespace zcdp::test {
namespace {

using namespace zcdp::services;
using namespace zcdp::services::controller;

/// A listing begins with its scratch file: here it can be held up, and counted.
class GatedFs final : public ForwardingFs {
  public:
    GatedFs() : ForwardingFs(system_fs()) {}
    SysResult<Fd> open(int dir, const char* path, int flags, mode_t mode) override {
        {
            std::unique_lock lock(mutex_);
            ++begun_, ++now_;
            most = std::max(most, now_);
            change_.notify_all();
            change_.wait(lock, [this] { return !closed_; });
            --now_;
        }
        return ForwardingFs::open(dir, path, flags, mode);
    }
    void close() {
        const std::scoped_lock lock(mutex_);
        closed_ = true;
    }
    void open_gate() {
        const std::scoped_lock lock(mutex_);
        closed_ = false;
        change_.notify_all();
    }
    bool wait_for_begun(int count) {
        std::unique_lock lock(mutex_);
        return change_.wait_for(lock, std::chrono::seconds(30), [&] { return begun_ >= count; });
    }
    int begun() {
        const std::scoped_lock lock(mutex_);
        return begun_;
    }
    int most = 0;

  private:
    std::mutex mutex_;
    std::condition_variable change_;
    bool closed_ = false;
    int begun_ = 0, now_ = 0;
};

api::Dataset dataset(const std::string& name) {
    api::Dataset out;
    out.metadata.namespace_ = "n", out.metadata.name = name, out.metadata.uid = "uid of " + name;
    return out;
}

/// Of a backend whose Secret is nowhere: its listing fails without a network.
ResolvedSource source(const std::string& prefix = "p") {
    auto backend = std::make_shared<api::StorageBackend>();
    backend->metadata.name = "b";
    backend->spec.type = "s3", backend->spec.bucket = "bucket", backend->spec.secret_ref.name = "gone";
    ResolvedSource out;
    out.backend = std::move(backend), out.prefix = prefix;
    return out;
}

struct Controller {
    Controller() {
        lister = make_lister(api, {fs, clock, system_random(), metrics, log, [](const char*) { return std::string(); }},
                             {}, scratch.path(), [this](const api::DatasetKey& dataset) {
                                 const std::scoped_lock lock(mutex);
                                 changed.push_back(dataset.text());
                                 change.notify_all();
                             });
    }
    bool wait_for_changed(size_t count) {
        std::unique_lock lock(mutex);
        return change.wait_for(lock, std::chrono::seconds(30), [&] { return changed.size() >= count; });
    }
    TempFolder scratch;
    GatedFs fs;
    ManualClock clock{1'800'000'000'000'000'000};
    SeededRandom random{1};
    SimServer server{clock};
    SimApi api{server, random};
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    std::mutex mutex;
    std::condition_variable change;
    std::vector<std::string> changed;
    std::unique_ptr<Lister> lister;  // last: its threads use the others
};

}  // namespace

TEST_CASE("a listing that failed says why, when, and of what, and the dataset's key is called out") {
    Controller controller;
    CHECK(controller.lister->outcome("uid of d").ended_unix_s == 0);
    controller.lister->start(dataset("d"), source());
    REQUIRE(controller.wait_for_changed(1));
    const ListingOutcome outcome = controller.lister->outcome("uid of d");
    CHECK_FALSE(outcome.running);
    CHECK(outcome.ended_unix_s == controller.clock.unix_s());
    CHECK(outcome.source == source_key(source()));
    CHECK(outcome.source != source_key(source("another")));
    REQUIRE(outcome.error);
    CHECK(outcome.error->kind() == ErrorKind::not_found);
    CHECK(outcome.error->object() == "Secret zcdp-system/gone");
    CHECK(outcome.revision.empty());
    CHECK(controller.changed == std::vector<std::string>{"n/d"});
}

TEST_CASE("a dataset is listed once at a time, and again when it has ended") {
    Controller controller;
    controller.fs.close();
    controller.lister->start(dataset("d"), source());
    REQUIRE(controller.fs.wait_for_begun(1));
    controller.lister->start(dataset("d"), source("another"));
    CHECK(controller.lister->outcome("uid of d").running);
    controller.fs.open_gate();
    REQUIRE(controller.wait_for_changed(1));
    CHECK(controller.fs.begun() == 1);
    controller.lister->start(dataset("d"), source("another"));
    REQUIRE(controller.wait_for_changed(2));
    CHECK(controller.lister->outcome("uid of d").source == source_key(source("another")));
    ResolvedSource nowhere = source();
    nowhere.backend = nullptr;
    controller.lister->start(dataset("e"), nowhere);
    CHECK_FALSE(controller.lister->outcome("uid of e").running);
}

TEST_CASE("four are listed at once, and the others after them") {
    Controller controller;
    controller.fs.close();
    for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) controller.lister->start(dataset(name), source());
    REQUIRE(controller.fs.wait_for_begun(4));
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    CHECK(controller.fs.begun() == 4);
    CHECK(controller.lister->outcome("uid of g").running);  // it waits, and is under way all the same
    controller.fs.open_gate();
    REQUIRE(controller.wait_for_changed(7));
    CHECK(controller.fs.most == 4);
}

TEST_CASE("outcomes are forgotten, of one dataset and of all; what runs is kept") {
    Controller controller;
    controller.lister->start(dataset("d"), source());
    controller.lister->start(dataset("e"), source());
    REQUIRE(controller.wait_for_changed(2));
    controller.lister->forget("uid of d");
    controller.lister->forget("never heard of");
    CHECK(controller.lister->outcome("uid of d").ended_unix_s == 0);
    CHECK(controller.lister->outcome("uid of e").ended_unix_s != 0);
    controller.fs.close();
    controller.lister->start(dataset("d"), source());
    REQUIRE(controller.fs.wait_for_begun(3));
    controller.lister->forget_outcomes();
    CHECK(controller.lister->outcome("uid of e").ended_unix_s == 0);
    CHECK(controller.lister->outcome("uid of d").running);
    controller.lister->forget("uid of d");  // stopped; it ends by itself
    CHECK(controller.lister->outcome("uid of d").running);
    controller.fs.open_gate();
    REQUIRE(controller.wait_for_changed(3));
}

TEST_CASE("a listing that nobody has is asked of the source again, and its error is the answer") {
    Controller controller;
    ResolvedSource nowhere = source();
    nowhere.backend = nullptr, nowhere.message = "there is no StorageBackend b";
    const auto without = controller.lister->listing(dataset("d"), nowhere, Revision("r"));
    REQUIRE_FALSE(without);
    CHECK(without.error().kind() == ErrorKind::not_found);
    CHECK(without.error().what() == "there is no StorageBackend b");
    const auto failed = controller.lister->listing(dataset("d"), source(), Revision("r"));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().object() == "Secret zcdp-system/gone");
    CHECK(controller.changed.empty());
}

TEST_CASE("a lister that is destroyed waits for what runs, and lets go what waits for its turn") {
    Controller controller;
    controller.fs.close();
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) controller.lister->start(dataset(name), source());
    REQUIRE(controller.fs.wait_for_begun(4));
    std::jthread later([&controller] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        controller.fs.open_gate();
    });
    controller.lister.reset();
    CHECK(controller.changed.size() == 6);
}

}  // namespace zcdp::test
