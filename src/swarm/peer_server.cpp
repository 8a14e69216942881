#include "zcdp/swarm/peer_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "zcdp/base/base64.hpp"
#include "zcdp/base/bell.hpp"

namespace zcdp::swarm {
namespace {

using net::server::BodySink;
using net::server::Request;
using net::server::Response;

constexpr size_t kSendBytes = 256 << 10;
constexpr const char* kBytesHeader = "Content-Type: application/octet-stream\r\n";

Response plain(int status, std::string text) {
    return {status, "Content-Type: text/plain\r\n", std::move(text) + "\n"};
}

std::optional<uint64_t> number(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<uint64_t> number_of(const Request& request, std::string_view name) {
    const std::string* text = request.query_value(name);
    return text ? number(*text) : std::nullopt;
}

/// What a reader holds is let go on the pool, where that may block.
std::shared_ptr<PieceReader> ending_on(asio::thread_pool& pool, std::unique_ptr<PieceReader> reader) {
    return {reader.release(),
            [&pool](PieceReader* ended) { asio::post(pool, [owned = std::unique_ptr<PieceReader>(ended)] {}); }};
}

/// What is gone is gone; what cannot be read is not said to be.
Response not_given(const Error& error) {
    if (error.kind() == ErrorKind::not_found) return plain(404, "that is not here any more");
    return plain(500, "that cannot be read");
}

}  // namespace

/// One that asks for a piece, until its answer's last byte; from some time on it has one of the slots.
class PeerServer::Asking {
  public:
    Asking(PeerServer& server, std::shared_ptr<Share> share, std::string who)
        : server_(server), share_(std::move(share)), who_(std::move(who)) {
        const MutexLock lock(server_.mutex_);
        ++server_.asking_[who_];
        share_->tell_load(++server_.load_);
    }
    ~Asking() {
        {
            const MutexLock lock(server_.mutex_);
            server_.sending_ -= has_slot_;
            if (--server_.asking_[who_] == 0) server_.asking_.erase(who_);
            share_->tell_load(--server_.load_);
        }
        server_.slot_free_->ring();
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

    void has_slot() { has_slot_ = true; }

  private:
    PeerServer& server_;
    const std::shared_ptr<Share> share_;
    const std::string who_;
    bool has_slot_ = false;
};

PeerServer::PeerServer(asio::thread_pool& disk, PeerServerOptions options)
    : disk_(disk),
      options_(options),
      pace_(options.rate ? options.rate->bytes_per_second : 0),
      slot_free_(std::make_unique<Bell>()) {
    router_.add("GET", std::string(kNewsPattern),
                [this](Request& request, net::server::RequestBody&) { return news(request); });
    router_.add("GET", std::string(kPiecePattern),
                [this](Request& request, net::server::RequestBody&) { return piece(request); });
    router_.add("GET", std::string(kManifestPattern),
                [this](Request& request, net::server::RequestBody&) { return manifest(request); });
}

PeerServer::~PeerServer() = default;

void PeerServer::add(const std::string& swarm, std::shared_ptr<Share> share) {
    const MutexLock lock(mutex_);
    if (!is_closed_) shares_.insert_or_assign(swarm, std::move(share));
}

void PeerServer::remove(const std::string& swarm) {
    const MutexLock lock(mutex_);
    const auto at = shares_.find(swarm);
    if (at == shares_.end()) return;
    at->second->close();
    shares_.erase(at);
}

void PeerServer::close() {
    {
        const MutexLock lock(mutex_);
        is_closed_ = true;
        for (const auto& [name, share] : shares_) share->close();
        shares_.clear();
    }
    slot_free_->ring();
}

std::shared_ptr<Share> PeerServer::find(std::string_view swarm) const {
    const MutexLock lock(mutex_);
    const auto at = shares_.find(swarm);
    return at == shares_.end() ? nullptr : at->second;
}

net::server::Handler PeerServer::handler() {
    return [this](Request& request, net::server::RequestBody& body) { return router_.route(request, body); };
}

Task<Response> PeerServer::news(Request& request) {
    const auto share = find(request.parameter("swarm"));
    if (!share) co_return plain(404, "no such swarm is here");
    const auto version = number_of(request, "version"), wait_ms = number_of(request, "wait_ms");
    if (!version || !wait_ms) co_return plain(400, "write ?version=N&wait_ms=N");
    const auto news = co_await share->news_after(*version, std::min(*wait_ms, options_.news_wait_ms_most));
    if (!news) co_return Response{204, "", ""};
    co_return Response{200, kBytesHeader, news->encode()};
}

/// A place among those who wait for a slot.
class PeerServer::Waiting {
  public:
    Waiting(PeerServer& server, uint32_t times_sent) : server_(server) {
        const MutexLock lock(server_.mutex_);
        place_ = {times_sent, server_.asked_++};
        server_.waiting_.insert(place_);
    }
    ~Waiting() {
        {
            const MutexLock lock(server_.mutex_);
            server_.waiting_.erase(place_);
        }
        server_.slot_free_->ring();  // the next one is first now
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    const std::pair<uint32_t, uint64_t>& place() const { return place_; }

  private:
    PeerServer& server_;
    std::pair<uint32_t, uint64_t> place_;
};

Task<bool> PeerServer::take_slot(Asking& asking, uint32_t times_sent) {
    const Deadline end = Deadline::in_ms(options_.slot_wait_ms);
    const Waiting waiting(*this, times_sent);
    while (true) {
        const uint64_t seen = slot_free_->rings();
        {
            const MutexLock lock(mutex_);
            if (is_closed_) co_return false;
            const uint32_t slots = asking_.size() == 1 ? options_.slots_alone : options_.slots;
            if (sending_ < slots && *waiting_.begin() == waiting.place()) {
                ++sending_;
                asking.has_slot();
                co_return true;
            }
        }
        if (end.passed()) co_return false;
        co_await slot_free_->wait(seen, end.left_ms() + 1);
    }
}

Task<Response> PeerServer::piece(Request& request) {
    const auto share = find(request.parameter("swarm"));
    if (!share) co_return plain(404, "no such swarm is here");
    const auto piece = number(request.parameter("piece"));
    if (!piece || !share->has(*piece)) co_return plain(404, "that piece is not here");
    const auto asking = std::make_shared<Asking>(*this, share, request.peer->address);
    if (!co_await take_slot(*asking, share->count_sent(*piece))) co_return plain(503, "all slots are taken");
    const uint64_t size_bytes = share->table().at(*piece).size_bytes;
    const std::string swarm(request.parameter("swarm"));
    const auto claim = co_await offload(disk_, [&] { return claim_of(*share, swarm, *piece); });
    if (!claim) co_return not_given(claim.error());
    std::string headers = kBytesHeader;
    if (!claim->empty()) headers += fmt::format("{}: {}\r\n", kClaimHeader, to_base64(*claim));
    if (auto file = co_await offload(disk_, [&] { return file_to_send(*share, *piece); })) {
        count_bytes(size_bytes);
        co_return Response{200, headers, std::move(*file), {}, asking};
    }
    auto opened = co_await offload(disk_, [&] { return share->bytes().open(*piece); });
    if (!opened) co_return not_given(opened.error());
    count_bytes(size_bytes);
    const auto reader = ending_on(disk_, std::move(*opened));
    co_return Response{200, headers,
                       [this, reader, size_bytes](BodySink& sink) { return send(reader, size_bytes, sink); },
                       size_bytes, asking};
}

/// Who asks for it is sent no pieces before it.
Task<Response> PeerServer::manifest(Request& request) {
    const auto share = find(request.parameter("swarm"));
    if (!share) co_return plain(404, "no such swarm is here");
    const auto asking = std::make_shared<Asking>(*this, share, request.peer->address);
    if (!co_await take_slot(*asking, 0)) co_return plain(503, "all slots are taken");
    auto opened = co_await offload(disk_, [&] { return share->bytes().open_manifest(); });
    if (!opened) co_return not_given(opened.error());
    const auto reader = ending_on(disk_, std::move(*opened));
    co_return Response{
        200, kBytesHeader, [this, reader](BodySink& sink) { return send(reader, kSendBytes, sink); }, {}, asking};
}

/// What it came with, so that who signed first answers for it, wherever it goes.
Result<std::string> PeerServer::claim_of(const Share& share, std::string_view swarm, uint64_t piece) const {
    ZCDP_TRY(std::string claim, share.bytes().claim_of(piece));
    const auto identity = options_.identity ? options_.identity() : nullptr;
    if (claim.empty() && !identity) return claim;
    ZCDP_TRY(const PieceDigest digest, share.bytes().digest_of(piece));
    // What was read from the source again is not what that claim was about.
    const bool is_of_it =
        claim.size() > digest.size() && std::equal(digest.begin(), digest.end(), claim.begin(),
                                                   [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); });
    if (is_of_it) return claim;
    return identity ? identity->claim(swarm, piece, digest) : std::string();
}

/// Nullopt, too, where there is a rate to keep: such pieces are sent in small parts.
std::optional<net::server::FileRange> PeerServer::file_to_send(const Share& share, uint64_t piece) const {
    if (options_.rate) return std::nullopt;
    return share.bytes().file_of(piece);
}

void PeerServer::count_bytes(uint64_t size_bytes) {
    if (options_.sent_bytes) options_.sent_bytes->add(size_bytes);
}

Task<Result<>> PeerServer::send(std::shared_ptr<PieceReader> reader, uint64_t size_bytes, BodySink& sink) {
    std::vector<std::byte> buffer(std::min<uint64_t>(size_bytes, kSendBytes));
    while (true) {
        ZCDP_CO_TRY(const size_t got, co_await offload(disk_, [&] { return reader->read_some(buffer); }));
        if (got == 0) co_return Result<>();
        // Before it: with its last byte the piece is there.
        const uint64_t rest = options_.rate ? pace_.rest_ms(got, options_.rate->clock.monotonic_ns()) : 0;
        if (rest > 0) co_await sleep_ms(rest);
        ZCDP_CO_CHECK(co_await sink.write({reinterpret_cast<const char*>(buffer.data()), got}));
    }
}

}  // namespace zcdp::swarm
