// Lists origins into revisions: one at a time a dataset, so many at once. The reconciler asks for a listing and looks
// at the outcome; it never waits.
//
// Thread rule: any thread. Destroying it stops what runs and waits.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "src/services/backend/backend_access.hpp"
#include "src/services/controller/decide/decide_dataset.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::services::controller {

/// What the reconciler needs; a simulation brings its own.
class Lister {
  public:
    virtual ~Lister() = default;
    /// Begins a listing for this Dataset unless one is under way.
    virtual void start(const api::Dataset& dataset, const ResolvedSource& source) = 0;
    virtual ListingOutcome outcome(const std::string& dataset_uid) const = 0;
    virtual void forget(const std::string& dataset_uid) = 0;
    /// Forgets every outcome: a new leader must not act on what it saw in an earlier reign.
    virtual void forget_outcomes() = 0;
    /// The listing of this revision as a file (include/zcdp/api/listing.hpp); made again from `source` (the revision's
    /// own) if it was lost. Blocks. Errors: not_found: the source has another revision by now; those of the origin.
    virtual Result<std::shared_ptr<Fd>> listing(const api::Dataset& dataset, const ResolvedSource& source,
                                                const Revision& revision) = 0;
};

/// `changed` is called with the Dataset's key when a listing has ended.
std::unique_ptr<Lister> make_lister(kube::Api& api, Machine machine, backend::AccessRules rules,
                                    std::string scratch_folder, std::function<void(const api::DatasetKey&)> changed);

}  // namespace zcdp::services::controller
