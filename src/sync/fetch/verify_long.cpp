#include "src/sync/fetch/verify_long.hpp"

#include <algorithm>

#include "src/sync/fetch/claimed_sum.hpp"
#include "src/sync/fetch/verify.hpp"

namespace zcdp::sync {
namespace {

constexpr uint64_t kReadBytes = 1 << 20;

using Kind = origin::ObjectChecksum::Kind;

/// Hands [begin, end) to `take`, piece by piece.
template <class Take>
Result<> read_back(LongFile& file, uint64_t begin, uint64_t end, std::span<std::byte> buffer, const FetchJob& job,
                   Take take) {
    const auto written = file.partial->source();
    for (uint64_t at = begin; at < end;) {
        if (job.ended()) return Error(ErrorKind::interrupted, "stopped");
        const auto piece = buffer.first(std::min<uint64_t>(buffer.size(), end - at));
        ZCDP_CHECK(written->read(at, piece));
        take(at, piece);
        at += piece.size();
    }
    return {};
}

/// The sizes of parts that are alike but for the last.
std::vector<uint64_t> equal_parts(uint64_t size_bytes, uint64_t part_bytes) {
    std::vector<uint64_t> sizes(size_bytes / part_bytes, part_bytes);
    if (size_bytes % part_bytes > 0) sizes.push_back(size_bytes % part_bytes);
    return sizes;
}

/// A sum of one kind over bytes, without a claim.
ClaimedSum sum_of(Kind kind) { return ClaimedSum({kind, "", 0}); }

}  // namespace

Result<> sum_resumed_chunks(LongFile& file, const FetchJob& job) {
    if (!file.crcs.wanted() || file.resumed.empty()) return {};
    std::vector<std::byte> buffer(kReadBytes);
    for (uint64_t chunk = 0; chunk < file.resumed.size(); ++chunk) {
        if (!file.resumed[chunk]) continue;
        RunningCrc crc(file.crcs);
        const uint64_t begin = chunk * kChunkBytes, end = begin + chunk_length(file.size_bytes(), chunk);
        ZCDP_CHECK(read_back(file, begin, end, buffer, job,
                             [&](uint64_t at, std::span<const std::byte> piece) { crc.update(at, piece); }));
    }
    return {};
}

Result<> verify_parts(LongFile& file, std::span<const uint64_t> part_sizes, const FetchJob& job) {
    std::vector<std::byte> buffer(kReadBytes);
    ClaimedSum all = sum_of(file.claimed.kind);
    uint64_t begin = 0;
    for (const uint64_t size : part_sizes) {
        ClaimedSum part = sum_of(file.claimed.kind);
        ZCDP_CHECK(read_back(file, begin, begin + size, buffer, job,
                             [&](uint64_t, std::span<const std::byte> piece) { part.update(piece); }));
        all.update(std::as_bytes(std::span<const char>(part.raw())));
        begin += size;
    }
    return verify_sum(all.raw(), file.claimed);
}

Result<> verify_long(LongFile& file, const Digest& digest, const FetchJob& job) {
    const LongContent content{file.size_bytes(), digest, file.crcs, file.part_bytes};
    if (is_judged_by_chunks(content, file.claimed)) return verify_chunks(content, file.claimed);
    if (file.claimed.kind == Kind::sha256 && !file.claimed.is_composite()) {
        std::vector<std::byte> buffer(kReadBytes);
        ClaimedSum sum = sum_of(Kind::sha256);
        ZCDP_CHECK(read_back(file, 0, file.size_bytes(), buffer, job,
                             [&](uint64_t, std::span<const std::byte> piece) { sum.update(piece); }));
        return verify_sum(sum.raw(), file.claimed);
    }
    const bool of_parts = job.verify_parts && file.claimed.is_composite() && file.part_bytes > 0;
    return of_parts ? verify_parts(file, equal_parts(file.size_bytes(), file.part_bytes), job) : Result<>();
}

}  // namespace zcdp::sync
