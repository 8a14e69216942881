// One upload against a server whose answers the test writes: what is asked, what is sent, and what is begun again.
#include "src/datastore/client/put_upload.hpp"

#include <map>
#include <set>

#include "tests/support/put_bench.hpp"
#include "tests/support/scripted_client.hpp"
#include "zcdp/datastore/records.hpp"

namespace zcdp::datastore {
namespace {

using test::ScriptedAnswer;
using test::ScriptedClient;

std::string body_of(const net::Request& request) {
    std::string body = request.body;
    for (const net::BodyPart& part : request.parts) {
        if (part.bytes) body += *part.bytes;
        if (!part.file) continue;
        std::string bytes(part.length_bytes, '\0');
        REQUIRE(system_fs().read(part.file->get(), std::as_writable_bytes(std::span(bytes)), part.offset_bytes));
        body += bytes;
    }
    CHECK(body.size() == request.body_bytes());
    return body;
}

/// What a server does with an upload, in memory.
struct Server {
    Result<ScriptedAnswer> answer(const net::Request& request) {
        const std::string& target = request.target;
        steps.push_back(request.method + " " + target.substr(0, target.find('?')) +
                        (target.find("step=") == target.npos ? "" : " " + target.substr(target.find("step=") + 5)));
        if (before_answer)
            if (auto instead = before_answer(steps.back())) return std::move(*instead);
        const bool known = target.find("upload=U" + std::to_string(uploads)) != target.npos;
        if (request.method == "DELETE") return ScriptedAnswer{};
        if (request.method == "GET") return look();
        if (target.find("upload=") == target.npos) return begin(request);
        if (!known) return Error(ErrorKind::not_found, "there is no such upload");
        if (steps.back().ends_with("missing")) return missing(body_of(request));
        if (steps.back().ends_with("chunks")) return chunks(body_of(request));
        return commit(body_of(request));
    }
    Result<ScriptedAnswer> look() const {
        if (version == 0) return Error(ErrorKind::not_found, "there is no such key");
        Item item;
        item.key = "a/key", item.version = version, item.snapshot = snapshot;
        return ScriptedAnswer{.status = 200, .body = item.json()};
    }
    Result<ScriptedAnswer> begin(const net::Request& request) {
        intent = parse_upload_intent(request.body).value();
        if (intent.if_version && *intent.if_version != version)
            return Error(ErrorKind::source_changed, "another version is there");
        UploadBegun begun;
        begun.upload = "U" + std::to_string(++uploads);
        begun.version = version;
        begun.present = !snapshot.empty() && snapshot == intent.snapshot;
        return ScriptedAnswer{.status = 201, .body = begun.json()};
    }
    Result<ScriptedAnswer> missing(const std::string& body) {
        RecordReader reader(RecordReader::Bodies::none);
        REQUIRE(reader.feed(body));
        std::string bits;
        uint64_t bit = 0;
        while (true) {
            const auto found = reader.next();
            REQUIRE(found);
            if (*found == RecordReader::Found::end) break;
            REQUIRE(*found == RecordReader::Found::content);
            const ContentRecord& content = reader.content();
            ++asked;
            for (uint64_t chunk = 0; chunk < content.chunk_total(); ++chunk, ++bit) {
                if (bit % 8 == 0) bits.push_back('\0');
                const Sha256Bytes& digest = content.chunks.empty() ? content.digest.bytes : content.chunks[chunk];
                if (!have.contains(digest)) bits.back() = static_cast<char>(bits.back() | 1 << bit % 8);
            }
        }
        return ScriptedAnswer{.status = 200, .body = bits};
    }
    Result<ScriptedAnswer> chunks(const std::string& body) {
        RecordReader reader(RecordReader::Bodies::follow);
        REQUIRE(reader.feed(body));
        std::string bytes;
        while (true) {
            const auto found = reader.next();
            REQUIRE(found);
            if (*found == RecordReader::Found::end) break;
            REQUIRE(*found != RecordReader::Found::nothing);
            if (*found == RecordReader::Found::bytes)
                bytes.append(reinterpret_cast<const char*>(reader.bytes().data()), reader.bytes().size());
            if (bytes.size() < reader.header().length()) continue;
            if (Sha256::of(bytes) != reader.header().chunk_digest)
                return Error(ErrorKind::corrupt, "is not what its digest says");
            ++received[reader.header().chunk_digest];
            have.insert(reader.header().chunk_digest);
            bytes.clear();
        }
        return ScriptedAnswer{.status = 200, .body = "{}"};
    }
    Result<ScriptedAnswer> commit(const std::string& manifest) {
        Committed committed;
        committed.key = "a/key";
        committed.unchanged = snapshot == intent.snapshot && !intent.force;
        version += committed.unchanged ? 0 : 1;
        committed.version = version;
        committed.snapshot = snapshot = intent.snapshot;
        manifest_bytes = manifest.size();
        return ScriptedAnswer{.status = 200, .body = committed.json()};
    }
    size_t count(const std::string& step) const {
        size_t count = 0;
        for (const std::string& one : steps) count += one.ends_with(step);
        return count;
    }

