// Any bytes as a member's news, as an introduction and as a certificate's answer: refused, or written again as what
// reads the same.
#include <cstdlib>
#include <string_view>

#include "src/services/peers/wire.hpp"

namespace {

template <class Read>
void round_trip(const Read& read, std::string_view text) {
    const auto first = read(text);
    if (!first) return;
    const std::string written = zcdp::services::peers::to_text(*first);
    const auto second = read(written);
    if (!second || zcdp::services::peers::to_text(*second) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace zcdp::services::peers;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    round_trip(read_news, text);
    round_trip(read_introduction, text);
    round_trip(read_certified, text);
    return 0;
}
