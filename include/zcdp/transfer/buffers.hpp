// Transfer buffers of one loop: powers of two from 4 KiB to 8 MiB, aligned for O_DIRECT, recycled, and never more than
// the budget in all. Thread rule: belongs to its loop; a Buffer may be read elsewhere meanwhile, but comes back here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "zcdp/base/tasks.hpp"

namespace zcdp::transfer {

inline constexpr size_t kBufferBytesMax = 8 << 20;
inline constexpr size_t kBufferAlignment = 4096;

class BufferPool;

/// A buffer on loan; goes back to its pool at the end of its life.
class Buffer {
  public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, nullptr)), log2_(other.log2_) {}
    Buffer& operator=(Buffer&& other) noexcept;
    ~Buffer();
    std::span<std::byte> bytes() const { return {data_, size_t{1} << log2_}; }

  private:
    friend class BufferPool;
    Buffer(BufferPool* pool, std::byte* data, unsigned log2) : pool_(pool), data_(data), log2_(log2) {}
    BufferPool* pool_ = nullptr;
    std::byte* data_ = nullptr;
    unsigned log2_ = 0;
};

class BufferPool {
  public:
    BufferPool(asio::any_io_executor executor, uint64_t budget_bytes) : budget_(executor, budget_bytes) {}
    ~BufferPool();
    /// A buffer of at least `size_bytes` (at most 8 MiB, and at most the budget); waits while the budget is lent out.
    Task<Buffer> acquire(size_t size_bytes);

  private:
    friend class Buffer;
    void give_back(std::byte* data, unsigned log2);
    static constexpr unsigned kLog2Min = 12, kLog2Max = 23;
    void make_room(uint64_t bytes);

    Semaphore budget_;  ///< bytes on loan
    uint64_t cached_bytes_ = 0;
    std::array<std::vector<std::byte*>, kLog2Max + 1> free_;
};

}  // namespace zcdp::transfer
