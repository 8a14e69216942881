// A window of pieces is under way: each is read by a task of its own, and they are written in their order. A piece is a
// chunk, or a whole short file, with what a tar stream has before and after it.
#include "src/datastore/client/stream.hpp"

#include <boost/asio/redirect_error.hpp>

#include "src/datastore/client/store_origin.hpp"
#include "src/datastore/client/tar.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint64_t kWindowBytes = 4 * kChunkBytes;
constexpr size_t kWindowPieces = 512;
constexpr int kReadsOfDamaged = 3;

struct Piece {
    std::string before, after;
    origin::ReadSpec read;  ///< of no bytes: there is nothing to read
    Sha256Bytes digest{};
    std::vector<std::byte> bytes;
    bool is_done = false;
    Result<> outcome;
};

class Streamer {
  public:
    Streamer(std::shared_ptr<Source> source, const sync::Filter& filter, bool bare, Machine machine,
             sync::Progress& progress, const ByteSink& take)
        : source_(std::move(source)),
          filter_(filter),
          bare_(bare),
          machine_(machine),
          progress_(progress),
          take_(take),
          wake_(loop_.executor()) {}

    Result<Streamed> run(const ServerAccess& access, std::stop_token stop);

  private:
    Task<> write_all();
    Task<Result<>> write_pieces();
    Task<Result<>> fill_window();
    Task<Result<bool>> next_entry();
    void begin_piece();
    Task<> read_piece(std::shared_ptr<Piece> piece);
    Task<Result<>> read_verified(Piece& piece);
    Task<Result<>> read_whole(origin::ReadSpec spec, std::span<std::byte> into);
    Task<> until_done(const Piece& piece);
    Result<> write(const Piece& piece);

    std::shared_ptr<Source> source_;
    const sync::Filter& filter_;
    const bool bare_;
    Machine machine_;
    sync::Progress& progress_;
    const ByteSink& take_;

    transfer::Loop loop_;
    asio::thread_pool writer_{1};
    std::unique_ptr<Client> client_;
    std::unique_ptr<origin::Origin> origin_;
    std::unique_ptr<SourceListing> listing_;
    asio::steady_timer wake_;
    std::stop_source ending_;
    Result<> outcome_ = Error(ErrorKind::interrupted, "stopped");
    Streamed streamed_;

    std::vector<SourceEntry> page_;
    size_t at_ = 0;            ///< in the page: the entry whose pieces are begun
    uint64_t next_chunk_ = 0;  ///< of it
    bool listed_ = false;
    std::deque<std::shared_ptr<Piece>> window_;
    uint64_t window_bytes_ = 0;
};

Result<Streamed> Streamer::run(const ServerAccess& access, std::stop_token stop) {
    ZCDP_TRY(client_, make_client(loop_.executor(), access, machine_));
    ZCDP_TRY(origin_, make_store_origin_factory(source_, access, machine_)(loop_.executor()));
    listing_ = source_->list(*client_);
    progress_.phase = sync::Phase::fetching;
    loop_.spawn(write_all());
    const std::stop_callback on_stop(std::move(stop), [this] { ending_.request_stop(); });
    loop_.run(ending_.get_token());
    ZCDP_CHECK(std::move(outcome_));
    progress_.phase = sync::Phase::done;
    return streamed_;
}

Task<> Streamer::write_all() {
    outcome_ = co_await write_pieces();
    ending_.request_stop();
}

Task<Result<>> Streamer::write_pieces() {
    while (true) {
        ZCDP_CO_CHECK(co_await fill_window());
        if (window_.empty()) break;
        const auto piece = window_.front();
        co_await until_done(*piece);
        ZCDP_CO_CHECK(std::move(piece->outcome));
        ZCDP_CO_CHECK(co_await offload(writer_, [this, &piece] { return write(*piece); }));
        window_bytes_ -= piece->read.length_bytes;
        window_.pop_front();
    }
    if (bare_) co_return Result<>();
    const std::string end = tar_end();
    co_return co_await offload(writer_, [this, &end] { return take_(std::as_bytes(std::span(end))); });
}

Task<Result<>> Streamer::fill_window() {
    while (window_.size() < kWindowPieces && window_bytes_ < kWindowBytes) {
        ZCDP_CO_TRY(const bool more, co_await next_entry());
        if (!more) break;
        begin_piece();
    }
    co_return Result<>();
}

