#include "src/services/agent/volumes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <set>

#include "src/services/agent/place_in.hpp"
#include "src/services/backend/nested_mounts.hpp"
#include "src/services/metrics.hpp"
#include "zcdp/api/core.hpp"
#include "zcdp/api/names.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services::agent {
namespace {

using kube::CsiCode;
using kube::CsiStatus;

constexpr uint64_t kLookEveryMs = 1'000, kPodEveryMs = 5'000, kFailedHoldMs = 15'000;
constexpr uint32_t kMissesBeforeSweep = 2;
constexpr size_t kClaimsMost = 1'000;

std::string value_of(const std::map<std::string, std::string>& context, const char* name) {
    const auto at = context.find(name);
    return at == context.end() ? "" : at->second;
}

CsiCode code_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::not_found: return CsiCode::not_found;
        case ErrorKind::usage:
        case ErrorKind::refused: return CsiCode::invalid_argument;
        case ErrorKind::no_space: return CsiCode::resource_exhausted;
        default: return CsiCode::internal;
    }
}

std::optional<VolumeRecord> parse_record(const std::string& owner) {
    boost::system::error_code code;
    const auto value = boost::json::parse(owner, code);
    if (code || !value.is_object()) return std::nullopt;
    auto record = api::from_json<VolumeRecord>(value);
    if (!record || record->target.empty()) return std::nullopt;
    return std::move(*record);
}

/// The first mount inside this one for which the dataset has no place: the container runtime could not make it, and
/// would say only "read-only file system", again and again.
std::optional<CsiStatus> missing_below(const std::string& tree, const api::DatasetClaim& claim,
                                       const std::string& attribute) {
    if (attribute.empty()) return std::nullopt;
    const std::string shown = claim.spec.sub_path.empty() ? tree : tree + "/" + claim.spec.sub_path;
    for (backend::NestedMount& mount : backend::read_below(attribute)) {
        const Place place = place_in(shown, mount.folder);
        if (place == Place::folder || (place == Place::other && !mount.directory)) continue;
        mount.claim = claim.metadata.name;
        return CsiStatus{
            CsiCode::invalid_argument,
            fmt::format("{}: dataset {} has {} there, so the container cannot start: {}", mount.line(),
                        claim.spec.dataset,
                        place == Place::none ? "no folder " + mount.folder : "a file " + mount.folder, mount.remedy())};
    }
    return std::nullopt;
}

}  // namespace

Volumes::Volumes(Parts parts, VolumesOptions options, std::function<void(const std::string&)> use_changed)
    : parts_(parts), options_(std::move(options)), use_changed_(std::move(use_changed)) {}

size_t Volumes::count() const {
    const MutexLock lock(mutex_);
    return volumes_.size();
}

void Volumes::registered(bool accepted, const std::string& error) {
    registered_ = accepted;
    if (accepted) parts_.log.info("kubelet has registered the driver");
    else parts_.log.error("kubelet refused the driver", {{"error", error}});
}

/// Leases without their mount go; mounts without a lease get one.
Result<> Volumes::adopt() {
    ZCDP_TRY(const auto leases, parts_.leases.leases());
    ZCDP_TRY(const auto mounts, parts_.mounter.mounts());
    const MutexLock lock(mutex_);
    std::map<std::string, const DataMount*> by_target;
    for (const DataMount& mount : mounts)
        if (!mount.pod_uid.empty()) by_target[mount.target] = &mount;
    for (const store::LeaseInfo& lease : leases) {
        auto record = parse_record(lease.owner);
        if (!record) continue;
        const auto at = by_target.find(record->target);
        const bool mounted = at != by_target.end() && at->second->snapshot == lease.snapshot;
        if (!mounted || volumes_.contains(record->target)) {
            ZCDP_CHECK(parts_.leases.release(lease.id));
            continue;
        }
        const std::string target = record->target;
        volumes_[target] = {std::move(*record), lease.id, lease.snapshot, 0};
    }
    for (const auto& [target, mount] : by_target) {
        if (volumes_.contains(target)) continue;
        VolumeRecord record;
        record.target = target;
        record.pod.uid = mount->pod_uid;
        auto lease = parts_.leases.lease(mount->snapshot, boost::json::serialize(api::to_json(record)), 0);
        if (!lease) {
            parts_.log.error("a mounted snapshot is not in the index",
                             {{"target", target}, {"error", lease.error().line()}});
            continue;
        }
        volumes_[target] = {std::move(record), *lease, mount->snapshot, 0};
    }
    if (!volumes_.empty()) parts_.log.info("adopted mounts", {{"count", static_cast<uint64_t>(volumes_.size())}});
    return {};
}

