// What an origin states of an object of more than one read, once all of it is on disk. What chunks in any order cannot
// answer is read back: the SHA-256 of the whole always, the SHA-256 or SHA-1 of parts where asked for
// (SyncOptions::verify_parts). All of it blocks. Errors: corrupt, interrupted, what reading ends with.
#pragma once

#include <span>
#include <vector>

#include "src/sync/fetch/job.hpp"

namespace zcdp::sync {

/// The CRCs of chunks that an earlier run fetched: read back, so that the origin's checksum covers them as well.
Result<> sum_resumed_chunks(LongFile& file, const FetchJob& job);

/// `digest`: of the finished file.
Result<> verify_long(LongFile& file, const Digest& digest, const FetchJob& job);

/// The composite over parts of these sizes, which make up the file.
Result<> verify_parts(LongFile& file, std::span<const uint64_t> part_sizes, const FetchJob& job);

}  // namespace zcdp::sync
