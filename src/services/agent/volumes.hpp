// The pods' volumes on this node: publish, unpublish, and the leases that keep mounted snapshots from eviction.
//
// A publish finds what is mounted already before it asks anybody; reads the claim and its dataset (the last answers
// serve while the API server is away); waits, if need be, until the transfer is through, at most `hold_ms`; then takes
// a lease, and only then mounts. Unpublish never asks anybody. Thread rule: any thread. One mutex orders the mounting
// itself; waiting is outside of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/services/agent/mounter.hpp"
#include "src/services/agent/transfers.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/kube/cache.hpp"
#include "zcdp/kube/csi.hpp"
#include "zcdp/store/leases.hpp"
#include "zcdp/store/snapshots.hpp"

namespace zcdp::services::agent {

/// One published volume, as its lease remembers it.
struct VolumeRecord {
    std::string volume, target, dataset_uid;
    api::PodRef pod;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("volume", self.volume), field("target", self.target), field("dataset", self.dataset_uid),
            field("pod", self.pod);
    }
};

struct VolumesOptions {
    std::string node;
    uint64_t hold_ms = 110'000;  ///< kubelet gives up after 120 s, and its event then has no reason in it
    uint64_t claim_cache_ms = 1'000;
};

class Volumes final : public kube::CsiNode {
  public:
    struct Parts {
        kube::Api& api;
        store::Snapshots& snapshots;
        store::Leases& leases;
        Mounter& mounter;
        Transfers& transfers;
        const kube::Cache<api::NodeDataset>& node_datasets;  ///< of this node, indexed by dataset uid
        Fs& fs;
        const Clock& clock;
        Metrics& metrics;
        Logger& log;
    };
    Volumes(Parts parts, VolumesOptions options, std::function<void(const std::string& dataset_uid)> use_changed);

    /// Matches leases with what is really mounted: after a crash of the agent, or of the index.
    Result<> adopt();
    /// The pods that use a dataset on this node, and those that use a snapshot.
    std::vector<api::PodRef> pods_of(const std::string& dataset_uid) const;
    /// Unmounts what belongs to pods that the API server has not had for two looks in a row.
    void sweep_orphans();
    size_t count() const;

    kube::CsiStatus publish(const kube::PublishRequest& request) override;
    kube::CsiStatus unpublish(const std::string& volume_id, const std::string& target_path) override;
    kube::CsiStatus stats(const std::string& volume_id, const std::string& path, kube::VolumeStats& stats) override;
    void registered(bool accepted, const std::string& error) override;
    bool is_registered() const { return registered_; }

  private:
    struct Claimed {
        api::DatasetClaim claim;
        api::Dataset dataset;
        int64_t read_at_ns = 0;
    };
    struct Volume {
        VolumeRecord record;
        uint64_t lease = 0;
        store::SnapshotId snapshot;
        uint32_t missed = 0;  ///< looks in a row at which its pod was not there
    };
    kube::ApiResult<Claimed> read_claim(const std::string& ns, const std::string& name);
    kube::ApiResult<Claimed> claim(const std::string& ns, const std::string& name);
    /// The snapshot to mount, or what is still missing.
    struct Waiting {
        std::optional<store::SnapshotInfo> ready;
        kube::CsiStatus status;
        bool final = false;  ///< waiting longer would not help
    };
    Waiting look(const Claimed& claimed);
    Waiting describe_transfer(const Claimed& claimed, const TransferView& view) const;
    std::optional<kube::CsiStatus> refuse(const kube::PublishRequest& request) const;
    bool pod_is_going(const api::PodRef& pod);
    kube::CsiStatus mount(const kube::PublishRequest& request, const Claimed& claimed,
                          const store::SnapshotInfo& snapshot, const api::PodRef& pod);
    kube::CsiStatus wait_and_mount(const kube::PublishRequest& request, const api::PodRef& pod,
                                   const std::string& claim_name);

    Parts parts_;
    const VolumesOptions options_;
    const std::function<void(const std::string&)> use_changed_;
    Mutex mounting_;  ///< of whoever mounts or unmounts. Held over that
    mutable Mutex mutex_;
    std::map<std::string, Volume> volumes_ ZCDP_GUARDED_BY(mutex_);
    std::map<std::string, Claimed> claims_ ZCDP_GUARDED_BY(mutex_);
    std::atomic<bool> registered_{false};
};

}  // namespace zcdp::services::agent