std::vector<api::PodRef> Volumes::pods_of(const std::string& dataset_uid) const {
    const MutexLock lock(mutex_);
    std::vector<api::PodRef> out;
    for (const auto& [target, volume] : volumes_)
        if (volume.record.dataset_uid == dataset_uid) out.push_back(volume.record.pod);
    return out;
}

std::optional<CsiStatus> Volumes::refuse(const kube::PublishRequest& request) const {
    if (request.volume_id.empty()) return CsiStatus{CsiCode::invalid_argument, "the volume id is missing"};
    if (request.target_path.empty()) return CsiStatus{CsiCode::invalid_argument, "the target path is missing"};
    if (!request.has_capability) return CsiStatus{CsiCode::invalid_argument, "the volume capability is missing"};
    if (request.block) return CsiStatus{CsiCode::invalid_argument, "a dataset is a directory, never a block device"};
    if (!request.read_only)
        return CsiStatus{
            CsiCode::invalid_argument,
            "datasets are read-only: write \"readOnly: true\" in the pod's csi volume, beside \"driver: zcdp.io\""};
    for (const auto& [name, value] : request.context)
        if (name != api::kClaimAttribute && name != api::kBelowAttribute && !name.starts_with("csi.storage.k8s.io/"))
            return CsiStatus{CsiCode::invalid_argument,
                             "unknown volume attribute " + printable(name) +
                                 ": a volume names a claim of its own namespace and nothing else"};
    const std::string claim = value_of(request.context, api::kClaimAttribute);
    if (claim.empty())
        return CsiStatus{CsiCode::invalid_argument,
                         "write \"volumeAttributes: {claim: NAME}\": a DatasetClaim of the pod's namespace"};
    if (claim.size() > 253 || claim.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") != std::string::npos)
        return CsiStatus{CsiCode::invalid_argument, "the claim " + printable(claim) + " is no name of an object"};
    return std::nullopt;
}

kube::ApiResult<Volumes::Claimed> Volumes::read_claim(const std::string& ns, const std::string& name) {
    Claimed out;
    auto claim = parts_.api.get(kube::resources::claims, ns, name);
    if (!claim && claim.error().kind() == kube::ApiErrorKind::not_found)
        return kube::ApiError(kube::ApiErrorKind::not_found, 404,
                              fmt::format("there is no DatasetClaim {} in namespace {}", name, ns));
    if (!claim) return std::move(claim).error();
    auto parsed = api::from_json<api::DatasetClaim>(kube::json::value(std::move(*claim)));
    if (!parsed) return kube::ApiError(kube::ApiErrorKind::malformed, 0, parsed.error().line());
    auto dataset = parts_.api.get(kube::resources::datasets, ns, parsed->spec.dataset);
    if (!dataset && dataset.error().kind() == kube::ApiErrorKind::not_found)
        return kube::ApiError(
            kube::ApiErrorKind::not_found, 404,
            "DatasetClaim " + name + " names Dataset " + parsed->spec.dataset + ", which is not in namespace " + ns);
    if (!dataset) return std::move(dataset).error();
    auto parsed_dataset = api::from_json<api::Dataset>(kube::json::value(std::move(*dataset)));
    if (!parsed_dataset) return kube::ApiError(kube::ApiErrorKind::malformed, 0, parsed_dataset.error().line());
    out.claim = std::move(*parsed), out.dataset = std::move(*parsed_dataset);
    out.read_at_ns = parts_.clock.monotonic_ns();
    return out;
}

/// A second old at most; older only while the API server cannot be asked.
kube::ApiResult<Volumes::Claimed> Volumes::claim(const std::string& ns, const std::string& name) {
    const std::string key = ns + "/" + name;
    std::optional<Claimed> known;
    {
        const MutexLock lock(mutex_);
        if (const auto at = claims_.find(key); at != claims_.end()) known = at->second;
    }
    const int64_t fresh_ns = static_cast<int64_t>(options_.claim_cache_ms) * 1'000'000;
    if (known && parts_.clock.monotonic_ns() - known->read_at_ns < fresh_ns) return *known;
    auto now = read_claim(ns, name);
    const MutexLock lock(mutex_);
    if (now) {
        if (claims_.size() >= kClaimsMost) claims_.clear();
        claims_[key] = *now;
        return now;
    }
    const auto kind = now.error().kind();
    const bool away = kind == kube::ApiErrorKind::unreachable || kind == kube::ApiErrorKind::timeout ||
                      kind == kube::ApiErrorKind::server;
    if (away && known) return *known;
    claims_.erase(key);
    return now;
}

Volumes::Waiting Volumes::describe_transfer(const Claimed& claimed, const TransferView& view) const {
    Waiting out;
    const std::string& name = claimed.dataset.metadata.name;
    if (view.phase == TransferPhase::failed && view.error) {
        out.status = {CsiCode::unavailable, fmt::format("dataset {}: {}: {}; next attempt in {}", name,
                                                        api::reason_of(view.error->kind()).text(), view.error->line(),
                                                        format_duration(static_cast<uint64_t>(view.retry_in_ms)))};
        out.final = true;
        return out;
    }
    if (view.bytes_total == 0) {
        out.status = {CsiCode::unavailable, fmt::format("dataset {}: being listed", name)};
        return out;
    }
    const uint64_t left = view.bytes_total - std::min(view.bytes_done, view.bytes_total);
    const std::string eta =
        view.bytes_per_second > 1
            ? format_duration(static_cast<uint64_t>(static_cast<double>(left) / view.bytes_per_second * 1000))
            : "unknown time";
    out.status = {CsiCode::unavailable, fmt::format("dataset {}: {} percent, {} of {}, {} left", name,
                                                    view.bytes_done * 100 / view.bytes_total,
                                                    format_size(view.bytes_done), format_size(view.bytes_total), eta)};
    return out;
}

Volumes::Waiting Volumes::look(const Claimed& claimed) {
    Waiting out;
    const api::Dataset& dataset = claimed.dataset;
    if (dataset.metadata.deleting() || claimed.claim.metadata.deleting()) {
        out.status = {CsiCode::unavailable,
                      fmt::format("dataset {} or the claim of it is being deleted", dataset.metadata.name)};
        out.final = true;
        return out;
    }
    if (dataset.status.revision.empty()) {
        const api::Condition* listed = api::find_condition(dataset.status.conditions, "Listed");
        out.status = {CsiCode::unavailable, fmt::format("dataset {}: {}", dataset.metadata.name,
                                                        listed && listed->status == api::ConditionStatus::no
                                                            ? listed->reason.str() + ": " + listed->message
                                                            : "not listed yet")};
        out.final = listed && listed->status == api::ConditionStatus::no;
        return out;
    }
    const std::string name = api::node_dataset_name(options_.node, dataset.metadata.uid, dataset.status.revision);
    if (const auto view = parts_.transfers.view(name)) {
        if (view->phase != TransferPhase::ready) return describe_transfer(claimed, *view);
        auto info = parts_.snapshots.find(view->snapshot);
        if (info && info->state == store::SnapshotState::ready) {
            out.ready = std::move(*info);
            return out;
        }
        out.status = {CsiCode::unavailable,
                      fmt::format("dataset {}: its snapshot is being repaired", dataset.metadata.name)};
        return out;
    }
    out.status = {CsiCode::unavailable, fmt::format("dataset {}: waiting for the controller to place it on node {}",
                                                    dataset.metadata.name, options_.node)};
    if (dataset.spec.paused)
        out.status.message = fmt::format("dataset {} is paused and not on this node", dataset.metadata.name);
    return out;
}

bool Volumes::pod_is_going(const api::PodRef& pod) {
    if (pod.name.empty()) return false;
    auto got = parts_.api.get(kube::resources::pods, pod.namespace_, pod.name);
    if (!got) return got.error().kind() == kube::ApiErrorKind::not_found;
    const auto parsed = api::from_json<api::Pod>(kube::json::value(std::move(*got)));
    return parsed && (parsed->metadata.deleting() || parsed->metadata.uid != pod.uid);
}

CsiStatus Volumes::wait_and_mount(const kube::PublishRequest& request, const api::PodRef& pod,
                                  const std::string& claim_name) {
    const int64_t began_ns = parts_.clock.monotonic_ns();
    int64_t pod_looked_ns = began_ns;
    while (true) {
        const uint64_t seen = parts_.transfers.changes();
        auto claimed = claim(pod.namespace_, claim_name);
        const uint64_t waited_ms = static_cast<uint64_t>(parts_.clock.monotonic_ns() - began_ns) / 1'000'000;
        CsiStatus status;
        bool final = false;
        if (claimed) {
            Waiting now = look(*claimed);
            if (now.ready) return mount(request, *claimed, *now.ready, pod);
            status = std::move(now.status), final = now.final;
        } else {
            status = {CsiCode::unavailable, claimed.error().message()};
            final = claimed.error().kind() == kube::ApiErrorKind::not_found;
        }
        if (waited_ms >= (final ? std::min(kFailedHoldMs, options_.hold_ms) : options_.hold_ms)) return status;
        if (request.cancelled && request.cancelled()) return {CsiCode::aborted, "the caller has gone away"};
        if (parts_.clock.monotonic_ns() - pod_looked_ns > static_cast<int64_t>(kPodEveryMs) * 1'000'000) {
            pod_looked_ns = parts_.clock.monotonic_ns();
            if (pod_is_going(pod)) return {CsiCode::aborted, "the pod is being deleted"};
        }
        parts_.transfers.wait_for_change(seen, kLookEveryMs);
    }
}

CsiStatus Volumes::mount(const kube::PublishRequest& request, const Claimed& claimed,
                         const store::SnapshotInfo& snapshot, const api::PodRef& pod) {
    VolumeRecord record{request.volume_id, request.target_path, claimed.dataset.metadata.uid, pod};
    const MutexLock one_at_a_time(mounting_);
    if (parts_.mounter.is_mount(request.target_path)) return {};
    if (auto missing =
            missing_below(snapshot.tree_path, claimed.claim, value_of(request.context, api::kBelowAttribute)))
        return *missing;
    auto lease = parts_.leases.lease(snapshot.id, boost::json::serialize(api::to_json(record)), 0);
    if (!lease) return {CsiCode::unavailable, lease.error().line()};  // evicted just now: it is fetched again
    if (auto bound = parts_.mounter.bind(snapshot.tree_path, claimed.claim.spec.sub_path, request.target_path);
        !bound) {
        (void)parts_.leases.release(*lease).has_value();
        return {code_of(bound.error().kind()), bound.error().line()};
    }
    {
        const MutexLock lock(mutex_);
        volumes_[request.target_path] = {std::move(record), *lease, snapshot.id, 0};
    }
    use_changed_(claimed.dataset.metadata.uid);
    return {};
}

CsiStatus Volumes::publish(const kube::PublishRequest& request) {
    const int64_t began_ns = parts_.clock.monotonic_ns();
    if (auto refused = refuse(request)) return *refused;
    if (parts_.mounter.is_mount(request.target_path)) return {};  // kubelet asks again after its restart
    api::PodRef pod{value_of(request.context, "csi.storage.k8s.io/pod.namespace"),
                    value_of(request.context, "csi.storage.k8s.io/pod.name"),
                    value_of(request.context, "csi.storage.k8s.io/pod.uid")};
    if (pod.namespace_.empty())
        return {CsiCode::invalid_argument, "kubelet did not name the pod: the CSIDriver needs podInfoOnMount: true"};
    CsiStatus status = wait_and_mount(request, pod, value_of(request.context, api::kClaimAttribute));
    const int64_t took_ns = parts_.clock.monotonic_ns() - began_ns;
    if (status.code == CsiCode::ok) {
        parts_.metrics.histogram(metric::mount_seconds).observe_ns(took_ns);
        parts_.log.info(
            "mounted",
            {{"pod", pod.namespace_ + "/" + pod.name}, {"target", request.target_path}, {"us", took_ns / 1000}});
    } else {
        parts_.metrics.counter(metric::mount_failures).add();
        parts_.log.info("not mounted yet", {{"pod", pod.namespace_ + "/" + pod.name}, {"error", status.message}});
    }
    return status;
}

CsiStatus Volumes::unpublish(const std::string& volume_id, const std::string& target_path) {
    if (volume_id.empty()) return {CsiCode::invalid_argument, "the volume id is missing"};
    if (target_path.empty()) return {CsiCode::invalid_argument, "the target path is missing"};
    std::optional<Volume> volume;
    {
        const MutexLock one_at_a_time(mounting_);
        if (auto gone = parts_.mounter.unbind(target_path); !gone) return {CsiCode::internal, gone.error().line()};
        const MutexLock lock(mutex_);
        if (const auto at = volumes_.find(target_path); at != volumes_.end()) {
            volume = std::move(at->second);
            volumes_.erase(at);
        }
    }
    if (!volume) return {};
    (void)parts_.snapshots.touch(volume->snapshot).has_value();
    if (auto released = parts_.leases.release(volume->lease); !released)
        parts_.log.warn("a lease could not be released", {{"error", released.error().line()}});
    parts_.log.info("unmounted",
                    {{"pod", volume->record.pod.namespace_ + "/" + volume->record.pod.name}, {"target", target_path}});
    use_changed_(volume->record.dataset_uid);
    return {};
}

CsiStatus Volumes::stats(const std::string& volume_id, const std::string& path, kube::VolumeStats& stats) {
    if (volume_id.empty()) return {CsiCode::invalid_argument, "the volume id is missing"};
    if (path.empty()) return {CsiCode::invalid_argument, "the volume path is missing"};
    std::optional<store::SnapshotId> snapshot;
    {
        const MutexLock lock(mutex_);
        if (const auto at = volumes_.find(path); at != volumes_.end()) snapshot = at->second.snapshot;
    }
    if (!snapshot) return {CsiCode::not_found, "no dataset is mounted at " + printable(path)};
    auto info = parts_.snapshots.find(snapshot->str());
    if (!info) return {CsiCode::not_found, info.error().line()};
    stats.total_bytes = stats.used_bytes = info->bytes;
    stats.total_inodes = stats.used_inodes = info->files + info->directories + info->symlinks;
    return {};
}

void Volumes::sweep_orphans() {
    std::vector<std::pair<std::string, api::PodRef>> mounted;
    {
        const MutexLock lock(mutex_);
        for (const auto& [target, volume] : volumes_)
            if (!volume.record.pod.name.empty()) mounted.emplace_back(target, volume.record.pod);
    }
    for (const auto& [target, pod] : mounted) {
        auto got = parts_.api.get(kube::resources::pods, pod.namespace_, pod.name);
        if (!got && got.error().kind() != kube::ApiErrorKind::not_found)
            return;  // the API server is away: nobody is judged
        const auto parsed =
            got ? api::from_json<api::Pod>(kube::json::value(std::move(*got))) : Result<api::Pod>(Error());
        const bool alive = parsed && parsed->metadata.uid == pod.uid;
        std::string volume_id;
        {
            const MutexLock lock(mutex_);
            const auto at = volumes_.find(target);
            if (at == volumes_.end()) continue;
            at->second.missed = alive ? 0 : at->second.missed + 1;
            if (at->second.missed >= kMissesBeforeSweep) volume_id = at->second.record.volume;
        }
        if (volume_id.empty()) continue;
        parts_.log.warn("kubelet forgot a mount of a pod that is gone",
                        {{"pod", pod.namespace_ + "/" + pod.name}, {"target", target}});
        (void)unpublish(volume_id, target);
    }
}

}  // namespace zcdp::services::agent
