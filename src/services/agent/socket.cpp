#include "src/services/agent/socket.hpp"

#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <chrono>
#include <future>
#include <stop_token>
#include <thread>

#include "zcdp/api/agent.hpp"
#include "zcdp/services/agent_wire.hpp"
#include "zcdp/store/snapshot_json.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::services::agent {
namespace {

namespace json = boost::json;

constexpr auto kSayEvery = std::chrono::milliseconds(500);
constexpr auto kHeldLookEvery = std::chrono::seconds(1);
constexpr const char* kHoldOwner = "zcdp sync, into a directory";  ///< of a lease
constexpr unsigned kHandlers = 16;  ///< a sync has one from its beginning until its tree is where the caller wants it

net::ServerResponse failed(const Error& error) {
    const int status = error.kind() == ErrorKind::not_found ? 404
                       : error.kind() == ErrorKind::busy    ? 409
                       : error.kind() == ErrorKind::denied  ? 403
                                                            : 400;
    return {status, "application/json", json::serialize(api::to_json(api::to_wire(error))) + "\n", {}};
}

net::ServerResponse list_snapshots(store::Store& store) {
    const auto all = store.list();
    if (!all) return failed(all.error());
    std::string out;
    for (const auto& info : *all) out += (out.empty() ? "" : ",") + store::to_json(info);
    return {200, "application/json", "[" + out + "]\n", {}};
}

net::ServerResponse act_on_snapshot(store::Store& store, const std::string& id, const std::string& action) {
    const auto info = store.find(id);
    if (!info) return failed(info.error());
    Result<> done = Error(ErrorKind::usage, "there are pin, unpin and evict", action);
    if (action == "pin" || action == "unpin") done = store.pin(info->id, action == "pin");
    if (action == "evict") done = store.evict(info->id);
    if (!done) return failed(done.error());
    return {200, "application/json", store::to_json(*info) + "\n", {}};
}

/// Runs the sync on a thread of its own and says every half second how far it is; a peer that goes away stops it.
void stream_sync(const SyncOrder& order, SocketParts parts, net::BodyWriter& writer) {
    sync::Progress progress;
    std::stop_source stop;
    auto running = std::async(std::launch::async, [&]() -> Result<sync::SyncReport> {
        ZCDP_TRY(const auto factory, origin::make_origin_factory(order.sync.source, order.origin, parts.machine));
        return sync::run(order.sync, &parts.store, factory, parts.machine, progress, stop.get_token());
    });
    const auto say = [&](const api::SyncLine& line) {
        return writer.write(json::serialize(api::to_json(line)) + "\n");
    };
    while (running.wait_for(kSayEvery) != std::future_status::ready)
        if (!say({to_wire(progress), {}, {}})) stop.request_stop();
    const Result<sync::SyncReport> done = running.get();
    if (!done) {
        (void)say({{}, {}, api::to_wire(done.error())});
        return;
    }
    const auto id = order.hold ? store::SnapshotId::parse(done->snapshot) : std::nullopt;
    if (!id) {
        (void)say({{}, to_wire(*done), {}});
        return;
    }
    // Held from before the caller hears of it until the caller is gone, which a line now and then finds out.
    const auto lease = parts.store.lease(*id, kHoldOwner, 0);
    if (!lease) {
        (void)say({{}, {}, api::to_wire(lease.error())});
        return;
    }
    for (bool here = say({{}, to_wire(*done), {}}); here; here = say({})) std::this_thread::sleep_for(kHeldLookEvery);
    (void)parts.store.release(*lease);
}

net::ServerResponse start_sync(const net::ServerRequest& request, SocketParts parts, bool strict) {
    boost::system::error_code code;
    const json::value body = json::parse(request.body, code);
    if (code || !body.is_object()) return failed(Error(ErrorKind::usage, "the request is no JSON"));
    if (const std::string unknown = api::unknown_member<api::SyncRequest>(body.get_object());
        strict && !unknown.empty())
        return failed(Error(ErrorKind::usage,
                            "the agent is older than this zcdp and does not know " + printable(unknown), "",
                            "upgrade the agent, or leave the option out"));
    const auto wanted = api::from_json<api::SyncRequest>(body);
    if (!wanted) return failed(wanted.error());
    auto order = from_wire(*wanted);
    if (!order) return failed(order.error());
    net::ServerResponse response;
    response.content_type = "application/x-ndjson";
    response.stream = [order = std::move(*order), parts](net::BodyWriter& writer) {
        stream_sync(order, parts, writer);
    };
    return response;
}

net::ServerResponse collect_garbage(store::Store& store, std::string_view query) {
    // "600&unfinished_grace_s=0"; a zcdp before this one says no more than the first.
    int64_t grace_s = 600, unfinished_s = 0;
    std::from_chars(query.data(), query.data() + query.size(), grace_s);
    constexpr std::string_view kUnfinished = "&unfinished_grace_s=";
    if (const size_t at = query.find(kUnfinished); at != query.npos)
        std::from_chars(query.data() + at + kUnfinished.size(), query.data() + query.size(), unfinished_s);
    auto freed = store.gc(std::max<int64_t>(0, grace_s), std::max<int64_t>(0, unfinished_s));
    if (!freed) return failed(freed.error());
    return {200, "application/json", json::serialize(json::object{{"freed_bytes", *freed}}) + "\n", {}};
}

net::ServerResponse verify(store::Store& store, const std::string& id) {
    std::optional<store::SnapshotId> only;
    if (!id.empty()) {
        const auto info = store.find(id);
        if (!info) return failed(info.error());
        only = info->id;
    }
    const auto report = store.verify(only, {});
    if (!report) return failed(report.error());
    return {200,
            "application/json",
            json::serialize(json::object{
                {"files", report->files}, {"bytes", report->bytes}, {"problems", api::to_json(report->problems)}}) +
                "\n",
            {}};
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
            return act_on_snapshot(parts.store, std::string(rest.substr(0, slash)),
                                   std::string(rest.substr(slash + 1)));
    }
    constexpr std::string_view kGc = "/v1/gc?grace_s=", kVerify = "/v1/verify?id=";
    if (request.method == "POST" && target == "/v1/sync") return start_sync(request, parts, false);
    if (request.method == "POST" && target == "/v2/sync") return start_sync(request, parts, true);
    if (request.method == "POST" && target.starts_with(kGc))
        return collect_garbage(parts.store, target.substr(kGc.size()));
    if (request.method == "POST" && target.starts_with(kVerify))
        return verify(parts.store, std::string(target.substr(kVerify.size())));
    return failed(Error(ErrorKind::not_found, "the agent serves no such path", printable(target)));
}

}  // namespace

Result<std::unique_ptr<net::HttpServer>> open_agent_socket(const std::string& path, SocketParts parts) {
    // Leases outlive a killed agent, and whom these were held for has gone with the connection.
    ZCDP_TRY(const auto leases, parts.store.leases());
    for (const store::LeaseInfo& lease : leases)
        if (lease.owner == kHoldOwner) ZCDP_CHECK(parts.store.release(lease.id));
    net::HttpServerOptions options;
    options.listen = "unix:" + path;
    options.handlers = kHandlers;
    return net::HttpServer::open(
        options, [parts](const net::ServerRequest& request) { return handle(request, parts); }, parts.log);
}

}  // namespace zcdp::services::agent
