// The mutating webhook's answers: an AdmissionReview in, one out. Fails open by configuration; what is refused here
// names both sides of the clash.
//
// Thread rule: any thread. The claims of a namespace are listed consistently, by a list that began after the request
// came, so that a claim of the same `kubectl apply` is seen; requests that come while a list runs share the next one.
#pragma once

#include <map>
#include <string>

#include "src/services/controller/webhook/mutate_pod.hpp"
#include "src/services/controller/world.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::services::controller {

class Webhook {
  public:
    Webhook(kube::Api& api, World& world, const Clock& clock, Logger& log)
        : api_(api), world_(world), clock_(clock), log_(log) {}
    /// `review`: an AdmissionReview as JSON.
    net::server::ControlResponse answer(const std::string& review);

  private:
    struct Known {
        Objects<api::DatasetClaim> claims;
        int64_t begun_at_ns = 0;
    };
    Objects<api::DatasetClaim> claims_in(const std::string& ns);
    std::shared_ptr<const api::Dataset> dataset(const api::DatasetKey& key);
    /// The patch, and what kubectl shows.
    Result<std::pair<kube::json::array, std::vector<std::string>>> patch_for(const kube::json::object& request);
    kube::Api& api_;
    World& world_;
    const Clock& clock_;
    Logger& log_;
    Mutex mutex_;
    std::map<std::string, Known> known_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::services::controller
