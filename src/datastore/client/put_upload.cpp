#include "src/datastore/client/put_upload.hpp"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <functional>

#include "src/datastore/client/on_a_loop.hpp"
#include "src/datastore/client/put_body.hpp"
#include "src/datastore/client/put_feed.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kAnswerBytesMost = 64 << 10, kBitsBytesMost = 8 << 20;
constexpr uint64_t kHeldBytesMost = 40 << 20;  ///< of short files, in requests under way
constexpr uint32_t kSilenceMs = 120'000;       ///< for a body to be verified and made durable, or to move at all
constexpr unsigned kReadThreads = 2;
/// A server that forgets so many uploads in a row will forget the next one, too.
constexpr unsigned kBeginningsMost = 20;

bool is_broken(ErrorKind kind) { return kind == ErrorKind::unreachable || kind == ErrorKind::timeout; }

/// Calls it at the end of a scope, however that is left.
class AtEnd {
  public:
    explicit AtEnd(std::function<void()> call) : call_(std::move(call)) {}
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    ~AtEnd() { call_(); }

  private:
    std::function<void()> call_;
};

/// Outlives its tasks, which are the loop's.
class Upload {
  public:
    Upload(transfer::Loop& loop, Client& client, uint32_t connections, const PutOptions& options,
           const PutSource& source, const Prepared& prepared, Machine machine, sync::Progress& progress)
        : loop_(loop),
          client_(client),
          connections_(std::max(connections, 1u)),
          options_(options),
          source_(source),
          prepared_(prepared),
          machine_(machine),
          progress_(progress),
          pool_(kReadThreads),
          turn_(loop.executor(), 1),
          held_(loop.executor(), kHeldBytesMost),
          all_sent_(loop.executor()) {}
    ~Upload() { pool_.join(); }

    Task<Result<Uploaded>> run();
    /// A file is not what was hashed.
    bool source_changed() const { return source_changed_; }

  private:
    Task<Result<Uploaded>> attempt();
    Task<Result<UploadBegun>> begin();
    Task<Result<>> send_missing();
    Task<> send_bodies();
    Task<Result<>> send_next(bool& more);
    Task<Result<>> send(Pieces pieces);
    Task<Result<std::string>> post(Pieces pieces);
    Task<Result<>> count_missing();
    Task<Result<Uploaded>> commit();
    Task<Result<std::optional<Item>>> look();
    Task<Result<bool>> was_committed();
    Task<> give_up();

    net::Request request(std::string method, const std::string& query) const;
    Task<Result<std::string>> ask_missing(std::string records);
    void count(const Pieces& pieces);

    transfer::Loop& loop_;
    Client& client_;
    const uint32_t connections_;
    const PutOptions& options_;
    const PutSource& source_;
    const Prepared& prepared_;
    Machine machine_;
    sync::Progress& progress_;
    asio::thread_pool pool_;
    Semaphore turn_, held_;  ///< who asks the feed; bytes in memory
    UploadBegun begun_;
    Uploaded uploaded_;
    std::unique_ptr<Feed> feed_;
    uint32_t sending_ = 0;  ///< tasks that send
    asio::steady_timer all_sent_;
    Result<> failed_;         ///< the first error of theirs
    bool forgotten_ = false;  ///< the server does not know the upload any more
    bool source_changed_ = false;
};

net::Request Upload::request(std::string method, const std::string& query) const {
    net::Request request;
    request.method = std::move(method);
    request.target = target_of("uploads", options_.key, query);
    return request;
}

Task<Result<Uploaded>> Upload::run() {
    for (unsigned beginnings = 1;; ++beginnings) {
        forgotten_ = source_changed_ = false;
        auto done = co_await attempt();
        if (!done && forgotten_ && beginnings < kBeginningsMost) {
            machine_.log.info("the upload begins again", {{"key", options_.key}, {"error", done.error().line()}});
            continue;
        }
        if (options_.dry_run || (!done && !is_broken(done.error().kind()))) co_await give_up();
        co_return done;
    }
}

