// Any bytes as a request's Range and conditions: the answer never leaves the object, and both sides of a conversation
// read the range that is answered in the same way.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "src/origin/remote/answers.hpp"
#include "zcdp/net/conditions.hpp"

namespace {

using namespace zcdp::net::server;

constexpr std::string_view kTag = "\"abc\"";

void require(bool holds) {
    if (!holds) std::abort();
}

void range(std::string_view text, uint64_t size_bytes) {
    const RangeAnswer it = evaluate_range(text, "", kTag, size_bytes);
    if (it.kind != RangeKind::part) return;
    require(it.length > 0 && it.offset < size_bytes && it.length <= size_bytes - it.offset);
    const std::string last = std::to_string(it.offset + it.length - 1), first = std::to_string(it.offset);
    const RangeAnswer again = evaluate_range("bytes=" + first + "-" + last, kTag, kTag, size_bytes);
    require(again.kind == RangeKind::part && again.offset == it.offset && again.length == it.length);
    require(evaluate_range(text, "\"other\"", kTag, size_bytes).kind == RangeKind::whole);
    const auto stated =
        zcdp::origin::parse_content_range("bytes " + first + "-" + last + "/" + std::to_string(size_bytes));
    require(stated && stated->first == it.offset && stated->last - stated->first + 1 == it.length);
    require(stated->total_known && stated->total == size_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    uint64_t size_bytes = 0;
    if (size < sizeof size_bytes) return 0;
    std::memcpy(&size_bytes, data, sizeof size_bytes);
    const std::string_view text(reinterpret_cast<const char*>(data) + sizeof size_bytes, size - sizeof size_bytes);
    range(text, size_bytes);
    range(text, size_bytes % 1000);
    (void)zcdp::origin::parse_content_range(text);
    const std::string_view half = text.substr(0, text.size() / 2), rest = text.substr(half.size());
    (void)evaluate_conditions({half, rest, half, rest, half}, kTag, static_cast<int64_t>(size_bytes % 253402300800));
    require(evaluate_conditions({kTag, rest, "", "", ""}, kTag, 0) != ConditionVerdict::failed || !rest.empty());
    return 0;
}
