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
using net::server::ControlResponse, net::server::Request;

constexpr auto kSayEvery = std::chrono::milliseconds(500);
constexpr auto kHeldLookEvery = std::chrono::seconds(1);
constexpr const char* kHoldOwner = "zcdp sync, into a directory";  ///< of a lease
constexpr unsigned kHandlers = 16;  ///< a sync has one from its beginning until its tree is where the caller wants it

ControlResponse failed(const Error& error) {
    const int status = error.kind() == ErrorKind::not_found ? 404
                       : error.kind() == ErrorKind::busy    ? 409
                       : error.kind() == ErrorKind::denied  ? 403
                                                            : 400;
    return {status, "application/json", json::serialize(api::to_json(api::to_wire(error))) + "\n", {}};
}

ControlResponse list_snapshots(store::Snapshots& snapshots) {
    const auto all = snapshots.list();
    if (!all) return failed(all.error());
    std::string out;
    for (const auto& info : *all) out += (out.empty() ? "" : ",") + store::to_json(info);
    return {200, "application/json", "[" + out + "]\n", {}};
}

ControlResponse act_on_snapshot(const SocketParts& parts, const std::string& id, const std::string& action) {
    const auto info = parts.snapshots.find(id);
    if (!info) return failed(info.error());
    Result<> done = Error(ErrorKind::usage, "there are pin, unpin and evict", action);
    if (action == "pin" || action == "unpin") done = parts.snapshots.pin(info->id, action == "pin");
    if (action == "evict") done = parts.upkeep.evict(info->id);
    if (!done) return failed(done.error());
    return {200, "application/json", store::to_json(*info) + "\n", {}};
}

/// Runs the sync on a thread of its own and says every half second how far it is; a peer that goes away stops it.
void stream_sync(const SyncOrder& order, SocketParts parts, net::server::BodyWriter& writer) {
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

ControlResponse start_sync(const std::string& text, SocketParts parts, bool strict) {
    boost::system::error_code code;
    const json::value body = json::parse(text, code);
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
    ControlResponse response;
    response.content_type = "application/x-ndjson";
    response.stream = [order = std::move(*order), parts](net::server::BodyWriter& writer) {
        stream_sync(order, parts, writer);
    };
    return response;
}

int64_t seconds_in(const Request& request, std::string_view name, int64_t otherwise) {
    if (const std::string* text = request.query_value(name))
        std::from_chars(text->data(), text->data() + text->size(), otherwise);
    return otherwise;
}

/// A zcdp before this one says no `unfinished_grace_s`.
ControlResponse collect_garbage(store::Upkeep& upkeep, const Request& request) {
    const int64_t grace_s = seconds_in(request, "grace_s", 600);
    const int64_t unfinished_s = seconds_in(request, "unfinished_grace_s", 0);
    auto freed = upkeep.gc(std::max<int64_t>(0, grace_s), std::max<int64_t>(0, unfinished_s));
    if (!freed) return failed(freed.error());
    return {200, "application/json", json::serialize(json::object{{"freed_bytes", *freed}}) + "\n", {}};
}

ControlResponse verify(const SocketParts& parts, const std::string& id) {
    std::optional<store::SnapshotId> only;
    if (!id.empty()) {
        const auto info = parts.snapshots.find(id);
        if (!info) return failed(info.error());
        only = info->id;
    }
    const auto report = parts.upkeep.verify(only, {});
    if (!report) return failed(report.error());
    return {200,
            "application/json",
            json::serialize(json::object{
                {"files", report->files}, {"bytes", report->bytes}, {"problems", api::to_json(report->problems)}}) +
                "\n",
            {}};
}

/// Nothing for root and the agent's own group.
std::optional<ControlResponse> refuse_stranger(const Request& request) {
    if (request.peer->uid == 0 || request.peer->gid == static_cast<int>(::getegid())) return std::nullopt;
    return failed(Error(ErrorKind::denied, "only root and the agent's group may ask the agent"));
}

net::server::ControlRouter routes_of(SocketParts parts) {
    net::server::ControlRouter routes;
    routes.add(
        "GET", "/v1/snapshots", [parts](const Request&, const std::string&) { return list_snapshots(parts.snapshots); },
        refuse_stranger);
    routes.add(
        "POST", "/v1/snapshots/{id}/{action}",
        [parts](const Request& request, const std::string&) {
            return act_on_snapshot(parts, std::string(request.parameter("id")),
                                   std::string(request.parameter("action")));
        },
        refuse_stranger);
    for (const bool strict : {false, true})
        routes.add(
            "POST", strict ? "/v2/sync" : "/v1/sync",
            [parts, strict](const Request&, const std::string& body) { return start_sync(body, parts, strict); },
            refuse_stranger);
    routes.add(
        "POST", "/v1/gc",
        [parts](const Request& request, const std::string&) { return collect_garbage(parts.upkeep, request); },
        refuse_stranger);
    routes.add(
        "POST", "/v1/verify",
        [parts](const Request& request, const std::string&) {
            const std::string* id = request.query_value("id");
            return verify(parts, id ? *id : std::string());
        },
        refuse_stranger);
    routes.otherwise([](const Request& request, const std::string&) {
        if (auto refused = refuse_stranger(request)) return std::move(*refused);
        return failed(Error(ErrorKind::not_found, "the agent serves no such path", printable(request.target)));
    });
    return routes;
}

}  // namespace

Result<std::unique_ptr<net::server::ControlServer>> open_agent_socket(const std::string& path, SocketParts parts) {
    // Leases outlive a killed agent, and whom these were held for has gone with the connection.
    ZCDP_TRY(const auto leases, parts.store.leases());
    for (const store::LeaseInfo& lease : leases)
        if (lease.owner == kHoldOwner) ZCDP_CHECK(parts.store.release(lease.id));
    net::server::Options options;
    options.listen = "unix:" + path;
    return net::server::ControlServer::open(options, kHandlers, routes_of(parts), parts.log);
}

}  // namespace zcdp::services::agent