/// Whether there is an entry with a piece that was not begun.
Task<Result<bool>> Streamer::next_entry() {
    while (!listed_) {
        if (at_ == page_.size()) {
            ZCDP_CO_TRY(page_, co_await listing_->next());
            at_ = 0;
            if ((listed_ = page_.empty())) break;
        }
        if (next_chunk_ > 0 || filter_.wants(page_[at_].entry.path)) co_return true;
        ++at_;
    }
    co_return false;
}

void Streamer::begin_piece() {
    const store::ManifestEntry& entry = page_[at_].entry;
    auto piece = std::make_shared<Piece>();
    const bool is_file = entry.kind == store::FileKind::file;
    const uint64_t chunks = is_file ? chunk_count(entry.size_bytes) : 1;
    if (!bare_ && next_chunk_ == 0) piece->before = tar_header(entry);
    if (is_file) {
        piece->read = {entry.path, Tag(entry.digest.str()), entry.size_bytes, next_chunk_ * kChunkBytes,
                       chunk_length(entry.size_bytes, next_chunk_)};
        piece->digest = chunks == 1 ? entry.digest.bytes : entry.chunks[next_chunk_];
        progress_.bytes_total += piece->read.length_bytes;
    }
    if (++next_chunk_ == chunks) {
        if (!bare_ && is_file) piece->after = tar_padding(entry.size_bytes);
        if (is_file) ++streamed_.files, streamed_.bytes += entry.size_bytes, ++progress_.objects_total;
        next_chunk_ = 0, ++at_;
    }
    window_bytes_ += piece->read.length_bytes;
    window_.push_back(piece);
    if (piece->read.length_bytes > 0) loop_.spawn(read_piece(std::move(piece)));
    else piece->is_done = true;
}

Task<> Streamer::read_piece(std::shared_ptr<Piece> piece) {
    piece->outcome = co_await read_verified(*piece);
    piece->is_done = true;
    wake_.cancel();
}

Task<Result<>> Streamer::read_verified(Piece& piece) {
    piece.bytes.resize(piece.read.length_bytes);
    for (int reads = 1;; ++reads) {
        ZCDP_CO_CHECK(co_await read_whole(piece.read, piece.bytes));
        if (Sha256::of(piece.bytes) == piece.digest) co_return Result<>();
        if (reads == kReadsOfDamaged)
            co_return Error(ErrorKind::corrupt, "other bytes come than its manifest says", piece.read.path);
        machine_.log.warn("damaged on its way, reading it again", {{"object", piece.read.path}});
    }
}

Task<Result<>> Streamer::read_whole(origin::ReadSpec spec, std::span<std::byte> into) {
    ZCDP_CO_TRY(const auto body, co_await origin_->read(std::move(spec)));
    uint32_t attempt = 0;
    while (!into.empty()) {
        auto got = co_await body->read_some(into);
        if (got && *got > 0) into = into.subspan(*got);
        else
            ZCDP_CO_CHECK(
                co_await body->resume(got ? Error(ErrorKind::unreachable, "ended early") : got.error(), ++attempt));
    }
    co_return Result<>();
}

Task<> Streamer::until_done(const Piece& piece) {
    while (!piece.is_done) {
        wake_.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code woken;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
}

/// On the writer's thread.
Result<> Streamer::write(const Piece& piece) {
    if (!piece.before.empty()) ZCDP_CHECK(take_(std::as_bytes(std::span(piece.before))));
    if (!piece.bytes.empty()) ZCDP_CHECK(take_(piece.bytes));
    if (!piece.after.empty()) ZCDP_CHECK(take_(std::as_bytes(std::span(piece.after))));
    progress_.bytes_done += piece.bytes.size();
    return {};
}

}  // namespace

Result<Streamed> stream_source(std::shared_ptr<Source> source, const ServerAccess& access, const sync::Filter& filter,
                               bool bare, Machine machine, sync::Progress& progress, const ByteSink& take,
                               std::stop_token stop) {
    return Streamer(std::move(source), filter, bare, machine, progress, take).run(access, std::move(stop));
}

}  // namespace zcdp::datastore
