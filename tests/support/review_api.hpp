// An API server that knows only reviews: TokenReview and SubjectAccessReview.
#pragma once

#include <atomic>
#include <functional>

#include "zcdp/kube/api.hpp"

namespace zcdp::test {

namespace json = boost::json;

/// Answers reviews by `answer`, and counts them; whatever else is asked fails.
class ReviewApi final : public kube::Api {
    template <class T = void>
    using ApiResult = kube::ApiResult<T>;
    using Resource = kube::Resource;

  public:
    std::function<ApiResult<json::object>(const json::object& review)> answer;
    std::atomic<int> asked{0};

    ApiResult<json::object> create(const Resource&, const std::string&, const json::object& object, const char*,
                                   const std::string&) override {
        ++asked;
        return answer(object);
    }
    ApiResult<json::object> get(const Resource&, const std::string&, const std::string&) override { return none(); }
    ApiResult<std::string> list(const Resource&, const kube::ListOptions&,
                                const std::function<void(json::object&&)>&) override {
        return none();
    }
    ApiResult<> watch(const Resource&, const kube::WatchOptions&, const std::function<void(kube::WatchEvent&&)>&,
                      std::stop_token) override {
        return none();
    }
    ApiResult<json::object> replace(const Resource&, const json::object&, const char*) override { return none(); }
    ApiResult<json::object> patch(const Resource&, const std::string&, const std::string&, kube::PatchKind,
                                  const json::value&, const char*) override {
        return none();
    }
    ApiResult<> remove(const Resource&, const std::string&, const std::string&, const std::string&) override {
        return none();
    }
    ApiResult<std::string> raw_get(const std::string&) override { return none(); }

  private:
    static kube::ApiError none() {
        return kube::ApiError(kube::ApiErrorKind::invalid, 400, "only reviews are answered");
    }
};

}  // namespace zcdp::test
