#include "zcdp/kube/lease.hpp"

namespace zcdp::kube {
namespace {

std::string micro_time(int64_t unix_ns) {
    std::string text = iso8601(unix_ns / 1'000'000'000);
    std::string micros = std::to_string(1'000'000 + unix_ns / 1000 % 1'000'000);
    micros[0] = '.';
    text.insert(text.size() - 1, micros);
    return text;
}

const json::value* at(const json::object& object, std::string_view first, std::string_view second) {
    const json::value* inner = object.if_contains(first);
    return inner && inner->is_object() ? inner->get_object().if_contains(second) : nullptr;
}

std::string text(const json::value* value) {
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

LeaderLease::LeaderLease(Api& api, LeaseOptions options, const Clock& clock, Logger& log)
    : api_(api), options_(std::move(options)), clock_(clock), log_(log) {}

bool LeaderLease::is_leader() const { return clock_.monotonic_ns() < leads_until_ns_.load(); }

std::string LeaderLease::holder() const {
    const MutexLock lock(mutex_);
    return seen_holder_;
}

json::object LeaderLease::lease_object(const std::string& holder, int64_t transitions) const {
    const std::string now = micro_time(clock_.unix_ns());
    json::object spec{{"holderIdentity", holder},
                      {"leaseDurationSeconds", options_.duration_s},
                      {"renewTime", now},
                      {"leaseTransitions", transitions}};
    spec["acquireTime"] = acquired_.empty() ? now : acquired_;
    return {{"apiVersion", "coordination.k8s.io/v1"},
            {"kind", "Lease"},
            {"metadata", json::object{{"name", options_.name}, {"namespace", options_.ns}}},
            {"spec", std::move(spec)}};
}

ApiResult<> LeaderLease::try_take() {
    auto have = api_.get(resources::leases, options_.ns, options_.name);
    if (!have) {
        if (have.error().kind() != ApiErrorKind::not_found) return std::move(have).error();
        acquired_ = micro_time(clock_.unix_ns());
        auto made = api_.create(resources::leases, options_.ns, lease_object(options_.identity, 0));
        if (!made) return std::move(made).error();
        return {};
    }
    const std::string version = text(at(*have, "metadata", "resourceVersion")),
                      holder = text(at(*have, "spec", "holderIdentity"));
    if (version != seen_version_) seen_at_ns_ = clock_.monotonic_ns();
    seen_version_ = version;
    {
        const MutexLock lock(mutex_);
        seen_holder_ = holder;
    }
    const bool mine = holder == options_.identity;
    const bool expired = clock_.monotonic_ns() - seen_at_ns_ >= int64_t{options_.duration_s} * 1'000'000'000;
    if (!mine && !holder.empty() && !expired) return ApiError(ApiErrorKind::conflict, 0, "held by " + holder);
    const json::value* count = at(*have, "spec", "leaseTransitions");
    int64_t transitions = count && count->is_int64() ? count->get_int64() : 0;
    if (!mine) {
        ++transitions;
        acquired_ = micro_time(clock_.unix_ns());
    } else if (acquired_.empty()) {
        acquired_ = text(at(*have, "spec", "acquireTime"));
    }
    json::object wanted = lease_object(options_.identity, transitions);
    wanted.at("metadata").as_object()["resourceVersion"] = version;
    auto put = api_.replace(resources::leases, wanted);
    if (!put) return std::move(put).error();
    return {};
}

bool LeaderLease::step() {
    const bool led = is_leader();
    const int64_t began_ns = clock_.monotonic_ns();
    auto taken = try_take();
    if (taken) {
        leads_until_ns_ = began_ns + int64_t{options_.renew_deadline_ms} * 1'000'000;
        const MutexLock lock(mutex_);
        seen_holder_ = options_.identity;
        if (!led) log_.info("leads", {{"lease", options_.name}, {"as", options_.identity}});
    } else if (taken.error().kind() == ApiErrorKind::conflict && taken.error().http_status() == 0) {
        leads_until_ns_ = 0;  // somebody else's name is in it
    } else {
        log_.warn("the lease could not be renewed", {{"error", taken.error().message()}});
    }
    const bool leads = is_leader();
    if (led && !leads) log_.warn("leads no more", {{"lease", options_.name}});
    return leads;
}

void LeaderLease::release() {
    if (!is_leader()) return;
    leads_until_ns_ = 0;
    auto have = api_.get(resources::leases, options_.ns, options_.name);
    if (!have || text(at(*have, "spec", "holderIdentity")) != options_.identity) return;
    json::object wanted = lease_object("", 0);
    if (const json::value* count = at(*have, "spec", "leaseTransitions"))
        wanted.at("spec").as_object()["leaseTransitions"] = *count;
    wanted.at("metadata").as_object()["resourceVersion"] = text(at(*have, "metadata", "resourceVersion"));
    (void)api_.replace(resources::leases, wanted).has_value();
}

}  // namespace zcdp::kube
