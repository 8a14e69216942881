// Which nodes have room for a pod that waits: what the scheduler's fit of resources will say. A pod whose gate goes
// must find a node, for its affinity cannot be changed afterwards (KEP-3838). Thread rule: one thread.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "src/services/controller/world.hpp"

namespace zcdp::services::controller {

/// What is left on a node beside the pods that are there. Pods that `pod` may push out (of a lower priority) take no
/// room. Pure.
api::Amounts free_on(const api::Node& node, const Objects<api::Pod>& there, const api::Pod& pod);

/// Pods whose gates went and that no node has yet: the room that was seen for each is taken.
class Promises {
  public:
    void make(const api::Pod& pod, const std::string& node, int64_t now_ns);
    /// Forgets pods that are on a node, have ended or are gone, and what is so old that the scheduler must have seen
    /// it.
    void settle(const World& world, int64_t now_ns);
    /// What is promised on a node to other pods than this one.
    api::Amounts on(const std::string& node, const std::string& except_uid) const;

  private:
    struct Promise {
        std::string key, node;
        api::Amounts amounts;
        int64_t at_ns = 0;
    };
    std::map<std::string, Promise> made_;  ///< by the pod's uid
};

/// The rooms of one decision: each node's pods are added up once.
class Rooms {
  public:
    Rooms(const World& world, const Promises& promises) : world_(world), promises_(promises) {}
    bool has(const api::Pod& pod, const api::Node& node);

  private:
    const World& world_;
    const Promises& promises_;
    std::map<std::pair<std::string, int64_t>, api::Amounts> free_;  ///< by node and the priority that counts
};

}  // namespace zcdp::services::controller
