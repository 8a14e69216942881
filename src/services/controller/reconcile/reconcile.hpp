// Looks at one object (a "key") at a time: gathers what the caches say of it, lets a decider (decide/) say what should
// be, and writes that. It knows only kube::Api, the caches, a Lister and a clock, so that the same code runs against a
// real API server and in the simulation (tests/unit/services/controller_simulation_test.cpp).
//
// Keys: "dataset/NS/NAME", "claim/NS/NAME", "pod/NS/NAME", "node/NAME", "backend/NAME".
// Thread rule: one thread. Every write is asked for permission first: `may_write` is the lease.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "src/services/controller/decide/decide_dataset.hpp"
#include "src/services/controller/decide/decide_pod.hpp"
#include "src/services/controller/decide/decide_small.hpp"
#include "src/services/controller/decide/label_turns.hpp"
#include "src/services/controller/decide/room.hpp"
#include "src/services/controller/listing/listings.hpp"
#include "src/services/controller/world.hpp"
#include "zcdp/kube/events.hpp"
#include "zcdp/kube/work_queue.hpp"

namespace zcdp::services::controller {

/// The key under which a Dataset is looked at.
inline std::string dataset_job(const api::DatasetKey& key) { return "dataset/" + key.text(); }

class Reconciler {
  public:
    struct Parts {
        kube::Api& api;
        World& world;
        Lister& lister;
        kube::EventRecorder& events;
        const Clock& clock;
        Metrics& metrics;
        Logger& log;
        std::function<bool()> may_write;
        std::function<void()> before_orders;  ///< what agents need before they are told to fetch: their Role
    };
    explicit Reconciler(Parts parts) : parts_(std::move(parts)) {}

    /// The seconds after which the key wants to be looked at again, if nothing changes before. Errors: of the API.
    kube::ApiResult<std::optional<uint64_t>> reconcile(const std::string& key);

    /// NodeDatasets whose Dataset is gone (it was deleted while a replica with an old cache still wrote): they go, too.
    kube::ApiResult<> retire_ownerless();

    /// Routes the caches' changes to keys of `queue`. Before anything feeds the caches.
    static void route(World& world, kube::WorkQueue& queue);

  private:
    using Again = kube::ApiResult<std::optional<uint64_t>>;
    Again reconcile_dataset(const api::DatasetKey& key);
    Again reconcile_claim(const std::string& key);
    Again reconcile_pod(const std::string& key);
    Again reconcile_node(const std::string& name);
    Again reconcile_backend(const std::string& name);

    PodView view_of(const api::Pod& pod, Rooms& rooms) const;
    kube::ApiResult<> open_gate(const api::Pod& pod, const PodDecision& decision);
    std::optional<uint64_t> wait_for_turn(std::map<std::string, std::string>& labels, const api::Node& node);
    kube::ApiResult<> tell(const api::Pod& pod, const DataReady& says);
    DatasetView view_of(const api::Dataset& dataset) const;
    Objects<api::Pod> pods_of(const api::DatasetClaim& claim) const;
    kube::ApiResult<> release(const Objects<api::NodeDataset>& objects);
    kube::ApiResult<> apply(const DatasetView& view, const DatasetDecision& decision);
    void announce(const api::Dataset& dataset, const api::DatasetStatus& status);
    kube::ApiResult<> set_wanted(const api::NodeDataset& object, api::Word<api::Wanted> wanted);
    kube::ApiResult<> redirect(const Redirection& to);
    kube::ApiResult<> drop_finalizer(const kube::Resource& resource, const api::ObjectMeta& metadata,
                                     const char* finalizer);
    kube::ApiResult<> add_finalizer(const kube::Resource& resource, const api::ObjectMeta& metadata,
                                    const char* finalizer);
    kube::ApiResult<> write_allowed() const;
    Parts parts_;
    LabelTurns turns_;
    Promises promises_;
    std::map<std::string, int64_t> told_ns_;  ///< when a waiting pod was last told how far its data is, by its uid
};

}  // namespace zcdp::services::controller
