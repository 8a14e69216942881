#include "src/services/controller/listing/serve_listing.hpp"

#include "src/services/controller/decide/revision_source.hpp"

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

constexpr std::string_view kPath = "/v1/listings/", kQuery = "?dataset=", kBearer = "Bearer ";
constexpr size_t kPieceBytes = 256 << 10;

const json::value* at(const json::value* parent, std::string_view name) {
    return parent && parent->is_object() ? parent->get_object().if_contains(name) : nullptr;
}

/// Whether the token is an agent's, and made for us.
bool is_agent(kube::Api& api, const std::string& authorization) {
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

net::ServerResponse plain(int status, std::string text) { return {status, "text/plain", std::move(text) + "\n", {}}; }

}  // namespace

net::ServerResponse serve_listing(const net::ServerRequest& request, kube::Api& api, World& world, Lister& lister,
                                  Fs& fs) {
    const std::string_view target = request.target;
    const size_t query = target.find(kQuery);
    if (query == target.npos) return plain(400, "write /v1/listings/REVISION?dataset=NAMESPACE/NAME");
    const std::string revision(target.substr(kPath.size(), query - kPath.size())),
        key(target.substr(query + kQuery.size()));
    if (!is_agent(api, request.authorization)) return plain(403, "only agents may ask");
    const auto dataset = world.datasets.get(key);
    if (!dataset) return plain(404, "there is no such Dataset");
    const ResolvedSource source = source_of_revision(
        *dataset, revision, world.node_datasets.by_index(dataset->metadata.uid), world.backends.list());
    auto listing = lister.listing(*dataset, source, revision);
    if (!listing) return plain(404, listing.error().line());
    net::ServerResponse response;
    response.content_type = "application/x-ndjson";
    response.stream = [file = *listing, &fs](net::BodyWriter& writer) {
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
