// Any bytes as somebody's news: `corrupt`, or news that are written as those very bytes.
#include <cstdlib>

#include "zcdp/swarm/wire.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using zcdp::swarm::News;
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto news = News::decode(bytes, data[0]);
    if (news && news->encode() != bytes) std::abort();
    return 0;
}
