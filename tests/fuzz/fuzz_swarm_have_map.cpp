// Any bytes as somebody's have-map: `corrupt`, or a map that is written as those very bytes.
#include <cstdlib>

#include "zcdp/swarm/have_map.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using zcdp::swarm::HaveMap;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const uint64_t pieces = size > 0 ? data[0] : 0;  // a map's first byte is the lowest of its number of pieces
    const auto map = HaveMap::decode(bytes, pieces);
    if (map && (map->encode() != bytes || map->count() > pieces)) std::abort();
    return 0;
}
