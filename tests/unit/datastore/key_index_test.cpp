// Which key points where: pages and folders in byte order, versions and their numbers, times to live, references; and
// seeded histories against a model that is nothing but maps.
#include "zcdp/datastore/key_index.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/base/sqlite.hpp"

namespace zcdp::datastore {
namespace {

using State = FoundVersion::State;

store::SnapshotId id_of(uint8_t number) {
    store::SnapshotId id;
    id.bytes.fill(number);
    return id;
}

struct Fixture {
    explicit Fixture(KeyIndexOptions given = {}) : options(given) { reopen(); }
    void reopen() {
        index.reset();
        auto opened = KeyIndex::open(path(), options);
        if (!opened) FAIL(opened.error().line());
        index = std::move(*opened);
    }
    std::string path() const { return folder.path() + "/keys.db"; }
    Result<Switched> put(const std::string& key, uint8_t snapshot, std::optional<uint64_t> if_version = std::nullopt,
                         bool force = false, int64_t expires = 0) {
        NewVersion version;
        version.key = key, version.snapshot = id_of(snapshot), version.size_bytes = snapshot, version.files = 1;
        version.if_version = if_version, version.force = force, version.expires_unix_s = expires;
        return index->switch_to(version, now);
    }
    std::vector<std::string> names(const std::string& prefix, bool recursive, uint64_t limit = 1000) {
        std::vector<std::string> found;
        std::string after;
        do {
            const auto page = index->list(prefix, recursive, after, limit, now);
            REQUIRE(page);
            REQUIRE(page->items.size() <= limit);
            for (const Item& item : page->items) found.push_back(item.name + (item.is_directory ? "/" : ""));
            after = page->next;
        } while (!after.empty());
        return found;
    }
    /// What keys.db says of how many versions need the snapshot; -1: it is not known.
    int64_t references(uint8_t snapshot) {
        auto db = sqlite::Database::open(path(), false);
        REQUIRE(db);
        auto statement = db->prepare("SELECT refs FROM snapshots WHERE id = ?1");
        REQUIRE(statement);
        const store::SnapshotId id = id_of(snapshot);
        const auto row = statement->bind_blob(1, id.bytes).step();
        REQUIRE(row);
        return *row ? statement->integer(0) : -1;
    }

