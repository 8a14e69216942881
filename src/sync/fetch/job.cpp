#include "src/sync/fetch/job.hpp"

namespace zcdp::sync {

std::string object_name(const std::string& source, const origin::OriginIdentity& identity, const std::string& path) {
    const bool one = identity.is_object || source.starts_with("https://") || source.starts_with("http://");
    const size_t scheme = source.find("://"), slash = source.rfind('/');
    if (one && scheme == std::string::npos)
        return slash == std::string::npos ? path : source.substr(0, slash + 1) + path;
    if (one && slash > scheme + 2) return source.substr(0, slash + 1) + path;
    return source + (source.ends_with('/') ? "" : "/") + path;
}

void FetchJob::fail(Error error) {
    {
        const MutexLock lock(mutex_);
        if (!error_) error_ = std::move(error);
    }
    ending_.request_stop();
}

std::optional<Error> FetchJob::error() const {
    const MutexLock lock(mutex_);
    return error_;
}

}  // namespace zcdp::sync
