#include "zcdp/api/listing.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "zcdp/api/codec.hpp"

namespace zcdp::api {
namespace {

struct Wire {
    std::string p, t, k, l;
    uint64_t s = 0;
    bool x = false;
    std::optional<uint64_t> end;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("p", self.p), field("s", self.s), field("t", self.t), field("k", self.k), field("l", self.l),
            field("x", self.x), field("end", self.end);
    }
};

constexpr size_t kLineMax = 64 << 10;

}  // namespace

std::string listing_line(const ListingEntry& entry) {
    Wire wire{entry.path, entry.tag.str(), entry.kind, entry.link_target, entry.size_bytes, entry.executable, {}};
    return json::serialize(to_json(wire)) + "\n";
}

std::string listing_end(uint64_t count) { return "{\"end\":" + std::to_string(count) + "}\n"; }

Result<ListingLine> parse_listing_line(std::string_view line) {
    boost::system::error_code code;
    if (line.size() > kLineMax) return Error(ErrorKind::refused, "a line of the listing is over the limit");
    const json::value value = json::parse(line, code);
    if (code) return Error(ErrorKind::refused, "a line of the listing is no JSON");
    ZCDP_TRY(Wire wire, from_json<Wire>(value));
    ListingLine out;
    if (wire.end) {
        out.count = *wire.end;
        return out;
    }
    if (wire.p.empty() || (!wire.k.empty() && wire.k != "dir" && wire.k != "link"))
        return Error(ErrorKind::refused, "a line of the listing has no path, or a kind that there is not");
    out.entry =
        ListingEntry{std::move(wire.p), Tag(std::move(wire.t)), std::move(wire.k), std::move(wire.l), wire.s, wire.x};
    return out;
}

}  // namespace zcdp::api