    /// Answers instead of the server; nullopt: it does.
    std::function<std::optional<Result<ScriptedAnswer>>(const std::string& step)> before_answer;
    std::vector<std::string> steps;
    UploadIntent intent;
    std::set<Sha256Bytes> have;
    std::map<Sha256Bytes, int> received;  ///< how often each came
    uint64_t version = 0, asked = 0, manifest_bytes = 0;
    int uploads = 0;
    std::string snapshot;
};

struct Bench : test::PutBench {
    Bench() {
        for (int i = 0; i < 50; ++i) write("s" + std::to_string(i), "content " + std::to_string(i % 40));
        write("empty", "");
        write("long", test::many_bytes((24 << 20) + 5));
        write("middle", test::many_bytes(1 << 20, 2));
        options.key = "a/key";
    }
    Result<Uploaded> put() {
        const PutSource tree = source();
        const auto prepared = prepare(tree);
        REQUIRE(prepared);
        return upload(tree, *prepared);
    }
    Result<Uploaded> upload(const PutSource& tree, const Prepared& prepared) {
        const auto make = [this](asio::any_io_executor) -> Result<std::unique_ptr<Client>> {
            return std::unique_ptr<Client>(
                std::make_unique<ScriptedClient>([this](const net::Request& one) { return server.answer(one); }));
        };
        changed = false;
        return run_upload(make, 4, options, tree, prepared, machine, progress, changed, {});
    }
    PutOptions options;
    Server server;
    bool changed = false;
};

}  // namespace

TEST_CASE_FIXTURE(Bench, "each distinct content is sent once, an empty one never, and the manifest ends it") {
    const auto done = put();
    REQUIRE(done);
    CHECK(done->version == 1);
    CHECK_FALSE(done->unchanged);
    CHECK(done->chunks_sent == 40 + 4 + 1);
    CHECK(server.received.size() == 45);
    for (const auto& [digest, times] : server.received) CHECK(times == 1);
    CHECK(server.asked == 42);
    CHECK(server.manifest_bytes > 0);
    CHECK(server.steps.front() == "POST /v1/uploads/a/key");
    CHECK(server.steps.back() == "POST /v1/uploads/a/key commit");
    CHECK(progress.bytes_done == progress.bytes_total);
    CHECK(done->bytes_sent == progress.bytes_done);
    CHECK(progress.objects_done == progress.objects_total);
}

TEST_CASE_FIXTURE(Bench, "only what is missing is sent, and nothing when the snapshot is there") {
    REQUIRE(put());
    server.received.clear();
    const auto again = put();
    REQUIRE(again);
    CHECK(again->unchanged);
    CHECK(again->version == 1);
    CHECK(again->chunks_sent == 0);
    CHECK(server.count("missing") == 1);
    CHECK(server.manifest_bytes == 0);
    write("new", "another content");
    const auto third = put();
    REQUIRE(third);
    CHECK(third->version == 2);
    CHECK(third->chunks_sent == 1);
    CHECK(third->bytes_sent == 15);
    CHECK(server.received.size() == 1);
}

TEST_CASE_FIXTURE(Bench, "what is wished for is said: force, the version that is to be replaced, a time to live") {
    REQUIRE(put());
    options.force = true;
    options.if_version = 1;
    options.ttl_s = 60;
    const auto forced = put();
    REQUIRE(forced);
    CHECK(forced->version == 2);
    CHECK(server.intent.force);
    CHECK(server.intent.files == 53);
    CHECK(server.steps.back().ends_with("commit&ttl_s=60"));
    const auto late = put();
    REQUIRE_FALSE(late);
    CHECK(late.error().kind() == ErrorKind::source_changed);
    CHECK_FALSE(changed);
    CHECK(server.version == 2);
}

TEST_CASE_FIXTURE(Bench, "a dry run sends nothing, and gives the upload up") {
    options.dry_run = true;
    const auto dry = put();
    REQUIRE(dry);
    CHECK(dry->chunks_sent == 45);
    CHECK(dry->version == 0);
    CHECK(server.received.empty());
    CHECK(server.steps.back() == "DELETE /v1/uploads/a/key");
    options.dry_run = false;
    REQUIRE(put());
    options.dry_run = true;
    const auto same = put();
    REQUIRE(same);
    CHECK(same->unchanged);
    CHECK(same->version == 1);
    CHECK(same->chunks_sent == 0);
}

TEST_CASE_FIXTURE(Bench, "an upload that the server has forgotten is begun again, and what it has is not sent again") {
    int left = 2;
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (step.ends_with("chunks") && server.received.size() >= 1 && left > 0) --left, ++server.uploads;
        return std::nullopt;
    };
    const auto done = put();
    REQUIRE(done);
    CHECK(done->version == 1);
    CHECK(server.count("POST /v1/uploads/a/key") > 1);
    CHECK(server.received.size() == 45);
    int most = 0;
    for (const auto& [digest, times] : server.received) most = std::max(most, times);
    CHECK(most == 1);
    left = 1;
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (step.ends_with("commit") && left-- > 0) ++server.uploads;
        return std::nullopt;
    };
    write("new", "x");
    CHECK(put()->version == 2);
}

