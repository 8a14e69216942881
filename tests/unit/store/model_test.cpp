// The store against a small model of it, under a hundred thousand random operations with file system faults and
// reopenings among them. The seed is printed; ZCDP_SEED repeats a run.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/support/faulty_fs.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::store;
using zcdp::test::FaultyFs;
using zcdp::test::TempStore;

namespace {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int kOperations = 3'000;  // the whole number runs in the build without sanitizers
#else
constexpr int kOperations = 100'000;
#endif
constexpr size_t kSnapshotsMost = 8;
constexpr size_t kContents = 40;

using Files = std::map<std::string, std::string>;

/// What a store should hold.
struct Model {
    struct Snapshot {
        Files files;
        bool pinned = false;
        std::set<uint64_t> leases;
    };
    std::map<std::string, Snapshot> snapshots;
};

class Machine {
  public:
    explicit Machine(uint64_t seed) : random_(seed), fs_(system_fs()), temp_(fs_, true) { store_ = temp_.open(); }

    void step() {
        // Every few operations one call in the near future fails.
        const bool faulty = random_.below(8) == 0;
        if (faulty) fs_.fail(1 + random_.below(30), random_.below(2) == 0 ? EIO : ENOSPC);
        switch (random_.below(100)) {
            case 0: random_.below(5) == 0 ? reopen() : one_operation(); break;
            case 1: random_.below(5) == 0 ? collect() : one_operation(); break;
            case 2: random_.below(10) == 0 ? check_all() : one_operation(); break;
            default: one_operation();
        }
        if (faulty && fs_.failed()) {
            // After an error of the disk the process would end, or go on: both must hold.
            if (random_.below(2) == 0) reopen();
        }
        fs_.fail(0, EIO);
    }
    void check_all() {
        fs_.fail(0, EIO);
        const auto all = store_->list();
        REQUIRE(all);
        for (const auto& [id, snapshot] : model_.snapshots) {
            const auto found =
                std::find_if(all->begin(), all->end(), [&](const SnapshotInfo& info) { return info.id.str() == id; });
            REQUIRE(found != all->end());
            REQUIRE(found->state == SnapshotState::ready);
            REQUIRE(found->pinned == snapshot.pinned);
            for (const auto& [path, content] : snapshot.files) {
                const auto bytes = read_file(system_fs(), AT_FDCWD, (found->tree_path + "/" + path).c_str(), 1 << 20);
                REQUIRE(bytes);
                REQUIRE(*bytes == content);
            }
        }
    }
    size_t faults() const { return faults_; }

  private:
    void one_operation() {
        const uint64_t kind = random_.below(10);
        if (model_.snapshots.size() < 2 || (kind < 2 && model_.snapshots.size() < kSnapshotsMost)) return make();
        auto at = model_.snapshots.begin();
        std::advance(at, static_cast<ptrdiff_t>(random_.below(model_.snapshots.size())));
        const SnapshotId id = *SnapshotId::parse(at->first);
        Model::Snapshot& snapshot = at->second;
        if (kind < 4) return evict(at);
        if (kind < 6) {
            const bool pinned = random_.below(2) == 0;
            if (noted(store_->pin(id, pinned))) snapshot.pinned = pinned;
            else snapshot.pinned = store_->find(id.str())->pinned;
        } else if (kind < 7) {
            if (auto lease = store_->lease(id, "model", 0)) snapshot.leases.insert(*lease);
        } else if (kind < 8 && !snapshot.leases.empty()) {
            if (noted(store_->release(*snapshot.leases.begin()))) snapshot.leases.erase(snapshot.leases.begin());
        } else {
            const auto& content =
                std::next(snapshot.files.begin(), static_cast<ptrdiff_t>(random_.below(snapshot.files.size())))->second;
            REQUIRE(store_->has_blob(temp_.ref(content)));
        }
    }

    Files random_files() {
        Files files;
        for (uint64_t i = 1 + random_.below(4); i > 0; --i)
            files["d" + std::to_string(random_.below(3)) + "/f" + std::to_string(random_.below(5))] =
                "content " + std::to_string(random_.below(kContents));
        return files;
    }

    void make() {
        const Files files = random_files();
        const auto made = try_make(files);
        if (!noted(made)) return;
        Model::Snapshot& snapshot = model_.snapshots[made->id.str()];
        snapshot.files = files;
        snapshot.pinned = made->pinned;
    }

    Result<SnapshotInfo> try_make(const Files& files) {
        ZCDP_TRY(const auto incoming, store_->incoming());
        for (const auto& [path, content] : files) ZCDP_CHECK(incoming->stage(temp_.ref(content), temp_.bytes(content)));
        ZCDP_CHECK(incoming->commit({"e", "b", "c"}, {}));
        ZCDP_TRY(const auto builder, store_->build_snapshot());
        for (const auto& [path, content] : files) {
            ManifestEntry entry;
            entry.path = path, entry.size_bytes = content.size(), entry.digest = temp_.ref(content).digest;
            ZCDP_CHECK(builder->add(entry));
        }
        return builder->commit("model", Revision("r"));
    }

    void evict(std::map<std::string, Model::Snapshot>::iterator at) {
        const SnapshotId id = *SnapshotId::parse(at->first);
        const auto done = store_->evict(id);
        const bool held = at->second.pinned || !at->second.leases.empty();
        if (held) {
            REQUIRE_FALSE(done);
            REQUIRE(done.error().kind() == ErrorKind::busy);
        } else if (noted(done)) {
            model_.snapshots.erase(at);
        } else {
            // Begun and not ended: gone or whole once the store is opened again.
            reopen();
            if (!store_->find(id.str())) model_.snapshots.erase(at);
        }
    }

    void collect() { noted(store_->gc(-10)); }

    void reopen() {
        fs_.fail(0, EIO);
        store_.reset();
        store_ = temp_.open();
    }

    template <class T>
    bool noted(const Result<T>& result) {
        if (result) return true;
        REQUIRE(fs_.failed());  // nothing fails but what was told to
        ++faults_;
        return false;
    }

    SeededRandom random_;
    FaultyFs fs_;
    TempStore temp_;
    std::unique_ptr<Store> store_;
    Model model_;
    size_t faults_ = 0;
};

}  // namespace

TEST_CASE("a hundred thousand random operations with faults leave the store as its model says") {
    const char* given = std::getenv("ZCDP_SEED");
    const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : system_random().below(1'000'000);
    MESSAGE("seed ", seed);
    Machine machine(seed);
    for (int i = 0; i < kOperations; ++i) machine.step();
    machine.check_all();
    CHECK(machine.faults() > kOperations / 1000);
}
