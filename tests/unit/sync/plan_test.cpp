// The pure and the on-disk parts of a sync: globs, intake, the spool, the plan, the feeder, checksums.
#include <fcntl.h>

#include "src/sync/fetch/feeder.hpp"
#include "src/sync/fetch/verify.hpp"
#include "src/sync/list/intake.hpp"
#include "src/sync/place/dest_state.hpp"
#include "src/sync/plan/plan.hpp"
#include "src/sync/plan/stated_sum.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/origin/checksums.hpp"

using namespace zcdp;
using namespace zcdp::sync;
using zcdp::test::TempFolder;
using zcdp::test::TempStore;

namespace {

origin::Entry file(std::string path, uint64_t size = 1, std::string tag = "t") {
    origin::Entry entry;
    entry.path = std::move(path), entry.size_bytes = size, entry.tag = Tag(std::move(tag));
    return entry;
}
origin::Entry folder(std::string path) {
    origin::Entry entry;
    entry.path = std::move(path), entry.kind = origin::EntryKind::directory;
    return entry;
}

/// What is taken of entries that come in order.
struct Taken {
    Refusals refusals;
    Intake intake{refusals, false};
    std::vector<std::string> paths;

    explicit Taken(std::vector<origin::Entry> entries) {
        const Filter all({}, {});
        const auto accept = [&](const origin::Entry& entry) {
            paths.push_back(entry.path);
            return Result<>();
        };
        for (auto& entry : entries)
            if (Names(all, refusals).wanted(entry)) REQUIRE(intake.take(std::move(entry), accept));
        REQUIRE(intake.end(accept));
    }
};

}  // namespace

TEST_CASE("globs match as --help says") {
    struct Row {
        const char *glob, *path;
        bool matches;
    };
    for (const Row& row :
         std::initializer_list<Row>{{"*.bin", "a.bin", true},
                                    {"*.bin", "x/y/a.bin", true},
                                    {"*.bin", "a.bin.txt", false},
                                    {"x/*.bin", "x/a.bin", true},
                                    {"x/*.bin", "x/y/a.bin", false},
                                    {"x/**/a.bin", "x/a.bin", true},
                                    {"x/**/a.bin", "x/y/z/a.bin", true},
                                    {"**/a.bin", "a.bin", true},
                                    {"/a.bin", "x/a.bin", false},
                                    {"/a.bin", "a.bin", true},
                                    {"train/", "train/x/y", true},
                                    {"train/", "x/train/y", true},
                                    {"train/", "training/y", false},
                                    {"a?c", "abc", true},
                                    {"a?c", "a/c", false},
                                    {"[a-c]x", "bx", true},
                                    {"[!a-c]x", "bx", false},
                                    {"\\*", "*", true},
                                    {"\\*", "x", false},
                                    {"*", "", true},
                                    {"a*b*c*d*e*f*g*h", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}}) {
        CAPTURE(row.glob);
        CAPTURE(row.path);
        CHECK(Filter({row.glob}, {}).wants(row.path) == row.matches);
        CHECK(Filter({}, {row.glob}).wants(row.path) != row.matches);
    }
    CHECK_FALSE(Filter({"*.bin"}, {"secret/"}).wants("secret/a.bin"));
}

TEST_CASE(
    "intake drops folders that have something in them, keeps empty ones, and leaves the prefix's own marker out") {
    Taken taken({folder(""), file("a"), folder("d/"), file("d/x"), folder("e/"), file("f")});
    CHECK(taken.paths == std::vector<std::string>{"a", "d/x", "e/", "f"});
    CHECK(taken.intake.tally().files() == 3);
    CHECK(taken.refusals.count() == 0);
}

TEST_CASE("intake refuses what is no path, by name and with its reason, and goes on") {
    const std::string long_part(256, 'x');
    const Taken taken({file("../up"), file("/abs"), file("a"), file("a-x"), file("a/b"), file("a//b"), file("b/../c"),
                       file("c\x01"), file(std::string("n\0l", 3)), file("ok"), file("\xff\xfe"), file(long_part)});
    CHECK(taken.paths == std::vector<std::string>{"a", "a-x", "ok"});
    CHECK(taken.refusals.count() == 9);
    CHECK(taken.refusals.keys()[0].find("'..'") != std::string::npos);
    CHECK(taken.refusals.keys()[2].find("another key that is a file") != std::string::npos);
    for (const auto& key : taken.refusals.keys())
        for (const char c : key) CHECK(static_cast<unsigned char>(c) >= 0x20);
}