TEST_CASE_FIXTURE(Bench, "a server that forgets every upload is an error in the end") {
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (step.ends_with("missing")) ++server.uploads;
        return std::nullopt;
    };
    const auto done = put();
    REQUIRE_FALSE(done);
    CHECK(done.error().kind() == ErrorKind::not_found);
    CHECK(server.count("POST /v1/uploads/a/key") == 20);
}

TEST_CASE_FIXTURE(Bench, "a commit whose answer was lost is found, and not made twice") {
    bool lost = true;
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (!step.ends_with("commit") || !lost) return std::nullopt;
        lost = false;
        (void)server.commit("");
        return Error(ErrorKind::unreachable, "the connection broke");
    };
    options.if_version = 0;
    options.force = true;
    const auto done = put();
    REQUIRE(done);
    CHECK(done->version == 1);
    CHECK(server.version == 1);
    CHECK(server.count("commit") == 1);
}

TEST_CASE_FIXTURE(Bench, "a commit that never came to the server is made again") {
    bool lost = true;
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (!step.ends_with("commit") || !std::exchange(lost, false)) return std::nullopt;
        return Error(ErrorKind::unreachable, "the connection broke");
    };
    const auto done = put();
    REQUIRE(done);
    CHECK(done->version == 1);
    CHECK(server.count("commit") == 2);
}

TEST_CASE_FIXTURE(Bench, "chunks that are gone at the commit are sent again") {
    bool gone = true;
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (!step.ends_with("commit") || !std::exchange(gone, false)) return std::nullopt;
        server.have.erase(server.have.begin());
        return Error(ErrorKind::source_changed, "a chunk is missing");
    };
    const auto done = put();
    REQUIRE(done);
    CHECK(done->version == 1);
    CHECK(done->chunks_sent == 1);
}

TEST_CASE_FIXTURE(Bench, "a file that is not what was hashed is found by its times, or by its bytes, and named") {
    for (const bool same_times : {false, true}) {
        const PutSource tree = source();
        auto prepared = prepare(tree);
        REQUIRE(prepared);
        const bool longer = !same_times;
        if (longer) write("middle", test::many_bytes((1 << 20) + 1, 3));
        // What nothing but the bytes betrays: as if written within the clock's grain.
        if (same_times) {
            fs.before_read = [&](uint64_t) {};
            std::fstream file(path("tree/long"), std::ios::in | std::ios::out);
            file.seekp(10 << 20);
            file << "other bytes";
            file.close();
            std::vector<PutEntry> all = entries(prepared->list);
            auto rewritten = fs.open(AT_FDCWD, folder.path().c_str(), O_TMPFILE | O_RDWR, 0600);
            REQUIRE(rewritten);
            PutListWriter writer(fs, rewritten->get());
            auto cache = DigestCache::none(machine);
            const auto now = list(tree, cache);
            const auto listed = entries(*now);
            for (size_t i = 0; i < all.size(); ++i) {
                all[i].tag = listed[i].tag;
                REQUIRE(writer.add(all[i]));
            }
            REQUIRE(writer.finish());
            prepared->list.file = std::move(*rewritten);
        }
        server = {};
        const auto done = upload(tree, *prepared);
        REQUIRE_FALSE(done);
        CHECK(changed);
        CHECK(done.error().kind() == ErrorKind::source_changed);
        CHECK(done.error().object() == path(same_times ? "tree/long" : "tree/middle"));
        CHECK(server.version == 0);
        CHECK(server.steps.back() == "DELETE /v1/uploads/a/key");
        if (longer) write("middle", test::many_bytes(1 << 20, 2));
    }
}

TEST_CASE_FIXTURE(Bench,
                  "bytes that were damaged on their way are sent once more; if they are again, that is an error") {
    int damaged = 1;
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (!step.ends_with("chunks") || damaged-- <= 0) return std::nullopt;
        return Error(ErrorKind::corrupt, "is not what its digest says");
    };
    CHECK(put());
    damaged = 1000;
    server.have.clear(), server.snapshot.clear();
    const auto done = put();
    REQUIRE_FALSE(done);
    CHECK(done.error().kind() == ErrorKind::corrupt);
    CHECK_FALSE(changed);
}

TEST_CASE_FIXTURE(Bench, "an error of one request ends the upload with it") {
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (!step.ends_with("chunks")) return std::nullopt;
        return Error(ErrorKind::no_space, "the store is full");
    };
    const auto done = put();
    REQUIRE_FALSE(done);
    CHECK(done.error().kind() == ErrorKind::no_space);
    CHECK(server.count("commit") == 0);
    CHECK(server.steps.back() == "DELETE /v1/uploads/a/key");
}

TEST_CASE_FIXTURE(Bench, "an answer that does not fit the question is an error") {
    server.before_answer = [&](const std::string& step) -> std::optional<Result<ScriptedAnswer>> {
        if (!step.ends_with("missing")) return std::nullopt;
        return ScriptedAnswer{.status = 200, .body = "x"};
    };
    const auto done = put();
    REQUIRE_FALSE(done);
    CHECK(done.error().kind() == ErrorKind::corrupt);
}

}  // namespace zcdp::datastore
