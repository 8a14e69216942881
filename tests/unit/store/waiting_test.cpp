// Who waits for whom: nobody who asks the index waits for a disk, and whoever brings anew what is just being removed
// finds it whole afterwards.
#include <sys/stat.h>
#include <unistd.h>
#include "tests/support/doctest.hpp"

#include <fcntl.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "tests/support/temp_store.hpp"
#include "tests/support/watched_fs.hpp"

using namespace zcdp;
using namespace zcdp::store;
using zcdp::test::TempStore;
using zcdp::test::WatchedFs;

namespace {

using namespace std::chrono_literals;
constexpr auto kAtOnce = 5s;  ///< far longer than an answer takes, even on a machine that is busy
const TagScope kScope{"http://origin", "bucket", "me"};

/// Stops whoever makes a certain call of the file system, until it is let go.
class Barrier {
  public:
    explicit Barrier(WatchedFs& fs) {
        fs.before = [this](std::string_view call, std::string_view path) {
            std::unique_lock lock(mutex_);
            if (call_.empty() || call != call_ || path.find(part_) == path.npos) return;
            call_.clear();
            stuck_ = true;
            changed_.notify_all();
            changed_.wait(lock, [this] { return !stuck_; });
        };
    }
    ~Barrier() { open(); }
    void close(std::string call, std::string part_of_path) {
        const std::scoped_lock lock(mutex_);
        call_ = std::move(call), part_ = std::move(part_of_path);
    }
    /// False when nobody came by.
    bool wait_until_stuck() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kAtOnce, [this] { return stuck_; });
    }
    void open() {
        const std::scoped_lock lock(mutex_);
        call_.clear();
        stuck_ = false;
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string call_, part_;
    bool stuck_ = false;
};

template <class Work>
auto apart(Work work) {
    return std::async(std::launch::async, std::move(work));
}

template <class Answer>
bool at_once(std::future<Answer>& answer) {
    return answer.wait_for(kAtOnce) == std::future_status::ready;
}

/// Whether the blob's file below cas/ has this in its path.
std::string in_cas(std::string_view content) { return "/" + TempStore::ref(content).digest.hex().substr(2); }

}  // namespace

TEST_CASE("while an eviction is at its files, readers, leases and pins of other snapshots are answered at once") {
    WatchedFs fs(system_fs());
    Barrier barrier(fs);
    TempStore temp(fs);
    auto store = temp.open();
    const auto kept = temp.snapshot(*store, {{"f", "kept"}});
    for (const std::string where : {"in its tree", "in the CAS"}) {
        CAPTURE(where);
        const auto goes = temp.snapshot(*store, {{"name-in-tree", "goes"}, {"other", "goes as well"}});
        barrier.close("unlink", where == "in its tree" ? "name-in-tree" : in_cas("goes"));
        auto evicted = apart([&] { return store->evict(goes.id); });
        REQUIRE(barrier.wait_until_stuck());
        auto answers = apart([&] {
            CHECK(store->has_blob(temp.ref("kept")));
            CHECK(store->open_blob(temp.ref("kept").digest));
            CHECK(store->find(kept.id.str()));
            CHECK(store->find(goes.id.str())->state == SnapshotState::evicting);
            CHECK(store->list()->size() == 2);
            CHECK(store->lease(goes.id, "too late", 0).error().kind() == ErrorKind::not_found);
            const auto lease = store->lease(kept.id, "test", 0);
            REQUIRE(lease);
            CHECK(store->leases()->size() == 1);
            CHECK(store->release(*lease));
            CHECK(store->pin(kept.id, true));
            CHECK(store->pin(kept.id, false));
            CHECK(store->touch(kept.id));
            CHECK(store->put_revision(kScope, "p/", "", Revision("abcd"), goes.id));
            CHECK_FALSE(store->find_revision(kScope, "p/", "", Revision("abcd"))->has_value());
            CHECK(store->usage()->snapshots == 2);
            CHECK(store->reserve(1000, 1));
            const auto hold = store->hold();
            CHECK(store->hold_blob(*hold, temp.ref("kept")));
            const auto made = temp.snapshot(*store, {{"f", "made meanwhile"}});
            CHECK(store->manifest(made.id));
        });
        CHECK(at_once(answers));
        barrier.open();
        answers.get();
        CHECK(evicted.get());
        const auto meanwhile = store->find(temp.snapshot(*store, {{"f", "made meanwhile"}}).id.str());
        REQUIRE(store->evict(meanwhile->id));
    }
    CHECK(store->verify(std::nullopt, {})->problems.empty());
}

