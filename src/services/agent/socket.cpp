#include "src/services/agent/socket.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <unistd.h>

#include "zcdp/api/codec.hpp"

namespace zcdp::services {
namespace {

namespace json = boost::json;

json::object json_of(const store::SnapshotInfo& info) {
    return {{"snapshot", info.id.str()}, {"state", info.state == store::SnapshotState::ready ? "ready" : info.state == store::SnapshotState::evicting ? "evicting" : "corrupt"},
            {"name", info.name}, {"revision", info.revision}, {"path", info.tree_path}, {"pinned", info.pinned}, {"leases", info.leases},
            {"files", info.files}, {"directories", info.directories}, {"symlinks", info.symlinks}, {"bytes", info.bytes},
            {"created", iso8601(info.created_unix_s)}, {"last_use", iso8601(info.last_use_unix_s)}};
}

net::ServerResponse failed(const Error& error) {
    const json::object body{{"error", error.line()}, {"kind", name(error.kind())}};
    return {error.kind() == ErrorKind::not_found ? 404 : error.kind() == ErrorKind::busy ? 409 : 400, "application/json", json::serialize(body) + "\n", {}};
}

net::ServerResponse list_snapshots(store::Store& store) {
    const auto all = store.list();
    if (!all) return failed(all.error());
    json::array out;
    for (const auto& info : *all) out.push_back(json_of(info));
    return {200, "application/json", json::serialize(out) + "\n", {}};
}

net::ServerResponse act_on_snapshot(store::Store& store, const std::string& id, const std::string& action) {
    const auto info = store.find(id);
    if (!info) return failed(info.error());
    Result<> done = Error(ErrorKind::usage, "there are pin, unpin and evict", action);
    if (action == "pin" || action == "unpin") done = store.pin(info->id, action == "pin");
    if (action == "evict") done = store.evict(info->id);
    if (!done) return failed(done.error());
    return {200, "application/json", json::serialize(json_of(*info)) + "\n", {}};
}

net::ServerResponse handle(const net::ServerRequest& request, SocketParts parts) {
    const bool allowed = request.peer_uid == 0 || request.peer_gid == static_cast<int>(::getegid());
    if (!allowed) return failed(Error(ErrorKind::denied, "only root and the agent's group may ask the agent"));
    constexpr std::string_view kSnapshots = "/v1/snapshots";
    const std::string_view target = request.target;
    if (request.method == "GET" && target == kSnapshots) return list_snapshots(parts.store);
    if (request.method == "POST" && target.starts_with(kSnapshots) && target.size() > kSnapshots.size() + 1) {
        const std::string_view rest = target.substr(kSnapshots.size() + 1);
        if (const size_t slash = rest.find('/'); slash != rest.npos)
            return act_on_snapshot(parts.store, std::string(rest.substr(0, slash)), std::string(rest.substr(slash + 1)));
    }
    return failed(Error(ErrorKind::not_found, "the agent serves no such path", printable(target)));
}

}  // namespace

Result<std::unique_ptr<net::HttpServer>> open_agent_socket(const std::string& path, SocketParts parts) {
    net::HttpServerOptions options;
    options.listen = "unix:" + path;
    return net::HttpServer::open(options, [parts](const net::ServerRequest& request) { return handle(request, parts); }, parts.log);
}

}  // namespace zcdp::services
