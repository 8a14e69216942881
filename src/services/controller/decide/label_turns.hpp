// Gates and data labels take turns. The scheduler hears that a node has a data label and binds a pod there; a kubelet
// that has not heard of it yet refuses the pod for good (NodeAffinity). So a gate goes only when every kubelet must
// have heard of all the labels that are there, and a label is put on another node only when no pod that asks for it is
// on its way to the scheduler:
//
//     |put, put|    the kubelets hear     |   gates go ...            |(pods are bound) put |
//     0 ... 0.5 s                     2.5 s at most                at least 4 s
//
// Labels of datasets for which no pod waits need none of this.
// Thread rule: one thread; time is monotonic. Only the leader writes these labels; one that takes over takes each for a
// new one.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "zcdp/api/core.hpp"

namespace zcdp::services::controller {

/// Watches carry a change in milliseconds; this is for machines that have no time.
inline constexpr int64_t kHeardAfterNs = 2'000'000'000;

class LabelTurns {
  public:
    /// What a node carries now.
    void see(const api::Node& node, int64_t now_ns);
    void forget(const std::string& node) { carried_.erase(node), leaving_.erase(node); }

    /// Nanoseconds until gates of pods that ask for the label may go; 0: now.
    int64_t closed_ns(const std::string& label, int64_t now_ns) const;
    /// A gate is about to go (also if nobody will say whether it went).
    void opening(const std::vector<std::string>& labels, int64_t now_ns);

    /// Nanoseconds until the label may be put on one more node; 0: now. `pods_between`: some that ask for it have no
    /// gate and no node yet.
    int64_t before_put_ns(const std::string& label, bool pods_between, int64_t now_ns);
    /// The same for taking it off a node, for a kubelet that hears of it before it hears of its pod refuses that, too.
    int64_t before_removal_ns(const std::string& node, const std::string& label, bool pods_between, int64_t now_ns);
    /// It is about to be put.
    void putting(const std::string& label, int64_t now_ns);

  private:
    /// Somebody who looks again and again whether the turn has come.
    struct Wait {
        int64_t since_ns = 0, looked_ns = 0;  ///< 0: nobody waits
        int64_t so_far_ns(int64_t now_ns);    ///< a look
        bool is_on(int64_t now_ns) const;
    };
    struct Turn {
        /// The last label seen or put; when this round of labels began; the last gate
        int64_t newest_ns = 0, round_ns = 0, opened_ns = 0;
        Wait wait;  ///< of a label, for the pods between
        bool opened_lately(int64_t now_ns) const;
    };
    std::map<std::string, Turn> turns_;                           ///< by label
    std::map<std::string, std::set<std::string>> carried_;        ///< node -> labels
    std::map<std::string, std::map<std::string, Wait>> leaving_;  ///< node -> labels that are to go
};

/// Whether the kubelet of its node has not taken the pod yet.
bool is_arriving(const api::Pod& pod);
/// Whether the pod can only run where this label is, and the scheduler may be about to bind it.
bool is_between(const api::Pod& pod, const std::string& label);

}  // namespace zcdp::services::controller
