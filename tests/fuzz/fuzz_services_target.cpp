// Any bytes as a request's target: refused, or a path, a bucket and a key that are parts of each other and come back
// the same when they are encoded again; and an absolute target is the path in it.
#include <cstdlib>
#include <string>

#include "src/services/serve/uri.hpp"
#include "zcdp/base/percent.hpp"

namespace {

using zcdp::services::serve::parse_target;
using zcdp::services::serve::Target;

void require(bool holds) {
    if (!holds) std::abort();
}

bool same(const Target& a, const Target& b) {
    return a.path == b.path && a.bucket == b.bucket && a.key == b.key && a.query == b.query;
}

std::string encoded(const Target& target) {
    std::string out = zcdp::uri_encode(target.path, true);
    char mark = '?';
    for (const auto& [name, value] : target.query) {
        out += mark + zcdp::uri_encode(name, false) + "=" + zcdp::uri_encode(value, false);
        mark = '&';
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto target = parse_target(text);
    if (text.starts_with('?')) {
        const auto rooted = parse_target("/" + text), absolute = parse_target("http://host" + text);
        require(rooted.has_value() == absolute.has_value() && (!rooted || same(*rooted, *absolute)));
    }
    if (!target) return 0;
    require(target->path.starts_with('/'));
    require(target->path == "/" + target->bucket + (target->key.empty() ? "" : "/" + target->key) ||
            (target->key.empty() && target->path == "/" + target->bucket + "/"));
    require(target->bucket.find('/') == std::string::npos);
    if (!target->query.empty()) require(*target->find(target->query[0].first) == target->query[0].second);
    const auto again = parse_target(encoded(*target));
    require(again && same(*again, *target));
    if (text.starts_with('/')) {
        const auto absolute = parse_target("https://host:1" + text);
        require(absolute && same(*absolute, *target));
    }
    return 0;
}