Task<Result<Uploaded>> Upload::attempt() {
    begun_ = {}, uploaded_ = {}, failed_ = {};
    ZCDP_CO_TRY(begun_, co_await begin());
    progress_.objects_done = 0, progress_.bytes_done = 0;
    progress_.objects_total = begun_.present ? 0 : prepared_.totals.files;
    progress_.bytes_total = begun_.present ? 0 : prepared_.totals.bytes;
    progress_.phase = sync::Phase::sending;
    if (!begun_.present) {
        auto sent = options_.dry_run ? co_await count_missing() : co_await send_missing();
        forgotten_ = !sent && sent.error().kind() == ErrorKind::not_found;
        if (!sent) co_return std::move(sent).error();
    }
    if (!options_.dry_run) co_return co_await commit();
    ZCDP_CO_TRY(const auto item, co_await look());
    uploaded_.version = begun_.version;
    uploaded_.unchanged = item && item->snapshot == prepared_.snapshot.str() && !options_.force;
    co_return uploaded_;
}

Task<Result<UploadBegun>> Upload::begin() {
    net::Request begin = request("POST", "");
    begin.headers.emplace_back("Content-Type", "application/json");
    const UploadIntent intent{source_.is_file() ? KeyKind::file : KeyKind::tree,
                              prepared_.totals.files,
                              prepared_.totals.bytes,
                              prepared_.snapshot.str(),
                              options_.if_version,
                              options_.force};
    begin.body = intent.json();
    auto answer = co_await client_.ask(std::move(begin), kAnswerBytesMost, /*may_repeat=*/true);
    if (answer) co_return parse_upload_begun(*answer);
    if (!options_.if_version || answer.error().kind() != ErrorKind::source_changed) co_return answer.error();
    co_return Error(ErrorKind::source_changed,
                    *options_.if_version == 0 ? "is there already"
                                              : fmt::format("another wrote it since version {}", *options_.if_version),
                    options_.key, "get what is there now, and put with the --if-version of that");
}

Task<Result<std::string>> Upload::ask_missing(std::string records) {
    net::Request ask = request("POST", "upload=" + uri_encode(begun_.upload, false) + "&step=missing");
    ask.parts.push_back({std::make_shared<const std::string>(std::move(records)), nullptr, 0, 0});
    return client_.ask(std::move(ask), kBitsBytesMost, /*may_repeat=*/true);
}

Task<Result<>> Upload::count_missing() {
    feed_ = std::make_unique<Feed>(
        prepared_.list, machine_.fs, pool_, [this](std::string records) { return ask_missing(std::move(records)); },
        progress_);
    while (true) {
        ZCDP_CO_TRY(const Pieces pieces, co_await feed_->next());
        if (pieces.empty()) co_return Result<>();
        count(pieces);
    }
}

Task<Result<>> Upload::send_missing() {
    feed_ = std::make_unique<Feed>(
        prepared_.list, machine_.fs, pool_, [this](std::string records) { return ask_missing(std::move(records)); },
        progress_);
    all_sent_.expires_at(asio::steady_timer::time_point::max());
    sending_ = connections_;
    for (uint32_t i = 0; i < connections_; ++i) loop_.spawn(send_bodies());
    boost::system::error_code woken;
    while (sending_ > 0) co_await all_sent_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    co_return std::exchange(failed_, {});
}

/// One of those that send, until there is no more or one of them has failed.
Task<> Upload::send_bodies() {
    const AtEnd leave([this] {
        if (--sending_ == 0) all_sent_.cancel();
    });
    for (bool more = true; more && failed_;) {
        auto sent = co_await send_next(more);
        if (!sent && failed_) failed_ = std::move(sent);
    }
}

Task<Result<>> Upload::send_next(bool& more) {
    Pieces pieces;
    {
        co_await turn_.acquire();
        const AtEnd done([this] { turn_.release(); });
        ZCDP_CO_TRY(pieces, co_await feed_->next());
    }
    more = !pieces.empty();
    co_return more ? co_await send(std::move(pieces)) : Result<>();
}

Task<Result<>> Upload::send(Pieces pieces) {
    const uint64_t held_bytes = std::min(held_bytes_of(pieces), kHeldBytesMost);
    co_await held_.acquire(held_bytes);
    const AtEnd done([this, held_bytes] { held_.release(held_bytes); });
    for (bool again = false;; again = true) {
        auto answer = co_await post(pieces);
        if (answer) break;
        const ErrorKind kind = answer.error().kind();
        source_changed_ = source_changed_ || kind == ErrorKind::source_changed;
        if (kind != ErrorKind::corrupt || again) co_return std::move(answer).error();
        auto same = co_await offload(pool_, [&] { return check_unchanged(source_, machine_.fs, pieces); });
        source_changed_ = source_changed_ || (!same && same.error().kind() == ErrorKind::source_changed);
        if (!same) co_return same;
    }
    count(pieces);
    co_return Result<>();
}

