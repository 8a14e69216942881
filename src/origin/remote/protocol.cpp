#include "src/origin/remote/protocol.hpp"

#include <utility>

#include "zcdp/base/clock.hpp"

namespace zcdp::origin {

net::Header first_byte() { return {"Range", "bytes=0-0"}; }

bool ask_by_get(Call& call) { return std::exchange(call.method, "GET") == "HEAD"; }

bool ask_for_first_byte(Call& call) {
    if (!ask_by_get(call)) return false;
    call.headers.push_back(first_byte());
    return true;
}

bool correct_clock(Remote& remote, const net::Response& answer, Tried& tried) {
    const int64_t server = parse_http_date(std::string(answer.header("date")));
    if (server < 0 || std::exchange(tried.clock_corrected, true)) return false;
    remote.clock_skew_s = server - remote.machine.clock.unix_s();
    remote.machine.log.warn("the clock differs from the origin's, requests are signed with the origin's time",
                            {{"seconds", int64_t{remote.clock_skew_s}}});
    return true;
}

Tag Protocol::tag_like(const net::Response& answer, const Tag& listed) {
    const auto time = time_of_tag(listed);
    if (!time) return tag_of(answer);
    const int64_t modified = parse_http_date(std::string(answer.header("last-modified")));
    return modified < 0 ? Tag() : modified == *time ? listed : time_tag(iso8601(modified));
}

}  // namespace zcdp::origin
