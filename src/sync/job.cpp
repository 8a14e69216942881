#include "src/sync/job.hpp"

namespace zcdp::sync {

std::string object_name(const origin::OriginIdentity& identity, const std::string& path) {
    const std::string scheme = identity.endpoint == "file://" ? "" : "s3://";
    return scheme + identity.bucket + "/" + identity.prefix + path;
}

void FetchJob::fail(Error error) {
    const std::scoped_lock lock(mutex_);
    if (!error_) error_ = std::move(error);
    failed_ = true;
}

std::optional<Error> FetchJob::error() const {
    const std::scoped_lock lock(mutex_);
    return error_;
}

}  // namespace zcdp::sync