    const zcdp::test::TempFolder folder;
    KeyIndexOptions options;
    std::unique_ptr<KeyIndex> index;
    int64_t now = 1'000;
};

using Names = std::vector<std::string>;

TEST_CASE("a version is the key's next number, and the one before is its history") {
    Fixture f;
    REQUIRE(f.put("a/b", 1));
    const auto second = f.put("a/b", 2);
    REQUIRE(second);
    CHECK(second->version == 2);
    CHECK_FALSE(second->unchanged);
    const auto present = f.index->find("a/b", 0, f.now);
    REQUIRE(present);
    CHECK(present->key == "a/b");
    CHECK(present->name == "b");
    CHECK(present->version == 2);
    CHECK(present->versions == 2);
    CHECK(present->snapshot == id_of(2).str());
    CHECK(f.index->find("a/b", 1, f.now)->snapshot == id_of(1).str());
    const auto history = f.index->history("a/b", f.now);
    REQUIRE(history);
    REQUIRE(history->size() == 2);
    CHECK(history->front().version == 2);
    CHECK(history->back().version == 1);
    CHECK(f.index->find("a/b", 3, f.now).error().kind() == ErrorKind::not_found);
    CHECK(f.index->find("a", 0, f.now).error().kind() == ErrorKind::not_found);
}

TEST_CASE("the same snapshot makes no version unless it is forced; its time to live is the new one") {
    Fixture f;
    REQUIRE(f.put("k", 1));
    const auto same = f.put("k", 1, std::nullopt, false, f.now + 60);
    REQUIRE(same);
    CHECK(same->version == 1);
    CHECK(same->unchanged);
    CHECK(f.index->find("k", 0, f.now)->expires_unix_s == f.now + 60);
    const auto forced = f.put("k", 1, std::nullopt, true);
    REQUIRE(forced);
    CHECK(forced->version == 2);
    CHECK(f.index->find("k", 0, f.now)->expires_unix_s == 0);
    CHECK(f.references(1) == 2);
}

TEST_CASE("a put that wants another version than the key's is refused, and changes nothing") {
    Fixture f;
    CHECK(f.put("k", 1, 1).error().kind() == ErrorKind::source_changed);
    REQUIRE(f.put("k", 1, 0));
    CHECK(f.put("k", 2, 0).error().kind() == ErrorKind::source_changed);
    REQUIRE(f.put("k", 2, 1));
    CHECK(f.put("k", 3, 1).error().kind() == ErrorKind::source_changed);
    CHECK(f.index->find("k", 0, f.now)->version == 2);
    CHECK(f.references(3) == -1);
}

TEST_CASE("what falls out of the history is retired: who reads it by its number finds it until it is let go") {
    Fixture f({2, 0});
    for (uint8_t i = 1; i <= 4; ++i) REQUIRE(f.put("k", i));
    CHECK(f.index->find("k", 0, f.now)->versions == 2);
    CHECK(f.index->find("k", 2, f.now).error().kind() == ErrorKind::not_found);
    auto old = f.index->find_to_read("k", 2, f.now);
    REQUIRE(old);
    CHECK(old->state == State::retired);
    CHECK(old->snapshot == id_of(2));
    CHECK(f.index->find_to_read("k", 3, f.now)->state == State::kept);
    const auto reads_2 = [](const store::SnapshotId& id) { return id == id_of(2); };
    CHECK(*f.index->let_go(f.now, f.now + 100, 10, reads_2) == 2);
    CHECK(f.index->find_to_read("k", 1, f.now)->state == State::gone);
    CHECK(f.index->find_to_read("k", 2, f.now)->state == State::retired);
    CHECK(*f.index->let_go(f.now + 99, f.now + 200, 10, reads_2) == 0);
    CHECK(f.references(1) == 0);
    CHECK(f.references(2) == 1);
    CHECK(f.index->unreferenced(f.now, 10).value() == std::vector{id_of(1)});
    REQUIRE(f.index->forget(id_of(1)));
    REQUIRE(f.index->forget(id_of(2)));
    CHECK(f.references(1) == -1);
    CHECK(f.references(2) == 1);
    CHECK(f.index->find_to_read("k", 9, f.now).error().kind() == ErrorKind::not_found);
}

TEST_CASE("a shorter history than before retires all that is over") {
    Fixture f;
    for (uint8_t i = 1; i <= 6; ++i) REQUIRE(f.put("k", i));
    f.options.keep_versions = 2;
    f.reopen();
    REQUIRE(f.put("k", 7));
    const auto history = f.index->history("k", f.now);
    REQUIRE(history);
    CHECK(history->size() == 2);
    CHECK(f.index->find("k", 0, f.now)->versions == 2);
    CHECK(f.index->find_to_read("k", 5, f.now)->state == State::retired);
}

TEST_CASE("a removed key goes on counting, and its versions stay for those in the middle of them") {
    Fixture f;
    REQUIRE(f.put("k", 1));
    REQUIRE(f.put("k", 2));
    CHECK(*f.index->remove("k", f.now));
    CHECK_FALSE(*f.index->remove("k", f.now));
    CHECK(f.index->find("k", 0, f.now).error().kind() == ErrorKind::not_found);
    CHECK(f.index->find_to_read("k", 0, f.now).error().kind() == ErrorKind::not_found);
    CHECK(f.index->find_to_read("k", 1, f.now)->state == State::retired);
    CHECK(f.put("k", 3, 2).error().kind() == ErrorKind::source_changed);
    CHECK(f.put("k", 3, 0)->version == 3);
    REQUIRE(*f.index->remove("k", f.now));
    REQUIRE(f.index->let_go(f.now, f.now, 10, [](const auto&) { return false; }));
    CHECK(f.index->find_to_read("k", 2, f.now)->state == State::gone);
    CHECK(*f.index->forget_removed(f.now + 1, 10) == 1);
    CHECK(f.index->find_to_read("k", 2, f.now).error().kind() == ErrorKind::not_found);
    CHECK(f.put("k", 1)->version == 1);
}

TEST_CASE("the number of a removed key is remembered as long as one of its versions is") {
    Fixture f;
    REQUIRE(f.put("k", 1));
    REQUIRE(*f.index->remove("k", f.now));
    CHECK(*f.index->forget_removed(f.now + 1, 10) == 0);
    CHECK(f.put("k", 2)->version == 2);
}

TEST_CASE("a level lists keys and folders in byte order, each once, and passes over what lies below a folder") {
    Fixture f;
    for (const char* key : {"a", "a-b", "a/x", "a/y/z", "a0", "b/c", "\xc3\xa4", "Z"}) REQUIRE(f.put(key, 1));
    CHECK(f.names("", false) == Names{"Z", "a", "a-b", "a/", "a0", "b/", "\xc3\xa4"});
    CHECK(f.names("a", false) == Names{"x", "y/"});
    CHECK(f.names("a/y", false) == Names{"z"});
    CHECK(f.names("a/x", false).empty());
    CHECK(f.names("", true) == Names{"Z", "a", "a-b", "a/x", "a/y/z", "a0", "b/c", "\xc3\xa4"});
    CHECK(f.names("a", true) == Names{"x", "y/z"});
    for (const uint64_t limit : {1, 2, 3}) {
        CHECK(f.names("", false, limit) == f.names("", false));
        CHECK(f.names("", true, limit) == f.names("", true));
    }
    CHECK(*f.index->is_folder("a", f.now));
    CHECK_FALSE(*f.index->is_folder("a0", f.now));
    CHECK(*f.index->is_folder("", f.now));
    const auto folder = f.index->list("", false, "a-b", 1, f.now);
    REQUIRE(folder);
    CHECK(folder->items[0].key == "a");
    CHECK(folder->items[0].version == 0);
    CHECK(folder->next == "a/");
}

TEST_CASE("a key whose time is over is not there, before and after it is taken away") {
    Fixture f;
    REQUIRE(f.put("f/short", 1, std::nullopt, false, f.now + 10));
    REQUIRE(f.put("long", 2));
    f.now += 9;
    CHECK(f.index->find("f/short", 0, f.now)->expires_unix_s == f.now + 1);
    f.now += 1;
    CHECK(f.index->find("f/short", 0, f.now).error().kind() == ErrorKind::not_found);
    CHECK(f.names("", false) == Names{"long"});
    CHECK(f.names("", true) == Names{"long"});
    CHECK_FALSE(*f.index->is_folder("f", f.now));
    CHECK(f.index->find_to_read("f/short", 0, f.now).error().kind() == ErrorKind::not_found);
    CHECK(f.index->find_to_read("f/short", 1, f.now)->state == State::retired);
    CHECK_FALSE(*f.index->remove("f/short", f.now));
    CHECK(*f.index->expire(f.now, 10) == 0);
    REQUIRE(f.put("f/short", 3, 0, false, f.now + 10));
    CHECK(f.index->find("f/short", 0, f.now)->version == 2);
    f.now += 10;
    CHECK(*f.index->expire(f.now, 10) == 1);
    CHECK(f.index->keys() == 1);
    CHECK(f.index->find_to_read("f/short", 2, f.now)->state == State::retired);
}

TEST_CASE("what lies below a key is removed in batches, and nothing beside it") {
    Fixture f;
    for (int i = 0; i < 25; ++i) REQUIRE(f.put("d/" + std::to_string(i), 1));
    for (const char* key : {"d", "d-", "d0", "e/d/1"}) REQUIRE(f.put(key, 1));
    REQUIRE(f.put("d/over", 1, std::nullopt, false, f.now - 1));
    uint64_t removed = 0, batches = 0;
    std::string from;
    do {
        const auto some = f.index->remove_below("d", from, 10, f.now);
        REQUIRE(some);
        removed += some->keys, ++batches, from = some->next;
    } while (!from.empty());
    CHECK(removed == 25);
    CHECK(batches == 3);
    CHECK(f.names("", true) == Names{"d", "d-", "d0", "e/d/1"});
    CHECK(f.index->keys() == 4);
    CHECK(f.references(1) == 4 + 26);
    CHECK(*f.index->let_go(f.now, f.now, 100, [](const auto&) { return false; }) == 26);
    CHECK(f.references(1) == 4);
}

TEST_CASE("a key over the quota is refused with both numbers; a version of one that is there is not") {
    Fixture f({10, 2});
    REQUIRE(f.put("a", 1));
    REQUIRE(f.put("b", 1));
    CHECK(f.index->is_full());
    const auto third = f.put("c", 1);
    REQUIRE_FALSE(third);
    CHECK(third.error().kind() == ErrorKind::no_space);
    CHECK(f.put("a", 2));
    REQUIRE(*f.index->remove("b", f.now));
    CHECK(f.put("c", 1));
}

TEST_CASE(
    "a snapshot that was intended and that no key came to point at is found after its time, and one that is needed is "
    "not") {
    Fixture f;
    REQUIRE(f.index->intend(id_of(1), f.now));
    REQUIRE(f.index->intend(id_of(2), f.now));
    REQUIRE(f.put("k", 2));
    CHECK(f.index->unreferenced(f.now - 1, 10)->empty());
    CHECK(f.index->unreferenced(f.now, 10).value() == std::vector{id_of(1)});
    CHECK(*f.index->is_unreferenced(id_of(1)));
    CHECK_FALSE(*f.index->is_unreferenced(id_of(2)));
    CHECK(*f.index->is_unreferenced(id_of(3)));
    REQUIRE(f.index->intend(id_of(2), f.now + 5));
    CHECK(f.references(2) == 1);
}

TEST_CASE("what a newer zcdp wrote is refused") {
    Fixture f;
    f.index.reset();
    auto db = sqlite::Database::open(f.path(), true);
    REQUIRE(db);
    REQUIRE(db->execute("PRAGMA user_version = 2"));
    CHECK(KeyIndex::open(f.path(), {}).error().kind() == ErrorKind::refused);
}

/// Keys as maps; one that is over is taken away when it is looked at.
struct Model {
    struct Key {
        std::vector<std::pair<uint64_t, uint8_t>> versions;  ///< number and snapshot, newest last
        int64_t expires = 0;
    };
    std::map<std::string, Key> keys;
    std::map<std::string, uint64_t> removed;
    std::map<std::pair<std::string, uint64_t>, uint8_t> retired;

