// The server against a model of it: seeded histories of uploads in all their steps, removals, times to live, time that
// goes by, upkeep, restarts and file systems that fail, over a real connection. After each step what was asked is what
// the model says; after each history the store has what keys need and nothing else.
//
// ZCDP_OPERATIONS=100000 is the long run; ZCDP_SEED=N is one history.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "tests/support/doctest.hpp"
#include "tests/support/faulty_fs.hpp"
#include "tests/support/plain_http.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/base/little_endian.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/datastore/key.hpp"
#include "zcdp/datastore/records.hpp"
#include "zcdp/datastore/server.hpp"
#include "zcdp/datastore/wire.hpp"
#include "zcdp/store/blob_name.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::datastore {
namespace {

using zcdp::test::PlainAnswer, zcdp::test::PlainHttp;

constexpr uint64_t kKeep = 3;
constexpr int64_t kGraceS = 600, kUploadIdleS = 3600;
constexpr const char* kKeys[] = {"a", "a/b", "a/b/c", "a-b", "b/x", "c"};
constexpr size_t kContents = 10;

struct Content {
    std::string bytes;
    ContentRecord record;
};

/// Short ones, a medium one, and two long ones that differ in one chunk.
const std::vector<Content>& contents() {
    static const std::vector<Content> all = [] {
        std::vector<Content> made(kContents);
        for (size_t i = 0; i < kContents; ++i) {
            SeededRandom random(i + 1);
            const size_t size = i < 6 ? i * 1'500 : i < 8 ? (1 << 20) + i * 4'321 : kChunkBytes + 12'345;
            std::string& bytes = made[i].bytes;
            bytes.resize(size);
            random.fill(std::as_writable_bytes(std::span(bytes)));
            if (i == kContents - 1) bytes.replace(0, kChunkBytes, made[i - 1].bytes, 0, kChunkBytes);
            std::vector<Sha256Bytes> chunks;
            for (uint64_t chunk = 0; chunk < chunk_count(size); ++chunk)
                chunks.push_back(Sha256::of(std::string_view(bytes).substr(chunk * kChunkBytes, kChunkBytes)));
            made[i].record = {digest_of_chunks(chunks), size, false, chunks.size() > 1 ? chunks : decltype(chunks)()};
        }
        return made;
    }();
    return all;
}

std::string differences(const std::set<std::string>& have, const std::set<std::string>& want) {
    std::string all;
    for (const std::string& one : have) all += want.contains(one) ? "" : "too much: " + one + "\n";
    for (const std::string& one : want) all += have.contains(one) ? "" : "missing: " + one + "\n";
    return all;
}

/// Which content a path has.
using Tree = std::map<std::string, size_t>;

struct Written {
    std::string packed, id;
};
Written manifest_of(const Tree& tree) {
    const Fd file(::memfd_create("manifest", 0));
    const auto writer = store::ManifestWriter::create(system_fs(), file.get());
    for (const auto& [path, which] : tree) {
        const ContentRecord& record = contents()[which].record;
        store::ManifestEntry entry;
        entry.path = path, entry.size_bytes = record.size_bytes, entry.digest = record.digest;
        entry.chunks = record.chunks;
        REQUIRE(writer->add(entry));
    }
    const auto id = writer->finish();
    REQUIRE(id);
    std::string packed(static_cast<size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
    REQUIRE(::pread(file.get(), packed.data(), packed.size(), 0) == static_cast<ssize_t>(packed.size()));
    return {packed, id->str()};
}

struct Version {
    uint64_t number = 0;
    Tree tree;
};
struct Key {
    std::vector<Version> versions;  ///< newest last
    int64_t expires = 0;
};
/// An upload that has begun, as its client knows it.
struct Upload {
    std::string id, key;
    Tree tree;
    std::optional<uint64_t> if_version;
    bool force = false;
    int64_t spoken = 0;
};

class History {
  public:
    explicit History(uint64_t seed) : random_(seed), server_random_(seed), fs_(system_fs()) { start(); }

    void step() {
        clock_.advance_ns(static_cast<int64_t>(random_.below(3)) * 1'000'000'000);
        expire();
        if (fs_.failed()) will_fail_ = false;
        if (random_.below(20) == 0) {
            fs_.fail(1 + random_.below(30), random_.below(2) == 0 ? EIO : ENOSPC);
            will_fail_ = true;
        }
        switch (random_.below(24)) {
            case 0: return remove(false);
            case 1: return remove(true);
            case 2: return server_->look_after();
            case 3: return restart();
            case 4: return wait();
            case 5: return give_up();
            case 6:
            case 7: return list();
            case 8:
            case 9:
            case 10: return read();
            case 11:
            case 12:
            case 13: return begin();
            case 14: return whole_put();
            default: return go_on();
        }
    }
    /// Nothing is left to come: what is there is what keys need.
    void end() {
        no_faults();
        uploads_.clear();
        restart();
        for (int i = 0; i < 3; ++i) {
            clock_.advance_ns((kUploadIdleS + kGraceS) * 2'000'000'000);
            expire();
            server_->look_after();
        }
        for (const auto& [key, value] : keys_)
            for (const Version& version : value.versions) check_version(key, version);
        check_disk();
    }

  private:
    void start() {
        ServerOptions options;
        options.root = folder_.path() + "/root";
        options.listen = "127.0.0.1:0";
        options.keep_versions = kKeep;
        options.times.reader_grace_s = options.times.orphan_grace_s = kGraceS;
        options.times.upload_idle_s = kUploadIdleS;
        no_faults();
        auto opened =
            Server::open(std::move(options), Machine{fs_, clock_, server_random_, metrics_, log_, no_environment});
        if (!opened) FAIL(opened.error().line());
        server_ = std::move(*opened);
        connect();
        started_ = clock_.unix_s();
    }
    static std::string no_environment(const char*) { return ""; }
    void connect() {
        const std::string& url = server_->url();
        http_ = std::make_unique<PlainHttp>(static_cast<uint16_t>(std::stoul(url.substr(url.rfind(':') + 1))), "t");
    }
    void restart() {
        http_.reset();
        server_.reset();
        start();
    }
    /// Time goes by, less or more than graces.
    void wait() {
        clock_.advance_ns(static_cast<int64_t>(random_.below(2 * kGraceS)) * 1'000'000'000);
        expire();
    }

    PlainAnswer ask(std::string_view method, const std::string& target, std::string_view body = {}) {
        try {
            return http_->ask(method, target, body);
        } catch (const std::exception&) {
            connect();  // an answer whose body could not be made was cut off
            return {0, {}, ""};
        }
    }
    /// Whether it did not come about because the file system failed.
    bool failed(const PlainAnswer& answer) const {
        return will_fail_ && fs_.failed() && (answer.status == 0 || answer.status == 500 || answer.status == 507);
    }
    /// The same of an upload, which its client then gives up.
    bool failed(const PlainAnswer& answer, size_t which) {
        if (!failed(answer)) return false;
        (void)ask("DELETE", target_of("uploads", uploads_[which].key, "upload=" + uploads_[which].id));
        uploads_.erase(uploads_.begin() + static_cast<long>(which));
        return true;
    }
    void no_faults() {
        fs_.fail(0, 0);
        will_fail_ = false;
    }

    std::string any_key() { return kKeys[random_.below(std::size(kKeys))]; }
    uint64_t present(const std::string& key) const {
        const auto at = keys_.find(key);
        return at == keys_.end() ? 0 : at->second.versions.back().number;
    }
    void drop(const std::string& key) {
        removed_[key] = present(key);
        for (const Version& version : keys_[key].versions) retired_[{key, version.number}] = version.tree;
        keys_.erase(key);
    }
    void expire() {
        std::vector<std::string> over;
        for (const auto& [key, value] : keys_)
            if (value.expires > 0 && value.expires <= clock_.unix_s()) over.push_back(key);
        for (const std::string& key : over) drop(key);
    }

    void remove(bool recursive) {
        const std::string key = any_key();
        std::vector<std::string> gone;
        bool below = false;
        for (const auto& [one, value] : keys_) {
            const bool is_below = one.starts_with(key + "/");
            below = below || is_below;
            if (one == key || (recursive && is_below)) gone.push_back(one);
        }
        const auto answer = ask("DELETE", target_of("keys", key, recursive ? "recursive=1" : ""));
        if (gone.empty()) {
            CHECK(answer.status == (below ? 409 : 404));
            return;
        }
        REQUIRE(answer.status == 200);
        CHECK(answer.body == "{\"removed\":" + std::to_string(gone.size()) + "}\n");
        for (const std::string& one : gone) drop(one);
    }

    void list() {
        std::vector<std::string> found, wanted;
        std::string after;
        do {
            const auto answer = ask("GET", "/v1/keys?recursive=1&limit=2&after=" + uri_encode(after, false));
            REQUIRE(answer.status == 200);
            const auto page = parse_item_page(answer.body);
            REQUIRE(page);
            for (const Item& item : page->items) {
                found.push_back(item.key);
                CHECK(item.version == present(item.key));
                CHECK(item.versions == keys_[item.key].versions.size());
                CHECK(item.expires_unix_s == keys_[item.key].expires);
            }
            after = page->next;
        } while (!after.empty());
        for (const auto& [key, value] : keys_) wanted.push_back(key);
        CHECK(found == wanted);
    }

    void read() {
        const std::string key = any_key();
        if (random_.below(3) == 0 && !retired_.empty()) return read_retired();
        const auto at = keys_.find(key);
        if (at == keys_.end()) {
            CHECK(ask("GET", target_of("manifests", key)).status == 404);
            return;
        }
        check_version(key, at->second.versions[random_.below(at->second.versions.size())]);
    }
    /// There for its readers, or gone; never something else.
    void read_retired() {
        auto at = retired_.begin();
        std::advance(at, static_cast<long>(random_.below(retired_.size())));
        const auto& [version, tree] = *at;
        const std::string query = "version=" + std::to_string(version.second);
        const auto answer = ask("GET", target_of("manifests", version.first, query));
        CHECK((answer.status == 200 || answer.status == 410 || answer.status == 404));
        if (answer.status == 200) CHECK(answer.headers.at("zcdp-snapshot") == manifest_of(tree).id);
        else retired_.erase(at);
    }
    void check_version(const std::string& key, const Version& version) {
        const std::string query = "version=" + std::to_string(version.number);
        const auto manifest = ask("GET", target_of("manifests", key, query));
        REQUIRE(manifest.status == 200);
        CHECK(manifest.headers.at("zcdp-snapshot") == manifest_of(version.tree).id);
        std::string paths, wanted;
        for (const auto& [path, which] : version.tree) {
            const std::string& bytes = contents()[which].bytes;
            if (bytes.size() > kChunkBytes) {
                const auto file = ask("GET", target_of("files", key, query + "&path=" + uri_encode(path, false)));
                CHECK(file.body == bytes);
                continue;
            }
            paths += path + "\n";
            put_u64(wanted, bytes.size());
            wanted += bytes;
        }
        CHECK(ask("POST", target_of("files", key, query), paths).body == wanted);
    }

    Tree any_tree() {
        Tree tree;
        for (uint64_t i = random_.below(5); i > 0; --i) {
            const size_t which = random_.below(12) == 0 ? kContents - 1 - random_.below(2) : random_.below(8);
            tree["f" + std::to_string(random_.below(4)) + (random_.below(3) == 0 ? "/x" : "")] = which;
        }
        // A file cannot be a folder, too.
        std::erase_if(tree, [&](const auto& one) { return tree.contains(one.first + "/x"); });
        return tree;
    }
    void begin() {
        if (uploads_.size() >= 3) return go_on();
        Upload upload{"", any_key(), any_tree(), std::nullopt, random_.below(6) == 0, clock_.unix_s()};
        if (random_.below(3) == 0) upload.if_version = present(upload.key) + (random_.below(4) == 0);
        UploadIntent intent;
        intent.force = upload.force, intent.if_version = upload.if_version;
        for (const auto& [path, which] : upload.tree) ++intent.files, intent.bytes += contents()[which].bytes.size();
        if (random_.below(2) == 0) intent.snapshot = manifest_of(upload.tree).id;
        const auto answer = ask("POST", target_of("uploads", upload.key), intent.json());
        if (failed(answer)) return;
        const bool right = !upload.if_version || *upload.if_version == present(upload.key);
        REQUIRE(answer.status == (right ? 201 : 412));
        if (!right) return;
        const auto begun = parse_upload_begun(answer.body);
        REQUIRE(begun);
        CHECK(begun->version == present(upload.key));
        upload.id = begun->upload;
        uploads_.push_back(upload);
    }
    /// Whether the server has forgotten it; then so does the client.
    bool forgotten(const PlainAnswer& answer, size_t which) {
        Upload& upload = uploads_[which];
        const bool idle = clock_.unix_s() - upload.spoken >= kUploadIdleS || upload.spoken < started_;
        if (answer.status == 404) CHECK((idle || upload.spoken == started_));
        upload.spoken = clock_.unix_s();
        if (answer.status != 404) return false;
        uploads_.erase(uploads_.begin() + static_cast<long>(which));
        return true;
    }
    std::string step_target(const Upload& upload, const char* step) {
        return target_of("uploads", upload.key, "upload=" + upload.id + "&step=" + step);
    }
    /// Asks and sends some or all of what is missing; some of it with wrong bytes.
    void go_on() {
        if (uploads_.empty()) return begin();
        const size_t which = random_.below(uploads_.size());
        if (random_.below(4) == 0) return commit(which);
        (void)send(which, random_.below(3) == 0 ? 0.5 : 1.0);
    }
    bool send(size_t which, double part) {
        const Upload upload = uploads_[which];
        std::set<size_t> of;
        for (const auto& [path, content] : upload.tree) of.insert(content);
        std::string records;
        for (const size_t content : of) append_record(records, contents()[content].record);
        const auto missing = ask("POST", step_target(upload, "missing"), records + kRecordsEnd);
        if (failed(missing, which) || forgotten(missing, which)) return false;
        REQUIRE(missing.status == 200);
        std::string body;
        uint64_t bit = 0, sent = 0;
        bool wrong = false;
        for (const size_t content : of)
            for (uint64_t chunk = 0; chunk < contents()[content].record.chunk_total(); ++chunk, ++bit) {
                if ((missing.body.at(bit / 8) >> (bit % 8) & 1) == 0 || random_.unit() > part) continue;
                append_chunk(body, contents()[content], chunk);
                ++sent;
                if (part < 1 && random_.below(8) == 0) body.back() = static_cast<char>(body.back() ^ 1), wrong = true;
            }
        const auto answer = ask("POST", step_target(upload, "chunks"), body + kRecordsEnd);
        if (failed(answer, which) || forgotten(answer, which)) return false;
        REQUIRE(answer.status == (wrong ? 400 : 200));
        if (!wrong) CHECK(answer.body == "{\"chunks\":" + std::to_string(sent) + "}\n");
        return !wrong && part == 1;
    }
    static void append_chunk(std::string& body, const Content& content, uint64_t chunk) {
        const ContentRecord& record = content.record;
        const std::string_view bytes = std::string_view(content.bytes).substr(chunk * kChunkBytes, kChunkBytes);
        append_header(body, {record.digest, record.size_bytes, false, chunk,
                             record.chunks.empty() ? record.digest.bytes : record.chunks[chunk]});
        body += bytes;
    }
    void commit(size_t which) {
        const Upload upload = uploads_[which];
        const int64_t ttl = random_.below(4) == 0 ? static_cast<int64_t>(1 + random_.below(kGraceS)) : 0;
        const std::string target =
            step_target(upload, "commit") + (ttl > 0 ? "&ttl_s=" + std::to_string(ttl) : std::string());
        const auto answer = ask("POST", target, manifest_of(upload.tree).packed);
        if (failed(answer, which) || forgotten(answer, which)) return;
        const uint64_t now = present(upload.key);
        const bool right = !upload.if_version || *upload.if_version == now;
        // What was not sent is missing.
        CHECK((answer.status == (right ? 200 : 412) || answer.status == 409));
        if (answer.status != 200) return;
        uploads_.erase(uploads_.begin() + static_cast<long>(which));
        committed(upload, answer, ttl);
    }
    void committed(const Upload& upload, const PlainAnswer& answer, int64_t ttl) {
        const auto done = parse_committed(answer.body);
        REQUIRE(done);
        CHECK(done->snapshot == manifest_of(upload.tree).id);
        const uint64_t before = present(upload.key);
        const bool unchanged = before > 0 && keys_[upload.key].versions.back().tree == upload.tree && !upload.force;
        CHECK(done->unchanged == unchanged);
        keys_[upload.key].expires = ttl > 0 ? clock_.unix_s() + ttl : 0;
        if (unchanged) {
            CHECK(done->version == before);
            return;
        }
        CHECK(done->version == (before > 0 ? before : removed_[upload.key]) + 1);
        auto& versions = keys_[upload.key].versions;
        versions.push_back({done->version, upload.tree});
        if (versions.size() <= kKeep) return;
        retired_[{upload.key, versions.front().number}] = versions.front().tree;
        versions.erase(versions.begin());
    }
    /// From begin to commit without anybody between; that must succeed.
    void whole_put() {
        no_faults();
        const size_t before = uploads_.size();
        if (before >= 3) return;
        begin();
        if (uploads_.size() == before) return;
        REQUIRE(send(before, 1));
        const std::string key = uploads_.back().key;
        commit(before);
        CHECK(uploads_.size() == before);
        check_version(key, keys_[key].versions.back());
    }
    void give_up() {
        if (uploads_.empty()) return;
        const size_t which = random_.below(uploads_.size());
        const auto answer = ask("DELETE", target_of("uploads", uploads_[which].key, "upload=" + uploads_[which].id));
        if (forgotten(answer, which)) return;
        CHECK(answer.status == 200);
        uploads_.erase(uploads_.begin() + static_cast<long>(which));
    }

    /// snapshots/ and cas/ have what the kept versions need, and nothing else.
    void check_disk() {
        http_.reset();
        server_.reset();
        namespace fs = std::filesystem;
        std::set<std::string> snapshots, blobs, wanted_snapshots, wanted_blobs;
        const std::string root = folder_.path() + "/root";
        for (const auto& one : fs::directory_iterator(root + "/snapshots")) snapshots.insert(one.path().filename());
        for (const auto& one : fs::recursive_directory_iterator(root + "/cas"))
            if (one.is_regular_file()) blobs.insert(fs::relative(one.path(), root + "/cas"));
        for (const auto& [key, value] : keys_)
            for (const Version& version : value.versions) {
                wanted_snapshots.insert(manifest_of(version.tree).id);
                for (const auto& [path, which] : version.tree)
                    wanted_blobs.insert(store::blob_name(contents()[which].record.digest, false));
            }
        CHECK(differences(snapshots, wanted_snapshots) == "");
        CHECK(differences(blobs, wanted_blobs) == "");
        for (const auto& one : fs::directory_iterator(root + "/partial")) CHECK(one.path().filename() == "barrier");
        CHECK(fs::is_empty(root + "/staging"));
    }

    const zcdp::test::TempFolder folder_{/*in_memory=*/true};
    SeededRandom random_, server_random_;
    bool will_fail_ = false;  ///< a call of the file system, once
    zcdp::test::FaultyFs fs_;
    ManualClock clock_{1'800'000'000'000'000'000};
    Metrics metrics_;
    Logger log_{clock_, 2, LogLevel::off, LogFormat::text};
    std::unique_ptr<Server> server_;
    std::unique_ptr<PlainHttp> http_;
    int64_t started_ = 0;

    std::map<std::string, Key> keys_;
    std::map<std::string, uint64_t> removed_;
    std::map<std::pair<std::string, uint64_t>, Tree> retired_;
    std::vector<Upload> uploads_;
};

TEST_CASE("whatever is done to a data store, it answers what a model of it answers, and keeps what keys need") {
    const char* operations = std::getenv("ZCDP_OPERATIONS");
    const char* seed = std::getenv("ZCDP_SEED");
    constexpr uint64_t kSteps = 500;
    uint64_t left = operations ? std::strtoull(operations, nullptr, 10) : 2'000;
    for (uint64_t number = seed ? std::strtoull(seed, nullptr, 10) : 1; left > 0; ++number) {
        INFO("ZCDP_SEED=", number);
        History history(number);
        for (uint64_t i = 0; i < std::min(left, kSteps); ++i) history.step();
        history.end();
        left -= std::min(left, kSteps);
        if (seed) break;
    }
}

}  // namespace
}  // namespace zcdp::datastore
