#include "src/datastore/server/uploads.hpp"

#include <boost/asio/post.hpp>

namespace zcdp::datastore {
namespace {

constexpr size_t kIdDigits = 32;

std::shared_ptr<Upload> ending_on(boost::asio::thread_pool& pool, std::unique_ptr<Upload> upload) {
    return {upload.release(),
            [&pool](Upload* ended) { boost::asio::post(pool, [owned = std::unique_ptr<Upload>(ended)] {}); }};
}

}  // namespace

Answered<Uploads::Speaking> Uploads::begin(const std::string& key, UploadIntent intent, store::Ingest& ingest,
                                           Quota& quota) {
    auto hold = ingest.hold();
    ZCDP_TRY(auto incoming, ingest.incoming(hold));
    const std::string id = random_.hex(kIdDigits);
    auto upload = ending_on(
        pool_, std::make_unique<Upload>(id, key, std::move(intent), std::move(hold), std::move(incoming), quota));
    const MutexLock lock(mutex_);
    if (known_.size() >= kMost && !make_room())
        return Refused(kTooManyRequests, Error(ErrorKind::throttled, "too many uploads are under way", key));
    known_[id] = {upload, 1, clock_.monotonic_ns()};
    count_.set(known_.size());
    return Speaking(*this, std::move(upload));
}

/// Ends the one that has been idle longest, if that is long.
bool Uploads::make_room() {
    auto oldest = known_.end();
    for (auto at = known_.begin(); at != known_.end(); ++at)
        if (at->second.speakers == 0 && (oldest == known_.end() || at->second.last_ns < oldest->second.last_ns))
            oldest = at;
    if (oldest == known_.end() || clock_.monotonic_ns() - oldest->second.last_ns < kDropNs) return false;
    known_.erase(oldest);
    return true;
}

Answered<Uploads::Speaking> Uploads::find(const std::string& id, const std::string& key) {
    const MutexLock lock(mutex_);
    const auto at = known_.find(id);
    if (at == known_.end() || at->second.upload->key != key || at->second.upload->is_broken())
        return Error(ErrorKind::not_found, "there is no such upload (any more)", id, "begin again");
    ++at->second.speakers;
    return Speaking(*this, at->second.upload);
}

void Uploads::ended_speaking(const std::string& id) {
    const MutexLock lock(mutex_);
    const auto at = known_.find(id);
    if (at == known_.end()) return;
    --at->second.speakers;
    at->second.last_ns = clock_.monotonic_ns();
}

void Uploads::end(const std::string& id) {
    const MutexLock lock(mutex_);
    known_.erase(id);
    count_.set(known_.size());
}

void Uploads::end_idle(int64_t idle_ns) {
    const int64_t now = clock_.monotonic_ns();
    const MutexLock lock(mutex_);
    std::erase_if(known_,
                  [&](const auto& one) { return one.second.speakers == 0 && now - one.second.last_ns >= idle_ns; });
    count_.set(known_.size());
}

void Uploads::end_all() {
    const MutexLock lock(mutex_);
    known_.clear();
}

}  // namespace zcdp::datastore
