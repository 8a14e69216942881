#include "src/origin/remote/protocol.hpp"

#include "zcdp/base/clock.hpp"

namespace zcdp::origin {

std::string Protocol::tag_like(const net::Response& answer, const std::string& listed) {
    const auto time = time_of_tag(listed);
    if (!time) return tag_of(answer);
    const int64_t modified = parse_http_date(std::string(answer.header("last-modified")));
    return modified < 0 ? "" : modified == *time ? listed : time_tag(iso8601(modified));
}

}  // namespace zcdp::origin
