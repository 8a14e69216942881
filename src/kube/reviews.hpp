// The objects of TokenReview and SubjectAccessReview: what is sent, and what an answer says. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/kube/authn.hpp"
#include "zcdp/kube/authz.hpp"

namespace zcdp::kube {

/// The token of a header "Bearer TOKEN"; "" for any other.
std::string_view bearer_token(std::string_view authorization);
/// Whether it can be a token at all: printable ASCII without spaces, of at most 32 KiB.
bool is_token(std::string_view token);
/// The claim `exp`, in seconds since 1970, of what looks like a JWT; nothing where there is none. 0 for one that is no
/// time: it has passed, whatever it was meant to say. Nothing is verified here: it may only make a lifetime shorter.
std::optional<int64_t> jwt_expiry_s(std::string_view token);

/// What a failed call means to whoever asks, without a word of the token that was sent.
Unanswered unanswered(const ApiError& error, std::string_view token = {});

/// What is sent.
json::object token_review(std::string_view token, const std::vector<std::string>& audiences);
/// The user; nothing: the token is no good, or for none of `audiences`. Errors: malformed.
ApiResult<std::optional<User>> parse_token_review(const json::object& answer,
                                                  const std::vector<std::string>& audiences);

/// What is sent; the same question by the same user is the same text.
json::object access_review(const User& user, const AccessQuestion& question);
/// Errors: malformed.
ApiResult<bool> parse_access_review(const json::object& answer);

}  // namespace zcdp::kube
