// What asking the Kubernetes API about users has in common: TokenReview (authn.hpp) and SubjectAccessReview
// (authz.hpp).
//
// Thread rule: values.
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::kube {

/// How long answers are kept, and how many. The same token or question is asked about again when its answer is over.
struct ReviewCacheOptions {
    uint64_t granted_ms = 60'000;  ///< so long may somebody go on whose right was taken away
    uint64_t denied_ms = 10'000;   ///< so long is somebody kept out who was given the right meanwhile
    size_t entries_max = 10'000;   ///< of granted, and as many of denied; the least recently used goes
};

/// The API server could not be asked, or its answer cannot be read. It says nothing about the user: a server answers
/// 503, never 401 or 403, and nobody keeps it.
class [[nodiscard]] Unanswered {
  public:
    Unanswered() = default;
    Unanswered(ApiErrorKind cause, std::string message, uint32_t retry_after_s = 0)
        : cause_(cause), message_(std::move(message)), retry_after_s_(retry_after_s) {}
    /// `forbidden` and `unauthorized` are about this process: it may not ask.
    ApiErrorKind cause() const { return cause_; }
    /// Never holds a token.
    const std::string& message() const { return message_; }
    uint32_t retry_after_s() const { return retry_after_s_; }
    /// unreachable, whatever the cause: to whom asks, being denied is another thing.
    Error to_error() const;

  private:
    ApiErrorKind cause_ = ApiErrorKind::unreachable;
    std::string message_;
    uint32_t retry_after_s_ = 0;
};

template <class T>
using ReviewResult = boost::system::result<T, Unanswered>;
[[noreturn]] void throw_exception_from_error(const Unanswered& error, const boost::source_location& where);

}  // namespace zcdp::kube