Task<Result<std::string>> Upload::post(Pieces pieces) {
    ZCDP_CO_TRY(auto parts, co_await offload(pool_, [&] { return make_body(source_, machine_.fs, pieces); }));
    net::Request chunks = request("POST", "upload=" + uri_encode(begun_.upload, false) + "&step=chunks");
    chunks.parts = std::move(parts);
    chunks.silence_ms = kSilenceMs;
    ++progress_.connections;
    const AtEnd done([this] { --progress_.connections; });
    co_return co_await client_.ask(std::move(chunks), kAnswerBytesMost, /*may_repeat=*/true);
}

void Upload::count(const Pieces& pieces) {
    for (const Piece& piece : pieces) {
        uploaded_.bytes_sent += piece.length_bytes();
        progress_.bytes_done += piece.length_bytes();
        const bool last = piece.chunk + 1 == chunk_count(piece.file->entry.size_bytes);
        if (last) ++progress_.objects_done;
    }
    uploaded_.chunks_sent += pieces.size();
}

Task<Result<Uploaded>> Upload::commit() {
    std::string query = "upload=" + uri_encode(begun_.upload, false) + "&step=commit";
    if (options_.ttl_s) query += fmt::format("&ttl_s={}", *options_.ttl_s);
    net::Request commit = request("POST", query);
    if (!begun_.present) commit.parts.push_back({nullptr, prepared_.manifest, 0, prepared_.manifest_bytes});
    auto answer = co_await client_.ask(std::move(commit), kAnswerBytesMost);
    if (!answer) {
        const ErrorKind kind = answer.error().kind();
        // Whether it was committed nobody said.
        if (is_broken(kind)) {
            ZCDP_CO_TRY(const bool was, co_await was_committed());
            if (was) co_return uploaded_;
        }
        // Also when chunks are gone that were there, or another was quicker: the beginning of the next tells which.
        forgotten_ = is_broken(kind) || kind == ErrorKind::not_found || kind == ErrorKind::source_changed;
        co_return std::move(answer).error();
    }
    ZCDP_CO_TRY(const Committed committed, parse_committed(*answer));
    uploaded_.version = committed.version, uploaded_.unchanged = committed.unchanged;
    co_return uploaded_;
}

/// What the key points at now.
Task<Result<std::optional<Item>>> Upload::look() {
    net::Request ask;
    ask.target = target_of("keys", options_.key);
    auto answer = co_await client_.ask(std::move(ask), kAnswerBytesMost);
    if (!answer && answer.error().kind() == ErrorKind::not_found) co_return std::optional<Item>();
    if (!answer) co_return std::move(answer).error();
    ZCDP_CO_TRY(Item item, parse_item(*answer));
    co_return std::optional<Item>(std::move(item));
}

/// Whether the key has what was to be committed under a version that it had not before.
Task<Result<bool>> Upload::was_committed() {
    ZCDP_CO_TRY(const auto item, co_await look());
    if (!item || item->version <= begun_.version || item->snapshot != prepared_.snapshot.str()) co_return false;
    uploaded_.version = item->version;
    co_return true;
}

/// What the server keeps for the upload may go. That it cannot be told is no error: it goes by itself in time.
Task<> Upload::give_up() {
    if (begun_.upload.empty()) co_return;
    (void)co_await client_.ask(request("DELETE", "upload=" + uri_encode(begun_.upload, false)), kAnswerBytesMost);
}

}  // namespace

Result<Uploaded> run_upload(const MakeClient& make_client, uint32_t connections, const PutOptions& options,
                            const PutSource& source, const Prepared& prepared, Machine machine,
                            sync::Progress& progress, bool& changed, std::stop_token stop) {
    transfer::Loop loop;
    ZCDP_TRY(const auto client, make_client(loop.executor()));
    Upload upload(loop, *client, connections, options, source, prepared, machine, progress);
    Result<Uploaded> done = Error(ErrorKind::interrupted, "stopped while sending", options.key,
                                  "run the same command again: it goes on where it was");
    loop.spawn(keep_answer(upload.run(), done));
    loop.run(std::move(stop));
    changed = upload.source_changed();
    return done;
}

}  // namespace zcdp::datastore
