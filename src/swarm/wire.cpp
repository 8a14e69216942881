#include "zcdp/swarm/wire.hpp"

#include <fmt/format.h>

#include "zcdp/base/little_endian.hpp"

namespace zcdp::swarm {

std::string news_target(std::string_view swarm, uint64_t version, uint64_t wait_ms) {
    return fmt::format("/v1/swarms/{}/news?version={}&wait_ms={}", swarm, version, wait_ms);
}

std::string piece_target(std::string_view swarm, uint64_t piece) {
    return fmt::format("/v1/swarms/{}/pieces/{}", swarm, piece);
}

std::string manifest_target(std::string_view swarm) { return fmt::format("/v1/swarms/{}/manifest", swarm); }

std::string News::encode() const {
    std::string out;
    put_u64(out, version);
    put_u64(out, load);
    return out + have.encode() + there.encode() + drawing.encode();
}

size_t News::encoded_bytes(uint64_t pieces) { return 2 * kU64Bytes + 3 * HaveMap::encoded_bytes(pieces); }

Result<News> News::decode(std::string_view bytes, uint64_t pieces) {
    if (bytes.size() != encoded_bytes(pieces))
        return Error(ErrorKind::corrupt, fmt::format("is not the news of a member of {} pieces", pieces),
                     "a member's news");
    News news;
    news.version = get_u64(bytes);
    bytes.remove_prefix(kU64Bytes);
    news.load = get_u64(bytes);
    bytes.remove_prefix(kU64Bytes);
    const size_t map_bytes = HaveMap::encoded_bytes(pieces);
    ZCDP_TRY(news.have, HaveMap::decode(bytes.substr(0, map_bytes), pieces));
    ZCDP_TRY(news.there, HaveMap::decode(bytes.substr(map_bytes, map_bytes), pieces));
    ZCDP_TRY(news.drawing, HaveMap::decode(bytes.substr(2 * map_bytes), pieces));
    return news;
}

}  // namespace zcdp::swarm
