#include <algorithm>

#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

std::vector<Progress::LongFile> Progress::long_files() const {
    const MutexLock lock(mutex_);
    return long_files_;
}

void Progress::begin_long_file(const std::string& path, uint64_t total, uint64_t done) {
    const MutexLock lock(mutex_);
    long_files_.push_back({path, done, total});
}

void Progress::advance_long_file(const std::string& path, int64_t bytes) {
    const MutexLock lock(mutex_);
    const auto it = std::find_if(long_files_.begin(), long_files_.end(), [&](const auto& f) { return f.path == path; });
    if (it != long_files_.end()) it->bytes_done += static_cast<uint64_t>(bytes);
}

void Progress::end_long_file(const std::string& path) {
    const MutexLock lock(mutex_);
    std::erase_if(long_files_, [&](const auto& f) { return f.path == path; });
}

std::optional<swarm::SessionState> Progress::swarm() const {
    const MutexLock lock(mutex_);
    return swarm_;
}

void Progress::say_swarm(const swarm::SessionState& state) {
    const MutexLock lock(mutex_);
    swarm_ = state;
}

}  // namespace zcdp::sync
