// Keeps a cache true: list, watch, and again. Bookmarks carry the resourceVersion on; 410 and a watch that was lost for
// long begin anew with a list; every failure waits a jittered, growing moment first.
//
// Thread rule: one thread of its own, which also runs the cache's on_change. Ends when it is destroyed.
#pragma once

#include <atomic>
#include <thread>

#include "zcdp/base/guarded.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/kube/cache.hpp"

namespace zcdp::kube {

class Informer {
  public:
    /// `api`, `sink`, `random` and `log` must outlive it.
    Informer(Api& api, const Resource& resource, ListOptions scope, CacheSink& sink, Random& random, Logger& log);
    ~Informer();
    Informer(const Informer&) = delete;
    Informer& operator=(const Informer&) = delete;
    /// Whether the first list is through.
    bool synced() const { return synced_; }
    /// What went wrong last; empty once it works again.
    std::string last_error() const;

  private:
    void run(std::stop_token stop);
    ApiResult<std::string> list();
    Api& api_;
    const Resource& resource_;
    const ListOptions scope_;
    CacheSink& sink_;
    Random& random_;
    Logger& log_;
    std::atomic<bool> synced_{false};
    mutable Mutex mutex_;
    std::string last_error_ ZCDP_GUARDED_BY(mutex_);
    std::jthread thread_;
};

}  // namespace zcdp::kube
