// The entry of `zcdp`. All is in src/modes/run.cpp: flags are read, the machine's clock, file system and randomness are
// made once and given to the command.
#include <malloc.h>

#include "zcdp/modes/run.hpp"

namespace {

/// Buffers from here on go back to the system when they are freed. Left alone, glibc raises this bound with the first
/// such buffer that is freed, and the heap of each thread then keeps what it held once (mallopt(3), M_MMAP_THRESHOLD):
/// `zcdp serve` kept 27 MiB more than it used after it had listed a large folder for some minutes.
constexpr int kMappedBytes = 1 << 20;

}  // namespace

int main(int argc, char** argv) {
    ::mallopt(M_MMAP_THRESHOLD, kMappedBytes);
    return zcdp::modes::run(argc, argv);
}