    void retire(const std::string& key, size_t count) {
        auto& versions = keys[key].versions;
        for (size_t i = 0; i < count; ++i) retired[{key, versions[i].first}] = versions[i].second;
        versions.erase(versions.begin(), versions.begin() + static_cast<long>(count));
    }
    void remove(const std::string& key) {
        removed[key] = keys[key].versions.back().first;
        retire(key, keys[key].versions.size());
        keys.erase(key);
    }
    void expire(int64_t now) {
        std::vector<std::string> over;
        for (const auto& [key, value] : keys)
            if (value.expires > 0 && value.expires <= now) over.push_back(key);
        for (const std::string& key : over) remove(key);
    }
    std::multiset<uint8_t> needed() const {
        std::multiset<uint8_t> all;
        for (const auto& [key, value] : keys)
            for (const auto& version : value.versions) all.insert(version.second);
        for (const auto& [version, snapshot] : retired) all.insert(snapshot);
        return all;
    }
};

void put_both(Fixture& f, Model& model, Random& random, const std::string& key, uint64_t keep) {
    const uint8_t snapshot = static_cast<uint8_t>(1 + random.below(6));
    const auto at = model.keys.find(key);
    const uint64_t present = at == model.keys.end() ? 0 : at->second.versions.back().first;
    std::optional<uint64_t> if_version;
    if (random.below(3) == 0) if_version = present + random.below(2);
    const bool force = random.below(4) == 0;
    const int64_t expires = random.below(4) == 0 ? f.now + static_cast<int64_t>(1 + random.below(20)) : 0;
    const auto switched = f.put(key, snapshot, if_version, force, expires);
    REQUIRE(switched.has_value() == (!if_version || *if_version == present));
    if (!switched) return;
    const bool unchanged = present > 0 && at->second.versions.back().second == snapshot && !force;
    CHECK(switched->unchanged == unchanged);
    model.keys[key].expires = expires;
    if (unchanged) return;
    const uint64_t number = (present > 0 ? present : model.removed[key]) + 1;
    CHECK(switched->version == number);
    auto& versions = model.keys[key].versions;
    versions.emplace_back(number, snapshot);
    if (versions.size() > keep) model.retire(key, versions.size() - keep);
}

void compare(Fixture& f, const Model& model) {
    Names keys;
    for (const auto& [key, value] : model.keys) keys.push_back(key);
    CHECK(f.names("", true, 7) == keys);
    for (const auto& [key, value] : model.keys) {
        const auto history = f.index->history(key, f.now);
        REQUIRE(history);
        REQUIRE(history->size() == value.versions.size());
        for (size_t i = 0; i < value.versions.size(); ++i) {
            const Item& item = (*history)[history->size() - 1 - i];
            CHECK(item.version == value.versions[i].first);
            CHECK(item.snapshot == id_of(value.versions[i].second).str());
            CHECK(item.versions == value.versions.size());
            CHECK(item.expires_unix_s == value.expires);
        }
    }
    for (const auto& [version, snapshot] : model.retired)
        CHECK(f.index->find_to_read(version.first, version.second, f.now)->snapshot == id_of(snapshot));
    const auto needed = model.needed();
    for (uint8_t snapshot = 1; snapshot <= 6; ++snapshot)
        CHECK(std::max<int64_t>(0, f.references(snapshot)) == static_cast<int64_t>(needed.count(snapshot)));
    std::set<std::string> level;
    for (const std::string& key : keys) {
        const size_t slash = key.find('/');
        level.insert(slash == key.npos ? key : key.substr(0, slash + 1));
    }
}

void step(Fixture& f, Model& model, Random& random, uint64_t keep) {
    constexpr const char* kKeys[] = {"a", "a-", "a/b", "a/b/c", "a/c", "b/x", "b", "c/d/e"};
    const std::string key = kKeys[random.below(std::size(kKeys))];
    f.now += static_cast<int64_t>(random.below(3));
    model.expire(f.now);
    switch (random.below(10)) {
        case 0:
            CHECK(f.index->remove(key, f.now).value() == model.keys.contains(key));
            if (model.keys.contains(key)) model.remove(key);
            break;
        case 1: {
            const auto removed = f.index->remove_below(key, "", 100, f.now);
            REQUIRE(removed);
            Names below;
            for (const auto& [one, value] : model.keys)
                if (one.starts_with(key + "/")) below.push_back(one);
            CHECK(removed->keys == below.size());
            for (const std::string& one : below) model.remove(one);
            break;
        }
        case 2: REQUIRE(f.index->expire(f.now, 3)); break;
        case 3:
            // An expired key's versions are retired only when it is met.
            REQUIRE(f.index->expire(f.now, 100));
            REQUIRE(f.index->let_go(f.now, f.now, 1000, [](const auto& id) { return id == id_of(1); }));
            std::erase_if(model.retired, [](const auto& one) { return one.second != 1; });
            break;
        case 4: f.reopen(); break;
        default: put_both(f, model, random, key, keep);
    }
}

TEST_CASE("whatever is done to it, the index says what a model of maps says") {
    for (uint64_t seed = 1; seed <= 4; ++seed) {
        SeededRandom random(seed);
        const uint64_t keep = 1 + random.below(4);
        Fixture f({keep, 0});
        Model model;
        INFO("seed ", seed);
        for (int i = 0; i < 150; ++i) {
            step(f, model, random, keep);
            if (i % 10 != 9) continue;
            REQUIRE(f.index->expire(f.now, 100));
            model.expire(f.now);
            compare(f, model);
        }
    }
}

}  // namespace
}  // namespace zcdp::datastore
