#include "zcdp/base/clock.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin {
namespace {

/// No ETag begins like this: the word ends in a space.
constexpr std::string_view kTime = "modified ";
constexpr size_t kSecondBytes = std::string_view("2026-01-02T03:04:05").size();

}  // namespace

Tag time_tag(std::string_view listed) {
    std::string time(listed);
    if (time.ends_with("+00:00")) time.replace(time.size() - 6, 6, "Z");
    if (parse_iso8601(time) < 0) return {};
    std::string fraction = time.substr(kSecondBytes, time.size() - kSecondBytes - 1);
    fraction.resize(fraction.find_last_not_of(".0") + 1);  // some write it always
    return Tag(std::string(kTime) + time.substr(0, kSecondBytes) + fraction + "Z");
}

std::optional<int64_t> time_of_tag(const Tag& tag) {
    if (!tag.str().starts_with(kTime)) return std::nullopt;
    const int64_t time = parse_iso8601(tag.str().substr(kTime.size()));
    return time < 0 ? std::nullopt : std::optional(time);
}

bool ObjectInfo::has_tag(const Tag& listed) const {
    const auto time = time_of_tag(listed);
    if (!time) return listed == tag;
    return modified_unix_s < 0 || *time == modified_unix_s;  // what is not said differs from nothing
}

}  // namespace zcdp::origin
