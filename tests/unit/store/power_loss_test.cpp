// Power is cut at each changing call of a run that makes, pins, evicts and collects, or the call fails. Whatever had
// been acknowledged must be there, whole, when the store is opened on what the disk kept; nothing that is wrong may be
// visible.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "tests/support/faulty_fs.hpp"
#include "tests/support/lossy_fs.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::store;
using zcdp::test::FaultyFs;
using zcdp::test::LossyFs;
using zcdp::test::TempFolder;
using zcdp::test::TempStore;

namespace {

const TagScope kScope{"http://origin", "bucket", "me"};
using Files = std::map<std::string, std::string>;

/// What calls that returned have promised.
struct Promised {
    std::map<std::string, Files> snapshots;
    std::map<std::string, bool> pinned;
    std::set<std::string> in_doubt;             ///< ids whose eviction or pinning was under way
    std::map<std::string, std::string> tagged;  ///< key -> content
};

Logger& quiet() {
    static Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    return log;
}
Metrics& uncounted() {
    static Metrics metrics;
    return metrics;
}

Result<std::unique_ptr<Store>> open_at(const std::string& root, Fs& fs, StoreOptions::Barrier barrier) {
    StoreOptions options;
    options.root = root, options.holder = "test", options.barrier = barrier;
    return Store::open(options, fs, system_clock(), system_random(), quiet(), uncounted());
}

Result<SnapshotInfo> make(Store& store, const Files& files, Promised& promised) {
    ZCDP_TRY(const auto incoming, store.incoming());
    std::vector<TagRow> rows;
    for (const auto& [path, content] : files) {
        ZCDP_CHECK(incoming->stage(TempStore::ref(content), TempStore::bytes(content)));
        rows.push_back({path, Tag("tag"), content.size(), TempStore::ref(content).digest});
    }
    ZCDP_CHECK(incoming->commit(kScope, rows));
    for (const auto& [path, content] : files) promised.tagged[path] = content;
    ZCDP_TRY(const auto builder, store.build_snapshot());
    for (const auto& [path, content] : files) {
        ManifestEntry entry;
        entry.path = path, entry.size_bytes = content.size(), entry.digest = TempStore::ref(content).digest;
        ZCDP_CHECK(builder->add(entry));
    }
    ZCDP_TRY(SnapshotInfo info, builder->commit("name of " + files.begin()->second, Revision("r")));
    promised.snapshots[info.id.str()] = files;
    return info;
}

/// A file of two chunks, through partial/.
Result<> make_long(Store& store, Promised& promised) {
    const std::string content(kChunkBytes + 4096, 'l');
    ZCDP_TRY(const auto incoming, store.incoming());
    ZCDP_TRY(auto partial, incoming->open_partial(ByTag{kScope, "long", Tag("tag")}, content.size()));
    std::vector<std::byte> memory(content.size() + 8192);
    auto* aligned = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 4095) / 4096 * 4096);
    std::copy_n(TempStore::bytes(content).begin(), content.size(), aligned);
    for (uint64_t chunk = 0; chunk < 2; ++chunk) {
        const std::span<const std::byte> bytes(aligned + chunk * kChunkBytes, chunk_length(content.size(), chunk));
        ZCDP_CHECK(partial->write(chunk * kChunkBytes, bytes));
        ZCDP_CHECK(partial->chunk_done(chunk, Sha256::of(bytes)));
    }
    ZCDP_TRY(const Digest digest, partial->finish());
    ZCDP_CHECK(incoming->stage_partial(std::move(partial), {digest, content.size(), false}));
    const TagRow row{"long", Tag("tag"), content.size(), digest};
    ZCDP_CHECK(incoming->commit(kScope, {&row, 1}));
    ZCDP_TRY(const auto builder, store.build_snapshot());
    ManifestEntry entry;
    entry.path = "long", entry.size_bytes = content.size(), entry.digest = digest;
    ZCDP_CHECK(builder->add(entry));
    ZCDP_TRY(const SnapshotInfo info, builder->commit("long", Revision("r")));
    promised.snapshots[info.id.str()] = {{"long", content}};
    return {};
}

/// The reference run. Ends at the first error.
Result<> run(const std::string& root, Fs& fs, StoreOptions::Barrier barrier, bool long_file, Promised& promised) {
    ZCDP_TRY(const auto store, open_at(root, fs, barrier));
    ZCDP_TRY(const auto a, make(*store, {{"f", "a"}, {"dir/g", "shared"}, {"dir/deep/h", "a too"}}, promised));
    ZCDP_TRY(const auto b, make(*store, {{"f", "b"}, {"dir/g", "shared"}}, promised));
    promised.in_doubt.insert(b.id.str());
    ZCDP_CHECK(store->pin(b.id, true));
    promised.in_doubt.clear(), promised.pinned[b.id.str()] = true;
    promised.in_doubt.insert(a.id.str());
    for (const char* key : {"f", "dir/g", "dir/deep/h"}) promised.tagged.erase(key);
    ZCDP_CHECK(store->evict(a.id));
    promised.in_doubt.clear(), promised.snapshots.erase(a.id.str());
    if (long_file) ZCDP_CHECK(make_long(*store, promised));
    ZCDP_CHECK(store->gc(0));
    ZCDP_TRY(const auto c, make(*store, {{"f", "c"}, {"again", "a"}}, promised));
    return store->touch(c.id);
}