TEST_CASE("whatever the store does to its files, the index answers meanwhile") {
    WatchedFs fs(system_fs());
    TempStore temp(fs);
    auto store = temp.open();
    std::atomic<bool> waited{false};
    std::string first;
    std::vector<std::future<bool>> later;  ///< answers that come once the index is unlocked
    const auto me = std::this_thread::get_id();
    uint64_t asked = 0;
    fs.before = [&](std::string_view call, std::string_view path) {
        if (std::this_thread::get_id() != me || waited) return;
        auto answer = apart([&] { return store->any_tags(kScope).has_value(); });
        ++asked;
        if (answer.wait_for(2s) == std::future_status::ready) return;
        waited = true;
        first = std::string(call) + " " + std::string(path);
        later.push_back(std::move(answer));
    };
    const auto none_waited = [&](std::string_view during) {
        INFO("during ", during, ", at ", first);
        CHECK_FALSE(waited);
    };
    const auto a = temp.snapshot(*store, {{"f", "a"}, {"dir/g", "shared"}});
    const auto b = temp.snapshot(*store, {{"f", "b"}, {"dir/g", "shared"}});
    none_waited("making");
    CHECK(store->pin(b.id, true));
    none_waited("pinning");
    CHECK(store->lease(b.id, "me", ::getpid()));
    CHECK(store->lease(b.id, "gone", 999'999'999));
    CHECK(store->leases()->size() == 1);
    none_waited("leasing");
    CHECK(store->put_revision(kScope, "", "", Revision("r"), a.id));
    CHECK(store->find_revision(kScope, "", "", Revision("r"))->has_value());
    none_waited("finding");
    CHECK(store->list());
    CHECK(store->usage());
    CHECK(store->room());
    CHECK(store->reserve(1 << 20, 1));
    none_waited("looking for room");
    CHECK(store->evict(a.id));
    none_waited("evicting");
    CHECK(store->gc(-10));
    none_waited("collecting");
    CHECK_FALSE(store->reserve(1ull << 60, 1));
    none_waited("refusing");
    const std::string victim = b.tree_path + "/f";
    REQUIRE(::chmod(victim.c_str(), 0644) == 0);
    {
        const Fd file(::open(victim.c_str(), O_WRONLY));
        REQUIRE(::pwrite(file.get(), "X", 1, 0) == 1);
    }
    CHECK_FALSE(store->verify(std::nullopt, {})->problems.empty());
    none_waited("verifying");
    CHECK(asked > 100);
    fs.before = {};
}

TEST_CASE("a snapshot that is made anew while it is being evicted is whole afterwards") {
    WatchedFs fs(system_fs());
    Barrier barrier(fs);
    TempStore temp(fs);
    auto store = temp.open();
    const std::map<std::string, std::string> files{{"name-in-tree", "one"}, {"other", "another"}};
    const auto evicted_at = [&](const std::string& call, const std::string& part) {
        CAPTURE(call);
        const auto info = temp.snapshot(*store, files);
        barrier.close(call, part);
        auto evicted = apart([&] { return store->evict(info.id); });
        REQUIRE(barrier.wait_until_stuck());
        auto made = apart([&] { return temp.snapshot(*store, files); });
        CHECK(made.wait_for(50ms) == std::future_status::timeout);
        barrier.open();
        CHECK(evicted.get());
        CHECK(made.get().id == info.id);
        const auto found = store->find(info.id.str());
        REQUIRE(found);
        CHECK(found->state == SnapshotState::ready);
        for (const auto& [path, content] : files) {
            CHECK(*read_file(system_fs(), AT_FDCWD, (found->tree_path + "/" + path).c_str(), 1000) == content);
            CHECK(store->has_blob(temp.ref(content)));
        }
        CHECK(store->verify(std::nullopt, {})->problems.empty());
    };
    evicted_at("rename", "");
    evicted_at("unlink", "name-in-tree");
    evicted_at("unlink", in_cas("one"));
    evicted_at("unlink", "manifest.zst");
}

