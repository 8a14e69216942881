#include "zcdp/swarm/peer_client.hpp"

#include <fmt/format.h>

#include <utility>

#include "zcdp/base/base64.hpp"
#include "zcdp/base/faults.hpp"
#include "zcdp/swarm/identity.hpp"

namespace zcdp::swarm {
namespace {

/// Beyond what the member may wait before it answers.
constexpr uint64_t kAnswerMs = 15'000;
/// 8 MiB at the client's least rate, and a slot's wait.
constexpr uint64_t kPieceMs = 180'000;
/// Of who is asked for a manifest, for which others wait.
constexpr uint32_t kManifestSilenceMs = 5'000;

Error wrong_status(const net::Response& answer) {
    const int status = answer.status();
    const ErrorKind kind = status == 404                    ? ErrorKind::not_found
                           : status == 503                  ? ErrorKind::busy
                           : status == 401 || status == 403 ? ErrorKind::denied
                                                            : ErrorKind::failed;
    return Error(kind, fmt::format("answers {}", status), answer.peer());
}

}  // namespace

Task<Result<std::optional<News>>> PeerClient::news(net::Endpoint member, uint64_t version, uint64_t wait_ms) {
    net::Request request;
    request.target = news_target(swarm_, version, wait_ms);
    request.silence_ms = static_cast<uint32_t>(wait_ms + kAnswerMs);
    ZCDP_CO_TRY(const auto answer,
                co_await http_.send(std::move(member), std::move(request), Deadline::in_ms(wait_ms + 2 * kAnswerMs)));
    if (answer->status() == 204) co_return std::nullopt;
    if (answer->status() != 200) co_return wrong_status(*answer);
    ZCDP_CO_TRY(const std::string body, co_await answer->read_all(News::encoded_bytes(pieces_)));
    auto news = News::decode(body, pieces_);
    if (!news) co_return std::move(news).error().about(answer->peer());
    co_return std::move(*news);
}

Task<Result<PieceAnswer>> PeerClient::piece(net::Endpoint member, uint64_t piece, uint64_t size_bytes) {
    net::Request request;
    request.target = piece_target(swarm_, piece);
    ZCDP_CO_TRY(auto answer, co_await http_.send(std::move(member), std::move(request), Deadline::in_ms(kPieceMs)));
    if (answer->status() != 200) co_return wrong_status(*answer);
    if (answer->body_bytes().value_or(size_bytes) != size_bytes && !faults::broken("piece-length"))
        co_return Error(ErrorKind::corrupt,
                        fmt::format("sends {} bytes of a piece of {}", *answer->body_bytes(), size_bytes),
                        answer->peer());
    auto claim = from_base64(answer->header(kClaimHeader));
    if (!claim) co_return Error(ErrorKind::corrupt, "sends a claim that is no base64", answer->peer());
    co_return PieceAnswer{std::move(*claim), std::move(answer)};
}

Task<Result<std::unique_ptr<net::Response>>> PeerClient::manifest(net::Endpoint member, Deadline until) {
    net::Request request;
    request.target = manifest_target(swarm_);
    request.silence_ms = kManifestSilenceMs;
    ZCDP_CO_TRY(auto answer, co_await http_.send(std::move(member), std::move(request), until));
    if (answer->status() != 200) co_return wrong_status(*answer);
    co_return std::move(answer);
}

}  // namespace zcdp::swarm
