// Whether a user may do something: asked of the Kubernetes API (SubjectAccessReview), and kept for a while.
//
// Thread rule: any thread; a call blocks its thread for one request of the Api at most. Calls with one question at the
// same time share that request. Ownership: the Api and the clock outlive it; nobody is in a call when it ends.
// Source of the protocol: kubernetes.io/docs/reference/kubernetes-api/authorization-resources/subject-access-review-v1.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "zcdp/base/clock.hpp"
#include "zcdp/kube/authn.hpp"
#include "zcdp/kube/review.hpp"

namespace zcdp::kube {

/// VERB on objects. An empty `ns` asks for all namespaces, an empty `name` for all objects: that is more, not less.
struct ObjectAccess {
    std::string verb;             ///< get, list, watch, create, update, patch, delete, ...
    std::string group, resource;  ///< "zcdp.io" ("" is core), "datasets"
    std::string subresource, ns, name;
};

/// VERB on a path that is no object's, such as get on "/metrics".
struct PathAccess {
    std::string verb, path;
};

using AccessQuestion = std::variant<ObjectAccess, PathAccess>;

class AccessReviewer {
  public:
    AccessReviewer(Api& api, const Clock& clock, ReviewCacheOptions options = {});
    ~AccessReviewer();
    AccessReviewer(const AccessReviewer&) = delete;
    AccessReviewer& operator=(const AccessReviewer&) = delete;

    /// An answer counts for exactly this user (name, uid, groups, extra) and question, for its time.
    ReviewResult<bool> allowed(const User& user, const AccessQuestion& question);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace zcdp::kube
