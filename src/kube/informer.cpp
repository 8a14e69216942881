#include "zcdp/kube/informer.hpp"

#include "src/kube/watch_pauses.hpp"
#include "zcdp/base/stop.hpp"

namespace zcdp::kube {
namespace {

std::string version_of(const json::object& object) {
    const json::value* meta = object.if_contains("metadata");
    const json::value* version =
        meta && meta->is_object() ? meta->get_object().if_contains("resourceVersion") : nullptr;
    return version && version->is_string() ? std::string(version->get_string()) : std::string();
}

}  // namespace

Informer::Informer(Api& api, const Resource& resource, ListOptions scope, CacheSink& sink, Random& random, Logger& log)
    : api_(api),
      resource_(resource),
      scope_(std::move(scope)),
      sink_(sink),
      random_(random),
      log_(log),
      thread_([this](std::stop_token stop) { run(stop); }) {}

Informer::~Informer() = default;

std::string Informer::last_error() const {
    const MutexLock lock(mutex_);
    return last_error_;
}

ApiResult<std::string> Informer::list() {
    sink_.begin_replace();
    auto version = api_.list(resource_, scope_, [this](json::object&& object) { sink_.put(std::move(object)); });
    // A list that broke off half-way says nothing of what is gone.
    if (version) sink_.end_replace();
    return version;
}

void Informer::run(std::stop_token stop) {
    std::string version;
    WatchPauses pauses;
    while (!stop.stop_requested()) {
        ApiResult<> ended;
        if (version.empty()) {
            auto listed = list();
            if (listed) version = *listed, synced_ = true;
            else ended = listed.error();
        }
        if (ended) {
            WatchOptions options;
            options.ns = scope_.ns, options.label_selector = scope_.label_selector,
            options.field_selector = scope_.field_selector;
            options.resource_version = version;
            bool any = false;
            ended = api_.watch(
                resource_, options,
                [&](WatchEvent&& event) {
                    any = true;
                    if (auto newer = version_of(event.object); !newer.empty()) version = std::move(newer);
                    if (event.type == WatchEvent::Type::deleted) sink_.erase(event.object);
                    else if (event.type != WatchEvent::Type::bookmark) sink_.put(std::move(event.object));
                },
                stop);
            if (any) pauses.went_well();
        }
        if (stop.stop_requested()) return;
        {
            const MutexLock lock(mutex_);
            last_error_ = ended ? "" : ended.error().message();
        }
        if (ended) {
            (void)wait_for_stop(stop, 10 + random_.below(100));  // an ordinary end: not all watchers at once again
            pauses.went_well();
            continue;
        }
        // Too old, or refused: the cache may have missed something, so all of it is read again.
        if (ended.error().kind() == ApiErrorKind::gone) version.clear();
        log_.info("a watch ended", {{"kind", resource_.kind}, {"error", ended.error().message()}});
        (void)wait_for_stop(stop, pauses.after_ms(ended.error(), random_));
    }
}

}  // namespace zcdp::kube
