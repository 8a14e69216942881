#include "src/datastore/server/upload.hpp"

#include <algorithm>

namespace zcdp::datastore {
namespace {

/// A barrier is worth its cost for so much.
constexpr uint64_t kStagedFiles = 4'096, kStagedBytes = 256 << 20;

uint64_t more(uint64_t wanted, uint64_t most, uint64_t had) { return std::min(wanted, most - std::min(most, had)); }

}  // namespace

Upload::~Upload() {
    const MutexLock lock(mutex_);
    quota_.give_back(reserved_.bytes);
    quota_.add_used(taken_.bytes);
}

Room Upload::to_reserve(const Room& missing) const {
    const MutexLock lock(mutex_);
    return {more(missing.bytes, intent.bytes, reserved_.bytes), more(missing.files, intent.files, reserved_.files)};
}

void Upload::reserved(const Room& room) {
    const MutexLock lock(mutex_);
    reserved_.bytes += room.bytes, reserved_.files += room.files;
}

bool Upload::take_room(uint64_t bytes) {
    const MutexLock lock(mutex_);
    if (bytes > reserved_.bytes - taken_.bytes) return false;
    taken_.bytes += bytes;
    return true;
}

std::shared_ptr<LongContent> Upload::find_long(const Digest& digest) const {
    const MutexLock lock(mutex_);
    const auto at = long_contents_.find(digest);
    return at == long_contents_.end() ? nullptr : at->second;
}

void Upload::keep_long(const std::shared_ptr<LongContent>& content) {
    const MutexLock lock(mutex_);
    long_contents_[content->blob().digest] = content;
}

bool Upload::is_new(const Digest& digest) {
    const MutexLock lock(mutex_);
    return staged_.insert(digest).second;
}

Result<> Upload::commit_staged(bool all) {
    if (!all && incoming->staged_files() < kStagedFiles && incoming->staged_bytes() < kStagedBytes) return {};
    const MutexLock one_commits(staging_);
    if (incoming->staged_files() == 0) return {};
    if (auto done = incoming->commit(); !done) {
        broken_ = true;
        return done;
    }
    const MutexLock lock(mutex_);
    staged_.clear();
    return {};
}

void Upload::keep_snapshot(SnapshotsInUse::Held held) {
    const MutexLock lock(mutex_);
    snapshots_.push_back(std::move(held));
}

}  // namespace zcdp::datastore
