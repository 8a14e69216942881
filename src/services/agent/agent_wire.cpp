#include "zcdp/services/agent_wire.hpp"

#include <algorithm>
#include <iterator>

#include "zcdp/base/digest.hpp"

namespace zcdp::services {
namespace {

/// Calls `same(option, member)` for each pair that is carried as it is: in one direction or the other.
template <class Order, class Request, class F>
void each_option(Order& order, Request& request, F&& same) {
    auto& sync = order.sync;
    auto& origin = order.origin;
    same(order.hold, request.hold);
    same(sync.source, request.source), same(sync.include, request.include), same(sync.exclude, request.exclude);
    same(sync.dry_run, request.dry_run), same(sync.verify_parts, request.verify_parts);
    same(sync.skip_bad_keys, request.skip_bad_keys), same(sync.connections, request.connections);
    same(sync.expected_revision, request.expected_revision);
    same(origin.endpoint, request.endpoint), same(origin.region, request.region);
    same(origin.profile, request.profile), same(origin.path_style, request.path_style);
    same(origin.virtual_host, request.virtual_host), same(origin.anonymous, request.anonymous);
    same(origin.request_payer, request.request_payer), same(origin.billing_project, request.billing_project);
    same(origin.dual_stack, request.dual_stack), same(origin.source_address, request.source_address);
    same(origin.ca_pem, request.ca_pem), same(origin.credentials, request.credentials);
    same(origin.follow_symlinks, request.follow_symlinks), same(origin.sha256, request.sha256);
    same(origin.client_cert_pem, request.client_cert_pem), same(origin.client_key_pem, request.client_key_pem);
    same(origin.client_cert_name, request.client_cert_name), same(origin.client_key_name, request.client_key_name);
    same(origin.proxy, request.proxy), same(origin.proxy_user, request.proxy_user);
    same(origin.proxy_password, request.proxy_password), same(origin.denied_addresses, request.denied_addresses);
    same(origin.retries_are_given, request.retries_are_given);
    same(origin.bytes_per_second, request.bytes_per_second), same(origin.objects_max, request.objects_max);
}

template <class Report, class Wire, class F>
void each_result(Report& report, Wire& wire, F&& same) {
    same(report.snapshot, wire.snapshot), same(report.revision, wire.revision), same(report.path, wire.path);
    same(report.objects, wire.objects), same(report.bytes, wire.bytes);
    same(report.objects_fetched, wire.objects_fetched), same(report.bytes_fetched, wire.bytes_fetched);
    same(report.objects_received, wire.objects_received), same(report.bytes_received, wire.bytes_received);
    same(report.objects_reused, wire.objects_reused), same(report.bytes_reused, wire.bytes_reused);
    same(report.skipped, wire.skipped), same(report.skipped_keys, wire.skipped_keys);
    same(report.removed, wire.removed), same(report.bytes_removed, wire.bytes_removed);
    same(report.requests, wire.requests), same(report.retries, wire.retries), same(report.dry_run, wire.dry_run);
}

template <class Progress, class Wire, class F>
void each_counter(Progress& progress, Wire& wire, F&& same) {
    same(progress.objects_listed, wire.objects_listed), same(progress.objects_total, wire.objects_total);
    same(progress.objects_done, wire.objects_done), same(progress.bytes_total, wire.bytes_total);
    same(progress.bytes_done, wire.bytes_done), same(progress.objects_reused, wire.objects_reused);
    same(progress.bytes_reused, wire.bytes_reused), same(progress.connections, wire.connections);
    same(progress.files_placed, wire.files_placed), same(progress.files_to_place, wire.files_to_place);
    same(progress.bytes_placed, wire.bytes_placed), same(progress.bytes_to_place, wire.bytes_to_place);
}

constexpr auto kToWire = [](const auto& ours, auto& wire) { wire = ours; };
constexpr auto kFromWire = [](auto& ours, const auto& wire) { ours = wire; };

const origin::OriginOptions kDefaults;

}  // namespace

api::SyncRequest to_wire(const SyncOrder& order) {
    api::SyncRequest out;
    each_option(order, out, kToWire);
    out.sse_c_key_hex = to_hex_of(order.origin.sse_c_key);
    if (order.origin.retries != kDefaults.retries) out.retries = order.origin.retries;
    if (order.origin.timeout_ms != kDefaults.timeout_ms) out.timeout_ms = order.origin.timeout_ms;
    return out;
}

Result<SyncOrder> from_wire(const api::SyncRequest& request) {
    SyncOrder out;
    each_option(out, request, kFromWire);
    out.origin.connections = request.connections;
    out.origin.retries = request.retries.value_or(kDefaults.retries);
    out.origin.timeout_ms = request.timeout_ms.value_or(kDefaults.timeout_ms);
    if (request.sse_c_key_hex.empty()) return out;
    const auto key = sha256_from_hex(request.sse_c_key_hex);  // of the same length: 32 bytes
    if (!key) return Error(ErrorKind::usage, "the key of the objects (SSE-C) is not 64 hex digits");
    out.origin.sse_c_key.assign(key->begin(), key->end());
    return out;
}

std::string sync_target(const api::SyncRequest& request) {
    const auto members = api::to_json(request);
    const auto is_first = [](const auto& member) {
        return std::ranges::find(api::kFirstSyncMembers, std::string_view(member.key())) !=
               std::end(api::kFirstSyncMembers);
    };
    return std::ranges::all_of(members.as_object(), is_first) ? "/v1/sync" : "/v2/sync";
}

api::SyncResult to_wire(const sync::SyncReport& report) {
    api::SyncResult out;
    each_result(report, out, kToWire);
    out.milliseconds = static_cast<uint64_t>(report.seconds * 1000);
    return out;
}

sync::SyncReport from_wire(const api::SyncResult& result) {
    sync::SyncReport out;
    each_result(out, result, kFromWire);
    out.seconds = static_cast<double>(result.milliseconds) / 1000;
    return out;
}

api::SyncProgress to_wire(const sync::Progress& progress) {
    api::SyncProgress out;
    out.phase = static_cast<uint32_t>(progress.phase.load());
    each_counter(progress, out, [](const auto& ours, auto& wire) { wire = ours.load(); });
    for (const auto& file : progress.long_files())
        out.long_files.push_back({file.path, file.bytes_done, file.bytes_total});
    return out;
}

void follow(const api::SyncProgress& from, sync::Progress& to) {
    to.phase = static_cast<sync::Phase>(std::min<uint32_t>(from.phase, static_cast<uint32_t>(sync::Phase::done)));
    each_counter(to, from, kFromWire);
    for (const auto& file : to.long_files()) to.end_long_file(file.path);
    for (const auto& file : from.long_files) to.begin_long_file(file.path, file.bytes_total, file.bytes_done);
}

}  // namespace zcdp::services
