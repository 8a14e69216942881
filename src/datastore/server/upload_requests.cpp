#include <fcntl.h>
#include <fmt/format.h>

#include "src/datastore/server/chunk_intake.hpp"
#include "src/datastore/server/commit.hpp"
#include "src/datastore/server/missing.hpp"
#include "src/datastore/server/requests.hpp"
#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint64_t kIntentBytesMax = 64 << 10;
constexpr uint64_t kMissingBytesMax = 64 << 20, kChunksBytesMax = 72 << 20;  ///< docs/formats.md
constexpr size_t kReceivedBytes = 256 << 10;
constexpr size_t kContentsAtOnce = 1'024;  ///< looked at in one go
constexpr uint64_t kManifestMemoryBytes = 1 << 20;
constexpr int kCreated = 201;

using Found = RecordReader::Found;

Error cut_off(const std::string& key) { return Error(ErrorKind::corrupt, "came with records that are cut off", key); }

Refused too_long(const std::string& key, uint64_t most) {
    return {kOverQuota, Error(ErrorKind::refused, fmt::format("came with a body of more than {} bytes", most), key)};
}

/// The records of a body, as they come. Thread rule: one coroutine.
class Records {
  public:
    Records(RequestBody& body, RecordReader::Bodies bodies, std::span<char> room, const std::string& key,
            uint64_t bytes_most)
        : body_(body), reader_(bodies), room_(room), key_(key), left_(bytes_most), most_(bytes_most) {}

    /// What is next, never `nothing`.
    Task<Answered<Found>> next() {
        while (true) {
            ZCDP_CO_TRY(const Found found, reader_.next());
            if (found != Found::nothing) co_return found;
            ZCDP_CO_TRY(const size_t got, co_await body_.read_some(room_));
            if (got == 0) co_return Refused(cut_off(key_));
            if (got > left_) co_return too_long(key_, most_);
            left_ -= got;
            ZCDP_CO_CHECK(reader_.feed({room_.data(), got}));
        }
    }
    /// After the end: nothing may follow.
    Task<Answered<>> end() {
        ZCDP_CO_TRY(const size_t got, co_await body_.read_some(room_));
        if (got > 0) co_return Refused(Error(ErrorKind::corrupt, "goes on after its records' end", key_));
        co_return Answered<>();
    }
    const RecordReader& reader() const { return reader_; }

  private:
    RequestBody& body_;
    RecordReader reader_;
    const std::span<char> room_;
    const std::string key_;
    uint64_t left_;
    const uint64_t most_;
};

}  // namespace

void UploadRequests::add_to(net::server::Router& router, const net::server::Access& access) {
    router.add("POST", "/v1/uploads/{key...}", handler_of(*this, &UploadRequests::post), access);
    router.add("DELETE", "/v1/uploads/{key...}", handler_of(*this, &UploadRequests::give_up), access);
}

Task<Answered<Response>> UploadRequests::post(Request& request, RequestBody& body) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::put));
    const std::string* id = request.query_value("upload");
    const std::string* step = request.query_value("step");
    if (!id && !step) co_return co_await begin(key, body);
    if (!id || !step) co_return Refused(Error(ErrorKind::refused, "needs ?upload= and &step=", key));
    ZCDP_CO_TRY(auto upload, uploads_.find(*id, key));
    if (*step == "missing")
        co_return co_await missing(std::move(upload), body, announced_bytes(request, kMissingBytesMax));
    if (*step == "chunks") co_return co_await chunks(std::move(upload), body);
    if (*step == "commit") {
        ZCDP_CO_TRY(const uint64_t ttl_s, number_or_0(request, "ttl_s"));
        co_return co_await commit(std::move(upload), body, ttl_s);
    }
    co_return Refused(Error(ErrorKind::refused, "has no step " + printable(*step), key));
}

Task<Answered<Response>> UploadRequests::give_up(Request& request, RequestBody&) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::put));
    const std::string* id = request.query_value("upload");
    ZCDP_CO_TRY(auto upload, uploads_.find(id ? *id : "", key));
    uploads_.end(upload->id);
    co_return json_response(200, "{}");
}

Task<Answered<Response>> UploadRequests::begin(std::string key, RequestBody& body) {
    ZCDP_CO_TRY(const std::string text, co_await body.all(kIntentBytesMax));
    ZCDP_CO_TRY(UploadIntent intent, parse_upload_intent(text));
    const auto begin_it = [&] { return begin_now(key, std::move(intent)); };
    ZCDP_CO_TRY(const UploadBegun begun, co_await offload(parts_.pool, begin_it));
    co_return json_response(kCreated, begun.json());
}

/// The version that the key has, 0 when it is not there.
Answered<uint64_t> UploadRequests::version_now(const std::string& key) {
    const auto item = parts_.keys->find(key, 0, parts_.now());
    if (item) return item->version;
    if (item.error().kind() == ErrorKind::not_found) return uint64_t{0};
    return item.error();
}

/// Before a byte travels: what cannot be is refused.
Answered<> UploadRequests::check_quotas(const std::string& key, const UploadIntent& intent, bool is_new, bool present) {
    const uint64_t bytes_most = parts_.options.quota_bytes;
    if (is_new && parts_.keys->is_full()) return Refused(kOverQuota, parts_.keys->quota_error(key));
    if (!present && bytes_most > 0 && intent.bytes > bytes_most)
        return Refused(kOverQuota,
                       Error(ErrorKind::no_space,
                             fmt::format("has {} bytes, and the store may have {} in all", intent.bytes, bytes_most),
                             key, "raise --quota of the server"));
    return {};
}

