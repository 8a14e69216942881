#include "src/store/hold.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace zcdp::store {
namespace {

constexpr size_t kBits = size_t{1} << 26;  ///< 8 MiB
constexpr int kProbes = 4;

size_t bit_of(const Digest& digest, int probe) {
    uint64_t word;
    std::memcpy(&word, digest.bytes.data() + 8 * probe, sizeof word);
    return (word + static_cast<uint64_t>(digest.kind)) % kBits;
}

}  // namespace

void DigestFilter::add(const Digest& digest) {
    if (!words_) words_.reset(static_cast<uint64_t*>(std::calloc(kBits / 64, sizeof(uint64_t))));
    if (!words_) throw std::bad_alloc();
    for (int probe = 0; probe < kProbes; ++probe)
        words_[bit_of(digest, probe) / 64] |= uint64_t{1} << (bit_of(digest, probe) % 64);
}

bool DigestFilter::may_have(const Digest& digest) const {
    if (!words_) return false;
    for (int probe = 0; probe < kProbes; ++probe)
        if ((words_[bit_of(digest, probe) / 64] >> (bit_of(digest, probe) % 64) & 1) == 0) return false;
    return true;
}

HoldOnStore::HoldOnStore(std::shared_ptr<Holds> holds) : holds_(std::move(holds)) {
    const MutexLock lock(holds_->mutex_);
    holds_->all_.insert(this);
}

HoldOnStore::~HoldOnStore() {
    const MutexLock lock(holds_->mutex_);
    holds_->all_.erase(this);
    holds_->promised_bytes_ -= promised_;
}

void HoldOnStore::keep_blob(const Digest& digest) {
    const MutexLock lock(holds_->mutex_);
    while (holds_->blobs_going_.contains(digest)) holds_->removed_.wait(holds_->mutex_);
    blobs_.add(digest);
}

void HoldOnStore::keep_partial(const std::string& name) {
    const MutexLock lock(holds_->mutex_);
    while (holds_->partials_going_.contains(name)) holds_->removed_.wait(holds_->mutex_);
    partials_.insert(name);
}

void HoldOnStore::promise(uint64_t bytes) {
    const MutexLock lock(holds_->mutex_);
    promised_ += bytes, holds_->promised_bytes_ += bytes;
}

void HoldOnStore::spend(uint64_t bytes) {
    const MutexLock lock(holds_->mutex_);
    const uint64_t spent = std::min(bytes, promised_);
    promised_ -= spent, holds_->promised_bytes_ -= spent;
}

bool Holds::need_locked(const Digest& blob) const {
    for (const HoldOnStore* hold : all_)
        if (hold->blobs_.may_have(blob)) return true;
    return false;
}

bool Holds::need_locked(const std::string& partial) const {
    for (const HoldOnStore* hold : all_)
        if (hold->partials_.contains(partial)) return true;
    return false;
}

bool Holds::need(const Digest& blob) const {
    const MutexLock lock(mutex_);
    return need_locked(blob);
}

bool Holds::need_partial(const std::string& name) const {
    const MutexLock lock(mutex_);
    return need_locked(name);
}

bool Holds::begin_removal(const Digest& blob) {
    const MutexLock lock(mutex_);
    if (need_locked(blob)) return false;
    blobs_going_.insert(blob);
    return true;
}

bool Holds::begin_removal(const std::string& partial) {
    const MutexLock lock(mutex_);
    if (need_locked(partial)) return false;
    partials_going_.insert(partial);
    return true;
}

void Holds::begin_forced_removal(const Digest& blob) {
    const MutexLock lock(mutex_);
    blobs_going_.insert(blob);
}

void Holds::end_removal(const Digest& blob) {
    {
        const MutexLock lock(mutex_);
        blobs_going_.erase(blob);
    }
    removed_.notify_all();
}

void Holds::end_removal(const std::string& partial) {
    {
        const MutexLock lock(mutex_);
        partials_going_.erase(partial);
    }
    removed_.notify_all();
}

}  // namespace zcdp::store