TEST_CASE("a blob that is brought while it is being removed is there afterwards") {
    WatchedFs fs(system_fs());
    Barrier barrier(fs);
    TempStore temp(fs);
    auto store = temp.open();
    const auto stage = [&] {
        auto incoming = store->incoming();
        REQUIRE((*incoming)->stage(temp.ref("wanted"), temp.bytes("wanted")));
        REQUIRE((*incoming)->commit(kScope, {}));
    };
    stage();
    barrier.close("unlink", in_cas("wanted"));
    auto collected = apart([&] { return store->gc(-10); });
    REQUIRE(barrier.wait_until_stuck());
    CHECK_FALSE(store->has_blob(temp.ref("wanted")));
    auto staged = apart(stage);
    CHECK(staged.wait_for(50ms) == std::future_status::timeout);
    barrier.open();
    CHECK(*collected.get() == 6);
    staged.get();
    CHECK(store->has_blob(temp.ref("wanted")));
    CHECK(store->open_blob(temp.ref("wanted").digest));
}

TEST_CASE("an eviction that failed in the middle is ended by the next one, also when the snapshot was made again") {
    WatchedFs fs(system_fs());
    TempStore temp(fs);
    auto store = temp.open();
    const auto info = temp.snapshot(*store, {{"f", "x"}});
    // As an eviction leaves it whose tree could not be removed.
    REQUIRE(::mkdir((temp.root() + "/staging/evict-" + info.id.str()).c_str(), 0755) == 0);
    REQUIRE(::mkdir((temp.root() + "/staging/evict-" + info.id.str() + "/tree").c_str(), 0755) == 0);
    CHECK(store->evict(info.id));
    CHECK(store->find(info.id.str()).error().kind() == ErrorKind::not_found);
    CHECK_FALSE(store->has_blob(temp.ref("x")));
}

TEST_CASE("threads that make, use, evict and collect the same few contents leave each other whole snapshots") {
    TempStore temp(system_fs(), /*in_memory=*/true);
    auto store = temp.open();
    const std::vector<std::map<std::string, std::string>> trees{
        {{"a", "one"}, {"b", "two"}}, {{"a", "two"}, {"c", "three"}}, {{"x/y", "three"}, {"z", "one"}}};
    constexpr int kRounds = 150;
    std::vector<std::future<void>> threads;
    for (size_t first = 0; first < 2; ++first)
        threads.push_back(apart([&, first] {
            for (size_t round = 0; round < kRounds; ++round) {
                const auto& files = trees[(round + first) % trees.size()];
                const auto made = temp.snapshot(*store, files);
                const auto lease = store->lease(made.id, "test", 0);
                if (!lease) {  // evicted since
                    CHECK(lease.error().kind() == ErrorKind::not_found);
                    continue;
                }
                for (const auto& [path, content] : files)
                    CHECK(*read_file(system_fs(), AT_FDCWD, (made.tree_path + "/" + path).c_str(), 100) == content);
                CHECK(store->evict(made.id).error().kind() == ErrorKind::busy);
                CHECK(store->release(*lease));
            }
        }));
    threads.push_back(apart([&] {
        for (int round = 0; round < kRounds; ++round) {
            const auto all = store->list();
            REQUIRE(all);
            if (all->empty()) continue;
            const auto gone = store->evict((*all)[static_cast<size_t>(round) % all->size()].id);
            CHECK((gone || gone.error().kind() == ErrorKind::busy || gone.error().kind() == ErrorKind::not_found));
        }
    }));
    threads.push_back(apart([&] {
        for (int round = 0; round < kRounds; ++round) CHECK(store->gc(-10));
    }));
    for (auto& thread : threads) thread.get();
    for (const auto& files : trees) {
        temp.snapshot(*store, files);
        for (const auto& [path, content] : files) CHECK(store->has_blob(temp.ref(content)));
    }
    CHECK(store->list()->size() == trees.size());
    CHECK(store->verify(std::nullopt, {})->problems.empty());
}
