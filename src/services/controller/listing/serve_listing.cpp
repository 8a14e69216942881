#include "src/services/controller/listing/serve_listing.hpp"

#include "src/services/controller/decide/revision_source.hpp"

namespace zcdp::services::controller {
namespace {

using net::server::ControlResponse;

constexpr size_t kPieceBytes = 256 << 10;

ControlResponse plain(int status, std::string text) { return {status, "text/plain", std::move(text) + "\n", {}}; }

}  // namespace

std::optional<ControlResponse> refuse_all_but_agents(const net::server::Request& request, kube::TokenReviewer& tokens) {
    const auto user = tokens.user_of_header(request.header("authorization"));
    if (!user) return plain(503, "who asks could not be found out");
    if (*user && (*user)->name == std::string("system:serviceaccount:") + api::kSystemNamespace + ":zcdp-agent")
        return std::nullopt;
    return plain(403, "only agents may ask");
}

ControlResponse serve_listing(const net::server::Request& request, World& world, Lister& lister, Fs& fs) {
    const std::string* name = request.query_value("dataset");
    if (!name) return plain(400, "write /v1/listings/REVISION?dataset=NAMESPACE/NAME");
    const Revision revision(request.parameter("revision"));
    const auto key = api::DatasetKey::parse(*name);
    const auto dataset = key ? world.dataset(*key) : nullptr;
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
