// What reaches a data store's server beside records and JSON: the paths of a batch, an Authorization header, a target
// with its query. Taken, and then what was sent, or refused.
#include <cstdlib>
#include <string>

#include "src/datastore/server/answered.hpp"
#include "src/datastore/server/many_files.hpp"
#include "src/datastore/server/tokens.hpp"
#include "zcdp/base/paths.hpp"
#include "zcdp/datastore/key.hpp"
#include "zcdp/net/router.hpp"

namespace {

using namespace zcdp;

void require(bool holds) {
    if (!holds) std::abort();
}

void paths(const std::string& text) {
    const auto paths = datastore::ManyFiles::parse_paths(text);
    if (!paths) return;
    require(paths->size() <= datastore::ManyFiles::kPathsMax);
    std::string again;
    for (const std::string& path : *paths) {
        require(check_path(path) == PathProblem::none && !path.ends_with('/'));
        again += path + "\n";
    }
    require(again == text || again == text + "\n");
}

void bearer(const std::string& text) {
    const auto token = datastore::bearer_of(text);
    require(token.empty() || text.ends_with(token) || text.find(std::string(token)) != text.npos);
    require(datastore::bearer_of("Bearer " + std::string(token)) == token);
}

void numbers(const std::string& text) {
    net::server::Request request;
    if (!net::server::split_target("/v1/keys/" + text, request.path, request.query)) return;
    for (const char* name : {"version", "limit", "ttl_s"}) {
        const auto number = datastore::number_of(request, name);
        if (number && *number) require(std::to_string(**number).size() <= 19);
    }
    (void)datastore::flag_of(request, "recursive").has_value();
    (void)datastore::is_key(request.path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    paths(text);
    bearer(text);
    numbers(text);
    return 0;
}
