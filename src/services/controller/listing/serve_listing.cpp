#include "src/services/controller/listing/serve_listing.hpp"

#include "src/services/controller/decide/revision_source.hpp"

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

using net::server::ControlResponse;

constexpr std::string_view kBearer = "Bearer ";
constexpr size_t kPieceBytes = 256 << 10;

const json::value* at(const json::value* parent, std::string_view name) {
    return parent && parent->is_object() ? parent->get_object().if_contains(name) : nullptr;
}

bool is_agent(kube::Api& api, std::string_view authorization) {
    if (!authorization.starts_with(kBearer)) return false;
    const json::object review{{"apiVersion", "authentication.k8s.io/v1"},
                              {"kind", "TokenReview"},
                              {"spec", json::object{{"token", authorization.substr(kBearer.size())},
                                                    {"audiences", json::array{"zcdp-controller"}}}}};
    auto answer = api.create(kube::resources::token_reviews, "", review);
    if (!answer) return false;
    const json::value value(std::move(*answer));
    const json::value* status = at(&value, "status");
    const json::value* authenticated = at(status, "authenticated");
    const json::value* name = at(at(status, "user"), "username");
    return authenticated && *authenticated == json::value(true) && name &&
           *name == json::value(std::string("system:serviceaccount:") + api::kSystemNamespace + ":zcdp-agent");
}

ControlResponse plain(int status, std::string text) { return {status, "text/plain", std::move(text) + "\n", {}}; }

}  // namespace

std::optional<ControlResponse> refuse_all_but_agents(const net::server::Request& request, kube::Api& api) {
    if (is_agent(api, request.header("authorization"))) return std::nullopt;
    return plain(403, "only agents may ask");
}

ControlResponse serve_listing(const net::server::Request& request, World& world, Lister& lister, Fs& fs) {
    const std::string* key = request.query_value("dataset");
    if (!key) return plain(400, "write /v1/listings/REVISION?dataset=NAMESPACE/NAME");
    const std::string revision(request.parameter("revision"));
    const auto dataset = world.datasets.get(*key);
    if (!dataset) return plain(404, "there is no such Dataset");
    const ResolvedSource source = source_of_revision(
        *dataset, revision, world.node_datasets.by_index(dataset->metadata.uid), world.backends.list());
    auto listing = lister.listing(*dataset, source, revision);
    if (!listing) return plain(404, listing.error().line());
    ControlResponse response;
    response.content_type = "application/x-ndjson";
    response.stream = [file = *listing, &fs](net::server::BodyWriter& writer) {
        std::string piece;
        for (uint64_t offset = 0;; offset += piece.size()) {
            piece.resize(kPieceBytes);
            const auto got = fs.read(file->get(), std::as_writable_bytes(std::span(piece)), offset);
            if (!got) throw std::runtime_error("the listing cannot be read: " + got.error().message());
            piece.resize(*got);
            if (piece.empty() || !writer.write(piece)) return;
        }
    };
    return response;
}

}  // namespace zcdp::services::controller