TEST_CASE("the revision depends on every path, size and tag, and on nothing else") {
    const auto revision = [&](std::vector<origin::Entry> entries) {
        return Taken(std::move(entries)).intake.tally().revision();
    };
    const auto base = revision({file("a", 1, "t"), file("b", 2, "u")});
    CHECK(base == revision({file("a", 1, "t"), file("b", 2, "u")}));
    CHECK(base != revision({file("a", 1, "t"), file("b", 2, "v")}));
    CHECK(base != revision({file("a", 1, "t"), file("b", 3, "u")}));
    CHECK(base != revision({file("a", 1, "t"), file("c", 2, "u")}));
    CHECK(base != revision({file("a", 1, "t")}));
}

TEST_CASE("a spool gives back what was put in, any number of times") {
    TempFolder temp;
    auto scratch = open_scratch(system_fs(), temp.path(), system_random());
    REQUIRE(scratch);
    SpoolWriter writer(system_fs(), scratch->get());
    for (int i = 0; i < 20'000; ++i) {
        SpoolEntry record;
        record.entry = file("some/folder/" + std::to_string(100'000 + i), static_cast<uint64_t>(i) << 30,
                            "tag" + std::to_string(i));
        record.entry.executable = i % 2 == 0;
        if (i % 3 == 0) record.knowledge = Knowledge::present, record.digest.bytes[0] = static_cast<uint8_t>(i);
        REQUIRE(writer.add(record));
    }
    REQUIRE(writer.finish());
    for (int round = 0; round < 2; ++round) {
        SpoolReader reader(system_fs(), scratch->get(), writer.count());
        for (int i = 0; i < 20'000; ++i) {
            SpoolEntry record;  // a fresh one: shared prefixes come from the reader
            REQUIRE(*reader.next(record));
            REQUIRE(record.entry.path == "some/folder/" + std::to_string(100'000 + i));
            REQUIRE(record.entry.size_bytes == static_cast<uint64_t>(i) << 30);
            REQUIRE(record.entry.tag.str() == "tag" + std::to_string(i));
            REQUIRE(record.entry.executable == (i % 2 == 0));
            REQUIRE((record.knowledge == Knowledge::present) == (i % 3 == 0));
            if (i % 3 == 0) REQUIRE(record.digest.bytes[0] == static_cast<uint8_t>(i));
        }
        SpoolEntry end;
        CHECK_FALSE(*reader.next(end));
    }
}

TEST_CASE("the plan reuses by key, tag and size; another key or other credentials only make a candidate") {
    TempStore temp;
    auto store = temp.open();
    const store::TagScope me{"e", "b", "me"}, other{"e", "b", "other"}, elsewhere{"e2", "b", "me"};
    temp.snapshot(*store, {{"x", "12345"}});
    const std::string md5 = "827ccb0eea8a706c4c34a16891f84e7b";
    const Digest digest = temp.ref("12345").digest;
    REQUIRE(store->put_tags(me, std::vector<store::TagRow>{{"p/x", Tag(md5), 5, digest},
                                                           {"p/gone", Tag("t"), 4, temp.ref("gone").digest},
                                                           {"p/parts", Tag(md5 + "-2"), 5, digest},
                                                           {"p/time", Tag("65a1b2c3-5"), 5, digest}}));
    const auto judge = [&](const store::TagScope& scope, origin::Entry entry, bool of_parts = true) {
        auto scratch = open_scratch(system_fs(), temp.root(), system_random());
        SpoolWriter spool(system_fs(), scratch->get());
        origin::OriginIdentity identity;
        identity.prefix = "p/", identity.tags_of_parts = of_parts;
        const auto hold = store->hold();
        Planner planner(*store, *store, scope, identity, *hold);
        REQUIRE(planner.add(entry, spool));
        REQUIRE(spool.finish());
        SpoolReader reader(system_fs(), scratch->get(), 1);
        SpoolEntry record;
        REQUIRE(*reader.next(record));
        return record;
    };
    CHECK(judge(me, file("x", 5, md5)).knowledge == Knowledge::present);
    CHECK(judge(me, file("x", 5, "other")).knowledge == Knowledge::none);
    CHECK(judge(me, file("x", 6, md5)).knowledge == Knowledge::none);
    CHECK(judge(me, file("gone", 4, "t")).knowledge == Knowledge::none);  // the blob is not there any more
    CHECK(judge(me, file("y", 5, md5)).knowledge == Knowledge::candidate);
    CHECK_FALSE(judge(me, file("y", 5, md5)).same_key);
    CHECK(judge(other, file("x", 5, md5)).knowledge == Knowledge::candidate);
    CHECK(judge(other, file("x", 5, md5)).same_key);
    CHECK(judge(elsewhere, file("x", 5, md5)).knowledge == Knowledge::none);
    // The MD5s of parts: another key, where the origin is known to make its tags so, and never with another size.
    CHECK(judge(me, file("v2/parts", 5, md5 + "-2")).knowledge == Knowledge::candidate);
    CHECK_FALSE(judge(me, file("v2/parts", 5, md5 + "-2")).same_key);
    CHECK(judge(me, file("v2/parts", 5, md5 + "-2"), false).knowledge == Knowledge::none);
    CHECK(judge(me, file("v2/parts", 6, md5 + "-2")).knowledge == Knowledge::none);
    CHECK(judge(me, file("v2/parts", 5, md5 + "-3")).knowledge == Knowledge::none);
    // Of times and sizes: the same file again, but not the same content under another name.
    CHECK(judge(me, file("time", 5, "65a1b2c3-5")).knowledge == Knowledge::present);
    CHECK(judge(me, file("other", 5, "65a1b2c3-5")).knowledge == Knowledge::none);
    CHECK(judge(other, file("time", 5, "65a1b2c3-5")).same_key);
}

TEST_CASE("a tag is of the content when it has the form of an MD5, or of an MD5 of parts and their number") {
    const std::string md5 = "827ccb0eea8a706c4c34a16891f84e7b";
    struct Row {
        std::string tag;
        TagKind kind;
    };
    for (const Row& row : std::initializer_list<Row>{{md5, TagKind::md5},
                                                     {md5 + "-1", TagKind::of_parts},
                                                     {md5 + "-640", TagKind::of_parts},
                                                     {md5 + "-10000", TagKind::of_parts},
                                                     {md5 + "-10001", TagKind::opaque},
                                                     {md5 + "-0", TagKind::opaque},
                                                     {md5 + "-01", TagKind::opaque},
                                                     {md5 + "-", TagKind::opaque},
                                                     {md5 + "-2x", TagKind::opaque},
                                                     {md5 + "-gzip", TagKind::opaque},
                                                     {md5 + ":1366221443", TagKind::opaque},
                                                     {"W/" + md5 + "-2", TagKind::opaque},
                                                     {"65a1b2c3-1f4", TagKind::opaque},
                                                     {"65a1b2c3-500", TagKind::opaque},
                                                     {"1705123456.5-500-77", TagKind::opaque},
                                                     {"", TagKind::opaque},
                                                     {"2024-01-02T03:04:05.000Z", TagKind::opaque},
                                                     {md5.substr(1) + "-2", TagKind::opaque},
                                                     {md5.substr(1) + "G-2", TagKind::opaque}}) {
        CAPTURE(row.tag);
        CHECK(kind_of_tag(Tag(row.tag), 1 << 30) == row.kind);
    }
    CHECK(kind_of_tag(Tag(md5 + "-3"), 2) == TagKind::opaque);  // more parts than bytes
    CHECK(kind_of_tag(Tag(md5 + "-1"), 0) == TagKind::of_parts);
}

TEST_CASE(
    "another tag, and a content of the size is here: a sum may tell; and what partial files have is counted once") {
    TempStore temp;
    auto store = temp.open();
    const store::TagScope me{"e", "b", "me"}, other{"e", "b", "other"}, elsewhere{"e", "b2", "me"};
    const uint64_t size = 2 * kChunkBytes;
    const Digest digest{DigestKind::sha256tree, Sha256::of("tree")};
    REQUIRE(store->put_tags(me, std::vector<store::TagRow>{{"v1/x", Tag("t1"), size, digest, "crc64nvme:00"}}));
    REQUIRE(store->put_tags(other, std::vector<store::TagRow>{{"v1/y", Tag("t2"), size, digest, "sha256:11"}}));
    const auto digests = [&](const store::TagScope& scope, const std::string& sum, bool anybodys) {
        return store->sums_like(scope, sum, size, anybodys)->size();
    };
    CHECK(digests(me, "crc64nvme:00", false) == 1);
    CHECK(store->sums_like(me, "crc64nvme:00", size, false)->at(0) == digest);
    CHECK(digests(other, "crc64nvme:00", false) == 0);
    CHECK(digests(me, "sha256:11", true) == 1);
    CHECK(digests(me, "sha256:11", false) == 0);
    CHECK(digests(elsewhere, "sha256:11", true) == 0);
    CHECK(store->sums_like(me, "crc64nvme:00", size + 1, false)->empty());
    const auto judge = [&](const store::TagScope& scope, std::vector<origin::Entry> entries,
                           PlanTotals* totals = nullptr) {
        auto scratch = open_scratch(system_fs(), temp.root(), system_random());
        SpoolWriter spool(system_fs(), scratch->get());
        origin::OriginIdentity identity;
        identity.prefix = "v2/";
        const auto hold = store->hold();
        Planner planner(*store, *store, scope, identity, *hold);
        for (const auto& entry : entries) REQUIRE(planner.add(entry, spool));
        REQUIRE(spool.finish());
        if (totals) *totals = planner.totals();
        SpoolReader reader(system_fs(), scratch->get(), entries.size());
        SpoolEntry record;
        REQUIRE(*reader.next(record));
        return record.knowledge;
    };
    CHECK(judge(me, {file("x", size, "new")}) == Knowledge::same_size);
    CHECK(judge(other, {file("x", size, "new")}) == Knowledge::same_size);
    CHECK(judge(elsewhere, {file("x", size, "new")}) == Knowledge::none);
    CHECK(judge(me, {file("x", size + 1, "new")}) == Knowledge::none);
    {
        auto incoming = store->incoming();
        REQUIRE((*incoming)->open_partial(store::ByTag{me, "v2/b", Tag("tb")}, 3 * kChunkBytes));
    }
    PlanTotals totals;
    judge(me, {file("a", size, "new"), file("b", 3 * kChunkBytes, "tb"), file("c", 3 * kChunkBytes, "tc")}, &totals);
    CHECK(totals.same_size_files == 1);
    CHECK(totals.fetch_files == 2);
    CHECK(totals.fetch_bytes == 6 * kChunkBytes);
    CHECK(totals.partial_bytes == 3 * kChunkBytes);
}

TEST_CASE("what is remembered of a stated sum tells contents apart, and says who may go by it") {
    using Kind = origin::ObjectChecksum::Kind;
    origin::ObjectChecksum sum;
    CHECK(stated_sum(sum).empty());
    sum.raw = "\x01\x02";
    for (const Kind kind : {Kind::crc32, Kind::crc32c, Kind::md5, Kind::sha1}) {
        sum.kind = kind;
        CHECK(stated_sum(sum).empty());
        CHECK_FALSE(is_unforgeable(sum));
    }
    sum.kind = Kind::crc64nvme;
    CHECK(stated_sum(sum) == "crc64nvme:0102");
    CHECK_FALSE(is_unforgeable(sum));
    sum.kind = Kind::crc64xz;
    CHECK(stated_sum(sum) == "crc64xz:0102");
    CHECK_FALSE(is_unforgeable(sum));
    sum.kind = Kind::sha256;
    CHECK(stated_sum(sum) == "sha256:0102");
    CHECK(is_unforgeable(sum));
}

TEST_CASE("the feeder hands out every small file and every missing chunk once, and knows when it is finished") {
    TempStore temp;
    auto store = temp.open();
    auto incoming = store->incoming();
    auto scratch = open_scratch(system_fs(), temp.root(), system_random());
    SpoolWriter spool(system_fs(), scratch->get());
    const uint64_t long_size = 10 * kChunkBytes + 1;
    for (const auto& entry : {file("big", long_size), file("s1", 10), file("s2", 0)}) {
        SpoolEntry record;
        record.entry = entry;
        REQUIRE(spool.add(record));
    }
    REQUIRE(spool.finish());
    PlanFeeder feeder(SpoolReader(system_fs(), scratch->get(), spool.count()), 4);
    auto batch = feeder.take(4);
    REQUIRE(batch);
    REQUIRE(batch->work.size() == 3);
    CHECK_FALSE(batch->finished);
    CHECK(feeder.take(4)->work.empty());
    CHECK_FALSE(feeder.take(4)->finished);  // the long one is being opened
    auto long_file = std::make_shared<LongFile>();
    long_file->record = std::get<SpoolEntry>(batch->work[0]);
    auto partial = (*incoming)->open_partial(store::ByTag{{"e", "b", "c"}, "big", Tag("t")}, long_size);
    REQUIRE(partial);
    long_file->partial = std::move(*partial);
    feeder.opened(long_file);
    std::vector<bool> seen(11);
    for (int takes = 0; takes < 100; ++takes) {
        auto more = feeder.take(2);
        if (more->work.empty()) break;
        for (const Work& work : more->work) {
            const auto& run = std::get<ChunkRun>(work);
            for (uint64_t chunk = run.first; chunk < run.first + run.count; ++chunk) {
                CHECK_FALSE(seen[chunk]);
                seen[chunk] = true;
            }
        }
    }
    CHECK(std::count(seen.begin(), seen.end(), true) == 11);
    CHECK_FALSE(feeder.take(1)->finished);  // it may turn out to be damaged, and come again
    feeder.long_done();
    CHECK(feeder.take(1)->finished);
}

TEST_CASE("an origin's checksum is compared, whole or combined from chunks, and names both values when it differs") {
    using Kind = origin::ObjectChecksum::Kind;
    const std::string text = "123456789";
    const auto bytes = std::as_bytes(std::span(text));
    const Digest digest{DigestKind::sha256, Sha256::of(text)};
    origin::ObjectChecksum claimed;
    claimed.kind = Kind::crc32, claimed.raw = "\xcb\xf4\x39\x26";
    CHECK(verify_content(bytes, digest, claimed));
    claimed.raw = "\xcb\xf4\x39\x27";
    const auto wrong = verify_content(bytes, digest, claimed);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().kind() == ErrorKind::corrupt);
    CHECK(wrong.error().what().find("cbf43926") != std::string::npos);
    CHECK(wrong.error().what().find("cbf43927") != std::string::npos);
    claimed.kind = Kind::sha256, claimed.raw.assign(reinterpret_cast<const char*>(digest.bytes.data()), 32);
    CHECK(verify_content(bytes, digest, claimed));
    claimed.kind = Kind::md5, claimed.raw = "\x25\xf9\xe7\x94\x32\x3b\x45\x38\x85\xf5\x18\x1f\x1b\x62\x4d\x0b";
    CHECK(verify_content(bytes, digest, claimed));

    const std::string big(kChunkBytes + 5, 'z');
    PieceCrcs crcs(origin::CrcKind::crc64nvme, big.size(), 0);
    RunningCrc(crcs).update(0, std::as_bytes(std::span(big)));
    const Digest tree{DigestKind::sha256tree, {}};
    const LongContent content{big.size(), tree, crcs, 0};
    claimed.kind = Kind::crc64nvme;
    claimed.raw = origin::crc_raw(origin::CrcKind::crc64nvme, origin::Crc::of(origin::CrcKind::crc64nvme, big));
    CHECK(is_judged_by_chunks(content, claimed));
    CHECK(verify_chunks(content, claimed));
    claimed.raw[0] ^= 1;
    CHECK_FALSE(verify_chunks(content, claimed));
}

TEST_CASE("a destination's state comes back in order, the journal over the state, and a torn tail is dropped") {
    TempFolder temp;
    const Fd dir(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY));
    const auto write = [&](const char* name, std::vector<std::pair<std::string, uint64_t>> rows) {
        DestStateWriter writer(system_fs(), Fd(::openat(dir.get(), name, O_RDWR | O_CREAT | O_TRUNC, 0600)), name);
        for (const auto& [path, inode] : rows) {
            DestRecord record;
            record.entry.path = path, record.inode = inode, record.tag = Tag("t"), record.entry.size_bytes = 3,
            record.mtime_ns = 5;
            REQUIRE(writer.add(record));
        }
        REQUIRE(writer.flush(true));
    };
    const auto read = [&] {
        std::string all;
        auto state = DestState::open(system_fs(), dir.get(), temp.path());
        REQUIRE(state);
        for (DestRecord record; (*state)->next(record);) all += record.entry.path + std::to_string(record.inode) + " ";
        return all;
    };
    write("state", {{"a", 1}, {"b", 1}, {"d", 1}});
    CHECK(read() == "a1 b1 d1 ");
    write("journal", {{"a", 2}, {"c", 2}});
    CHECK(read() == "a2 b1 c2 d1 ");
    struct stat st;
    REQUIRE(::fstatat(dir.get(), "journal", &st, 0) == 0);
    const Fd journal(::openat(dir.get(), "journal", O_WRONLY));
    REQUIRE(::ftruncate(journal.get(), st.st_size - 1) == 0);
    CHECK(read() == "a2 b1 d1 ");
    REQUIRE(::pwrite(journal.get(), "zcdp destination 2\n", 19, 0) == 19);
    CHECK(DestState::open(system_fs(), dir.get(), temp.path()).error().kind() == ErrorKind::refused);
}
