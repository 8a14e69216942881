// Who holds a bearer token: asked of the Kubernetes API (TokenReview), and kept for a while.
//
// Thread rule: any thread; a call blocks its thread for one request of the Api at most. Calls for one token at the same
// time share that request. Ownership: the Api and the clock outlive it; nobody is in a call when it ends.
// Secrets: a token is known by its SHA-256 alone once its request is over, and stands in no log line and no error.
// Source of the protocol: kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/kube/review.hpp"

namespace zcdp::kube {

/// Somebody, as Kubernetes names him. Of a pod: "system:serviceaccount:NAMESPACE:NAME".
struct User {
    std::string name, uid;
    std::vector<std::string> groups;
    std::map<std::string, std::vector<std::string>> extra;
    bool operator==(const User&) const = default;
};

class TokenReviewer {
  public:
    /// A token has to be meant for one of these audiences. At least one: else a token for the API server would do, and
    /// who is sent it could use it there (checked).
    TokenReviewer(Api& api, std::vector<std::string> audiences, const Clock& clock, ReviewCacheOptions options = {});
    ~TokenReviewer();
    TokenReviewer(const TokenReviewer&) = delete;
    TokenReviewer& operator=(const TokenReviewer&) = delete;

    /// The token's user; null: the token is no good, or not meant for us. An answer is kept for its time, and never
    /// past the token's own end (the claim `exp` of a JWT).
    ReviewResult<std::shared_ptr<const User>> user_of(std::string_view token);
    /// Of a request's header "Authorization: Bearer TOKEN" (the scheme in any case); null for any other header.
    ReviewResult<std::shared_ptr<const User>> user_of_header(std::string_view authorization);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace zcdp::kube