std::string slurp(const std::string& path) {
    const auto text = read_file(system_fs(), AT_FDCWD, path.c_str(), 64 << 20);
    return text ? *text : "unreadable: " + text.error().message();
}

void check_promised(const std::string& root, const Promised& promised, bool index_lost) {
    auto opened = open_at(root, system_fs(), StoreOptions::Barrier::automatic);
    if (!opened) FAIL(opened.error().line());
    Store& store = **opened;
    for (const auto& [id, files] : promised.snapshots) {
        const auto found = store.find(id);
        if (!found && promised.in_doubt.contains(id)) continue;
        REQUIRE(found);
        REQUIRE(found->state == SnapshotState::ready);
        for (const auto& [path, content] : files) REQUIRE(slurp(found->tree_path + "/" + path) == content);
        if (!promised.in_doubt.contains(id)) REQUIRE(found->pinned == promised.pinned.contains(id));
    }
    if (!index_lost)
        REQUIRE(store.for_each_tag(kScope, "", "", [&](const TagRow& row) {
            const auto tagged = promised.tagged.find(row.key);
            if (tagged != promised.tagged.end() && TempStore::ref(tagged->second).digest == row.digest)
                REQUIRE(std::filesystem::exists(root + "/cas/sha256/" + row.digest.hex().substr(0, 2) + "/" +
                                                row.digest.hex().substr(2)));
            return true;
        }));
    const auto scrubbed = store.verify(std::nullopt, [](uint64_t) {});
    REQUIRE(scrubbed);
    for (const auto& problem : scrubbed->problems) FAIL(problem);
}

void cut_everywhere(BarrierKind promise, StoreOptions::Barrier barrier, bool long_file, uint64_t step) {
    size_t cuts = 0;
    for (uint64_t nth = 1;; nth += step, ++cuts) {
        TempFolder live(true), kept(true), rebuilt(true);
        LossyFs fs(system_fs(), live.path(), promise);
        fs.cut_at(nth);
        Promised promised;
        const auto ran = run(live.path(), fs, barrier, long_file, promised);
        if (!fs.is_cut()) {
            REQUIRE(ran);
            break;
        }
        INFO("cut at changing call ", nth);
        fs.lay_down(rebuilt.path());
        check_promised(rebuilt.path(), promised, true);
        fs.lay_down(kept.path());
        for (const char* name : {"index.db", "index.db-wal"})
            if (std::filesystem::exists(live.path() + "/" + name))
                std::filesystem::copy_file(live.path() + "/" + name, kept.path() + "/" + name,
                                           std::filesystem::copy_options::overwrite_existing);
        check_promised(kept.path(), promised, false);
    }
    MESSAGE("power cut at ", cuts, " calls");
    CHECK(cuts * step > 60);
}

}  // namespace

TEST_CASE("power loss at every call, a file system of which only what is synced is kept") {
    cut_everywhere(BarrierKind::each, StoreOptions::Barrier::fsync, false, 1);
}
TEST_CASE("power loss at every call, a journal that commits all metadata") {
    cut_everywhere(BarrierKind::journal, StoreOptions::Barrier::automatic, false, 1);
}
TEST_CASE("power loss at every call, syncfs") {
    cut_everywhere(BarrierKind::syncfs, StoreOptions::Barrier::syncfs, false, 1);
}
TEST_CASE("power loss with a long file") {
    cut_everywhere(BarrierKind::journal, StoreOptions::Barrier::automatic, true, 7);
}
TEST_CASE("a disk that fails at one call, whichever") {
    for (const int number : {EIO, ENOSPC, EDQUOT, EROFS}) {
        for (uint64_t nth = 1;; ++nth) {
            TempFolder live(true);
            FaultyFs fs(system_fs());
            fs.fail(nth, number);
            Promised promised;
            const auto ran = run(live.path(), fs, StoreOptions::Barrier::automatic, false, promised);
            if (!fs.failed()) {
                REQUIRE(ran);
                break;
            }
            INFO("call ", nth, " failed with errno ", number);
            check_promised(live.path(), promised, false);
            if (ran) continue;  // the call was one whose failure does no harm
            REQUIRE(!ran.error().line().empty());
            REQUIRE((number != ENOSPC || ran.error().kind() == ErrorKind::no_space));
        }
    }
}
