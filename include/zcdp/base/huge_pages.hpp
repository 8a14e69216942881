// Memory for direct reads and writes. Thread rule: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zcdp {

inline constexpr uint64_t kHugePageBytes = 2 << 20;

/// Whole huge pages: fewer faults, and a direct read or write has fewer pages to pin; a kernel without them only says
/// no. The caller unmaps all `bytes`, at once or in parts. Throws std::bad_alloc.
std::byte* map_huge(uint64_t bytes);

/// The same, unmapped at the end of its life.
class HugePages {
  public:
    explicit HugePages(uint64_t bytes) : bytes_(map_huge(bytes), bytes) {}
    HugePages(const HugePages&) = delete;
    HugePages& operator=(const HugePages&) = delete;
    ~HugePages();
    std::span<std::byte> bytes() const { return bytes_; }

  private:
    const std::span<std::byte> bytes_;
};

}  // namespace zcdp
