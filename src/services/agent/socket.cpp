#include "src/services/agent/socket.hpp"

#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <chrono>
#include <future>
#include <stop_token>

#include "zcdp/api/agent.hpp"
#include "zcdp/store/snapshot_json.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::services::agent {
namespace {

namespace json = boost::json;

constexpr auto kSayEvery = std::chrono::milliseconds(500);

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

api::SyncProgress look(const sync::Progress& progress) {
    return {static_cast<uint32_t>(progress.phase.load()),
            progress.objects_listed,
            progress.objects_total,
            progress.objects_done,
            progress.bytes_total,
            progress.bytes_done,
            progress.objects_reused,
            progress.bytes_reused};
}

api::SyncResult result_of(const sync::SyncReport& report) {
    return {report.snapshot,      report.revision,
            report.path,          report.objects,
            report.bytes,         report.objects_fetched,
            report.bytes_fetched, report.objects_reused,
            report.bytes_reused,  report.skipped,
            report.skipped_keys,  report.requests,
            report.retries,       static_cast<uint64_t>(report.seconds * 1000)};
}

/// Runs the sync on a thread of its own and says every half second how far it is; a peer that goes away stops it.
void stream_sync(const api::SyncRequest& request, SocketParts parts, net::BodyWriter& writer) {
    sync::SyncOptions options;
    options.source = request.source, options.include = request.include, options.exclude = request.exclude;
    options.skip_bad_keys = request.skip_bad_keys, options.connections = request.connections;
    origin::OriginOptions origin;
    origin.endpoint = request.endpoint, origin.region = request.region, origin.profile = request.profile;
    origin.path_style = request.path_style, origin.anonymous = request.anonymous,
    origin.connections = request.connections;
    origin.credentials = request.credentials, origin.sha256 = request.sha256;
    origin.bytes_per_second = request.bytes_per_second;
    sync::Progress progress;
    std::stop_source stop;
    auto running = std::async(std::launch::async, [&]() -> Result<sync::SyncReport> {
        ZCDP_TRY(const auto factory, origin::make_origin_factory(options.source, origin, parts.machine));
        return sync::run(options, &parts.store, factory, parts.machine, progress, stop.get_token());
    });
    const auto say = [&](const api::SyncLine& line) {
        return writer.write(json::serialize(api::to_json(line)) + "\n");
    };
    while (running.wait_for(kSayEvery) != std::future_status::ready)
        if (!say({look(progress), {}, {}})) stop.request_stop();
    const Result<sync::SyncReport> done = running.get();
    if (done) (void)say({{}, result_of(*done), {}});
    else (void)say({{}, {}, api::to_wire(done.error())});
}

net::ServerResponse start_sync(const net::ServerRequest& request, SocketParts parts) {
    boost::system::error_code code;
    const json::value body = json::parse(request.body, code);
    if (code) return failed(Error(ErrorKind::usage, "the request is no JSON"));
    auto wanted = api::from_json<api::SyncRequest>(body);
    if (!wanted) return failed(wanted.error());
    net::ServerResponse response;
    response.content_type = "application/x-ndjson";
    response.stream = [wanted = std::move(*wanted), parts](net::BodyWriter& writer) {
        stream_sync(wanted, parts, writer);
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
    if (request.method == "POST" && target == "/v1/sync") return start_sync(request, parts);
    if (request.method == "POST" && target.starts_with(kGc))
        return collect_garbage(parts.store, target.substr(kGc.size()));
    if (request.method == "POST" && target.starts_with(kVerify))
        return verify(parts.store, std::string(target.substr(kVerify.size())));
    return failed(Error(ErrorKind::not_found, "the agent serves no such path", printable(target)));
}

}  // namespace

Result<std::unique_ptr<net::HttpServer>> open_agent_socket(const std::string& path, SocketParts parts) {
    net::HttpServerOptions options;
    options.listen = "unix:" + path;
    return net::HttpServer::open(
        options, [parts](const net::ServerRequest& request) { return handle(request, parts); }, parts.log);
}

}  // namespace zcdp::services::agent
