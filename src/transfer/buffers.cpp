#include "zcdp/transfer/buffers.hpp"

#include <sys/mman.h>

#include <bit>
#include <new>

#include "zcdp/base/assert.hpp"
#include "zcdp/base/huge_pages.hpp"

namespace zcdp::transfer {
namespace {

constexpr unsigned kMappedLog2Min = 20;  ///< from half a huge page on buffers are mapped, smaller ones allocated

void release(std::byte* data, unsigned log2) {
    if (log2 >= kMappedLog2Min) ::munmap(data, uint64_t{1} << log2);
    else std::free(data);
}

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
    if (this != &other) {
        if (pool_) pool_->give_back(data_, log2_);
        pool_ = std::exchange(other.pool_, nullptr);
        data_ = std::exchange(other.data_, nullptr);
        log2_ = other.log2_;
    }
    return *this;
}

Buffer::~Buffer() {
    if (pool_) pool_->give_back(data_, log2_);
}

BufferPool::~BufferPool() { make_room(cached_bytes_); }

Task<Buffer> BufferPool::acquire(size_t size_bytes) {
    const auto log2 = std::max(kLog2Min, static_cast<unsigned>(std::bit_width(std::max<size_t>(size_bytes, 1) - 1)));
    ZCDP_ASSERT(log2 <= kLog2Max);
    const uint64_t bytes = uint64_t{1} << log2;
    co_await budget_.acquire(bytes);
    auto& free = free_[log2];
    if (!free.empty()) {
        std::byte* data = free.back();
        free.pop_back();
        cached_bytes_ -= bytes;
        co_return Buffer(this, data, log2);
    }
    // Cached buffers of other sizes count too: what is lent and what is cached stays within the budget.
    if (cached_bytes_ > budget_.available()) make_room(cached_bytes_ - budget_.available());
    if (log2 >= kMappedLog2Min) {
        // Two halves share a huge page, if the other one's bytes are to be had too.
        const bool pair = bytes < kHugePageBytes && cached_bytes_ + bytes <= budget_.available();
        std::byte* data = map_huge(pair ? kHugePageBytes : bytes);
        if (pair) free.push_back(data + bytes), cached_bytes_ += bytes;
        co_return Buffer(this, data, log2);
    }
    auto* data = static_cast<std::byte*>(std::aligned_alloc(kBufferAlignment, bytes));
    if (!data) throw std::bad_alloc();
    co_return Buffer(this, data, log2);
}

void BufferPool::give_back(std::byte* data, unsigned log2) {
    free_[log2].push_back(data);
    cached_bytes_ += uint64_t{1} << log2;
    budget_.release(uint64_t{1} << log2);
}

void BufferPool::make_room(uint64_t bytes) {
    uint64_t freed = 0;
    for (unsigned log2 = kLog2Max; log2 >= kLog2Min && freed < bytes; --log2) {
        for (auto& free = free_[log2]; !free.empty() && freed < bytes; free.pop_back()) {
            release(free.back(), log2);
            freed += uint64_t{1} << log2;
        }
    }
    cached_bytes_ -= std::min(freed, cached_bytes_);
}

}  // namespace zcdp::transfer