Answered<UploadBegun> UploadRequests::begin_now(const std::string& key, UploadIntent intent) {
    const auto id = store::SnapshotId::parse(intent.snapshot);
    if (!id && !intent.snapshot.empty()) return Error(ErrorKind::refused, "names a snapshot that is none", key);
    ZCDP_TRY(const uint64_t version, version_now(key));
    if (intent.if_version && *intent.if_version != version)
        return Refused(
            kPreconditionFailed,
            Error(ErrorKind::source_changed, fmt::format("has version {}, and not {}", version, *intent.if_version),
                  key, "another wrote it meanwhile: get it, and put again"));
    std::optional<SnapshotsInUse::Held> held;
    if (id) held.emplace(parts_.in_use, *id);
    const auto info = id ? parts_.store->get(*id) : Result<store::SnapshotInfo>(Error());
    const bool present = info && info->state == store::SnapshotState::ready;
    ZCDP_CHECK(check_quotas(key, intent, version == 0, present));
    ZCDP_TRY(const auto upload, uploads_.begin(key, std::move(intent), *parts_.store, parts_.quota));
    if (present) upload->keep_snapshot(std::move(*held));
    return UploadBegun{upload->id, present, version};
}

Task<Answered<Response>> UploadRequests::missing(Uploads::Speaking upload, RequestBody& body, uint64_t body_bytes) {
    auto share = std::make_shared<Budget::Share>(co_await parts_.budget.take(Missing::kMemoryBytes + body_bytes));
    std::string room(kReceivedBytes, '\0');
    Records records(body, RecordReader::Bodies::none, room, upload->key, kMissingBytesMax);
    const auto answer = std::make_shared<Missing>(parts_, std::move(upload));
    std::vector<ContentRecord> contents;
    while (true) {
        ZCDP_CO_TRY(const Found found, co_await records.next());
        if (found == Found::content) contents.push_back(records.reader().content());
        const auto look = [&] { answer->look(contents); };
        if (contents.size() == kContentsAtOnce || found == Found::end) {
            co_await offload(parts_.pool, look);
            contents.clear();
        }
        if (found == Found::end) break;
    }
    ZCDP_CO_CHECK(co_await records.end());
    const auto reserve = [&] { return answer->reserve(); };
    ZCDP_CO_CHECK(co_await offload(parts_.pool, reserve));
    Response response{200, "Content-Type: application/octet-stream\r\n",
                      [answer](net::server::BodySink& sink) { return answer->send(sink); }};
    response.produced_bytes = answer->answer_bytes();
    response.held = std::move(share);
    co_return response;
}

Task<Answered<Response>> UploadRequests::chunks(Uploads::Speaking upload, RequestBody& body) {
    const auto share = co_await parts_.budget.take(ChunkIntake::kMemoryBytes);
    ChunkIntake intake(parts_, *upload);
    Records records(body, RecordReader::Bodies::follow, intake.receiving(), upload->key, kChunksBytesMax);
    while (true) {
        ZCDP_CO_TRY(const Found found, co_await records.next());
        if (found == Found::end) break;
        if (found == Found::header) ZCDP_CO_CHECK(co_await intake.begin(records.reader().header()));
        else ZCDP_CO_CHECK(co_await intake.add(records.reader().bytes()));
    }
    ZCDP_CO_CHECK(co_await records.end());
    ZCDP_CO_CHECK(co_await intake.finish());
    co_return json_response(200, fmt::format("{{\"chunks\":{}}}", intake.chunks()));
}

/// Into a file without a name; none when it is empty.
Task<Answered<std::optional<Fd>>> UploadRequests::receive_manifest(std::string key, RequestBody& body) {
    const auto share = co_await parts_.budget.take(kManifestMemoryBytes);
    Fs& fs = parts_.machine.fs;
    const std::string path = parts_.store->root() + "/staging/manifest-" + parts_.machine.random.hex(32);
    std::optional<Fd> file;
    std::string room(kReceivedBytes, '\0');
    for (uint64_t at = 0;;) {
        ZCDP_CO_TRY(const size_t got, co_await body.read_some(room));
        if (got == 0) co_return std::move(file);
        if (at + got > Commit::kManifestBytesMax) co_return too_long(key, Commit::kManifestBytesMax);
        const auto write = [&]() -> Result<> {
            if (!file) {
                auto made = fs.open(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
                if (!made) return system_error(made.error(), "making", path);
                file = std::move(*made);
                (void)fs.unlink(AT_FDCWD, path.c_str());
            }
            if (auto put = fs.write(file->get(), std::as_bytes(std::span(room.data(), got)), at); !put)
                return system_error(put.error(), "writing", path);
            return {};
        };
        ZCDP_CO_CHECK(co_await offload(parts_.pool, write));
        at += got;
    }
}

Task<Answered<Response>> UploadRequests::commit(Uploads::Speaking upload, RequestBody& body, uint64_t ttl_s) {
    ZCDP_CO_TRY(const auto manifest, co_await receive_manifest(upload->key, body));
    const auto run = [&] { return Commit(parts_, *upload, ttl_s).run(manifest); };
    ZCDP_CO_TRY(const Committed committed, co_await offload(parts_.pool, run));
    co_return json_response(200, committed.json());
}

}  // namespace zcdp::datastore
