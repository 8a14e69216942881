#include "zcdp/swarm/wire.hpp"

#include <fmt/format.h>

namespace zcdp::swarm {
namespace {

constexpr size_t kVersionBytes = 8;

}  // namespace

std::string news_target(std::string_view swarm, uint64_t version, uint64_t wait_ms) {
    return fmt::format("/v1/swarms/{}/news?version={}&wait_ms={}", swarm, version, wait_ms);
}

std::string piece_target(std::string_view swarm, uint64_t piece) {
    return fmt::format("/v1/swarms/{}/pieces/{}", swarm, piece);
}

std::string News::encode() const {
    std::string out;
    for (size_t i = 0; i < kVersionBytes; ++i) out += static_cast<char>(version >> (8 * i) & 0xff);
    return out + have.encode() + there.encode() + drawing.encode();
}

Result<News> News::decode(std::string_view bytes, uint64_t pieces) {
    const size_t map_bytes = HaveMap(pieces).encode().size();
    if (bytes.size() != kVersionBytes + 3 * map_bytes)
        return Error(ErrorKind::corrupt, fmt::format("is not the news of a member of {} pieces", pieces),
                     "a member's news");
    News news;
    for (size_t i = kVersionBytes; i-- > 0;) news.version = news.version << 8 | static_cast<uint8_t>(bytes[i]);
    bytes.remove_prefix(kVersionBytes);
    ZCDP_TRY(news.have, HaveMap::decode(bytes.substr(0, map_bytes), pieces));
    ZCDP_TRY(news.there, HaveMap::decode(bytes.substr(map_bytes, map_bytes), pieces));
    ZCDP_TRY(news.drawing, HaveMap::decode(bytes.substr(2 * map_bytes), pieces));
    return news;
}

}  // namespace zcdp::swarm
