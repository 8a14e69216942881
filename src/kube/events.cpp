#include "zcdp/kube/events.hpp"

namespace zcdp::kube {
namespace {

constexpr int64_t kAgainWithinS = 600;
constexpr size_t kSeenMost = 2'000;
constexpr size_t kMessageMost = 1'000;  // the API takes 1,024 bytes

}  // namespace

bool EventRecorder::count_again(Seen& seen) {
    const json::object patch{{"count", seen.count + 1}, {"lastTimestamp", iso8601(clock_.unix_s())}};
    if (!api_.patch(resources::events, seen.ns, seen.name, PatchKind::merge, patch)) return false;
    ++seen.count;
    seen.at_unix_s = clock_.unix_s();
    return true;
}

void EventRecorder::record(const EventObject& about, const char* type, const std::string& reason,
                           const std::string& message) {
    const MutexLock lock(mutex_);
    const int64_t now = clock_.unix_s();
    const std::string key = about.uid + "\n" + reason + "\n" + message;
    if (const auto at = seen_.find(key); at != seen_.end()) {
        if (now - at->second.at_unix_s < kAgainWithinS && count_again(at->second)) return;
        seen_.erase(at);
    }
    if (seen_.size() >= kSeenMost)
        std::erase_if(seen_, [now](const auto& entry) { return now - entry.second.at_unix_s >= kAgainWithinS; });
    if (seen_.size() >= kSeenMost) seen_.clear();
    const std::string ns =
        about.ns.empty() ? "default" : about.ns;  // where Kubernetes keeps events of cluster-scoped objects
    const std::string stamp = iso8601(now);
    const json::object event{
        {"apiVersion", "v1"},
        {"kind", "Event"},
        {"metadata", json::object{{"name", about.name.substr(0, 200) + "." + random_.hex(16)}, {"namespace", ns}}},
        {"involvedObject", json::object{{"apiVersion", about.api_version},
                                        {"kind", about.kind},
                                        {"namespace", about.ns},
                                        {"name", about.name},
                                        {"uid", about.uid}}},
        {"reason", reason},
        {"message", message.substr(0, kMessageMost)},
        {"type", type},
        {"count", 1},
        {"firstTimestamp", stamp},
        {"lastTimestamp", stamp},
        {"source", json::object{{"component", component_}, {"host", host_}}},
        {"reportingComponent", component_},
        {"reportingInstance", host_}};
    auto made = api_.create(resources::events, ns, event);
    if (!made) {
        log_.info("an event could not be written", {{"reason", reason}, {"error", made.error().message()}});
        return;
    }
    seen_[key] = {ns, std::string(made->at("metadata").as_object().at("name").as_string()), 1, now};
}

}  // namespace zcdp::kube
