// One loop's part of a fetch: a number of slots, each with one read in flight, that take work from the feeder.
//
// Thread rule: belongs to its loop; what it shares with the others is FetchJob.
#pragma once

#include <deque>
#include <memory>

#include "src/sync/fetch/job.hpp"
#include "src/sync/fetch/stager.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/swarm/identity.hpp"
#include "zcdp/transfer/buffers.hpp"
#include "zcdp/transfer/hash_together.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::sync {

inline constexpr size_t kRunBufferBytesMax = 4 << 20;  ///< of a run of chunks, and of what is read again
static_assert(swarm::kPieceBytesMost <= transfer::kBufferBytesMax);

class Fetcher {
  public:
    /// `slots` reads at once, and more of small objects while that brings more; at most `buffer_bytes` of buffers;
    /// with a swarm as much again, and a piece at least.
    Fetcher(FetchJob& job, transfer::Loop& loop, std::unique_ptr<origin::Origin> origin, uint32_t slots,
            uint64_t buffer_bytes);
    /// Spawns the slots and the stager on the loop.
    void start();

  private:
    Task<> slot();
    uint32_t slots_wanted() const;
    void grow();
    Task<> work_until_done();
    Task<std::optional<Work>> next_work();
    Task<Result<>> handle(Work work);

    Task<Result<>> fetch_entry(SpoolEntry record);
    Task<Result<>> fetch_small(SpoolEntry record);
    Task<Result<Digest>> read_verified(const origin::Entry& entry, std::span<std::byte> into);
    Task<Result<>> read_whole(origin::ReadSpec spec, std::span<std::byte> into, origin::ObjectChecksum& claimed);
    Task<Result<>> ask(SpoolEntry& record);
    Task<Result<bool>> same_content(SpoolEntry& record);
    Task<Result<bool>> blob_has(const SpoolEntry& record, origin::ObjectChecksum sum);
    Task<Result<>> make_room(const origin::Entry& entry);

    Task<Result<>> open_long(SpoolEntry record, int reads, bool one_pass);
    Task<Result<>> open_long_file(std::shared_ptr<LongFile> file);
    struct RunState;
    Task<Result<>> take_claim(LongFile& file, origin::ObjectChecksum claimed);
    Task<Result<>> fetch_run(ChunkRun run);
    Task<Result<>> fill_run(ChunkRun run, bool& theirs);
    Error forget(RunState& state, const LongFile& file, Error error);
    Error forget_chunk(RunState& state, const LongFile& file, Error error);
    Task<Result<>> open_range(LongFile& file, RunState& state);
    Task<Result<>> open_at_member(LongFile& file, RunState& state);
    Task<Result<>> fetch_member_run(MemberRun run);
    Task<Result<std::string>> read_member_run(FromMember from, std::span<std::byte> into);
    Result<> keep_member_run(const MemberRun& run, const std::string& claim, std::span<const std::byte> content,
                             std::optional<Error>& theirs);
    Result<std::string> judge(uint64_t piece, const std::string& claim, const swarm::PieceDigest& digest) const;
    Task<Result<>> judge_chunk(const LongFile& file, RunState& state, Sha256Bytes digest);
    Result<> stage_member_run(const std::vector<SpoolEntry>& files, const std::vector<Digest>& digests,
                              std::span<const std::byte> content);
    Task<Result<>> go_on(LongFile& file, RunState& state, Error broken);
    Task<> hash_new(RunState& state);
    Task<Result<bool>> put_buffer(LongFile& file, RunState& state);
    size_t run_buffer_bytes() const;
    Task<Result<std::vector<uint64_t>>> part_sizes(const LongFile& file);
    Task<Result<Digest>> verified_digest(LongFile& file);
    Task<Result<>> finish_long(std::shared_ptr<LongFile> file);

    Task<> enter(bool is_run);
    void leave(bool is_run);

    FetchJob& job_;
    transfer::Loop& loop_;
    std::unique_ptr<origin::Origin> origin_;
    const uint64_t buffer_budget_;
    transfer::BufferPool buffers_;
    transfer::HashTogether hashes_;
    Stager stager_;
    const std::unique_ptr<net::HttpClient> members_;  ///< null without a swarm
    transfer::BufferPool member_buffers_;             ///< for pieces of short files from members
    Semaphore refilling_;
    std::deque<Work> queue_;
    bool finished_ = false;
    const uint32_t slots_;
    uint32_t slots_running_ = 0, slots_idle_ = 0;
};

}  // namespace zcdp::sync
