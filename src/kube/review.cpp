#include "zcdp/kube/review.hpp"

#include <stdexcept>

namespace zcdp::kube {

Error Unanswered::to_error() const {
    return Error(ErrorKind::unreachable, "who may do what could not be asked: " + message_, "the Kubernetes API");
}

void throw_exception_from_error(const Unanswered& error, const boost::source_location&) {
    throw std::logic_error("unchecked Unanswered: " + error.message());
}

}  // namespace zcdp::kube
