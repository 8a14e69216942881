#include "zcdp/base/huge_pages.hpp"

#include <sys/mman.h>

#include <new>

namespace zcdp {

std::byte* map_huge(uint64_t bytes) {
    void* const mapped =
        ::mmap(nullptr, bytes + kHugePageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<std::byte*>(mapped);
    const uint64_t before = -reinterpret_cast<uintptr_t>(begin) % kHugePageBytes;
    if (before > 0) ::munmap(begin, before);
    ::munmap(begin + before + bytes, kHugePageBytes - before);
    (void)::madvise(begin + before, bytes, MADV_HUGEPAGE);
    return begin + before;
}

HugePages::~HugePages() { ::munmap(bytes_.data(), bytes_.size()); }

}  // namespace zcdp
