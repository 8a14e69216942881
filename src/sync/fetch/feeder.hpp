// Hands out work to any number of loops: small files one by one, long files as runs of chunks, so that several
// connections fill one file. Feeder says what the loops ask and tell; PlanFeeder goes through a plan in its order, with
// bounded memory: the plan stays on disk, and only long files in flight are held. (../swarm/ has the other one.)
//
// Thread rule: any thread; take() may read a file and so blocks: call it on a pool.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "src/sync/fetch/piece_crcs.hpp"
#include "src/sync/list/spool.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/net/endpoint.hpp"
#include "zcdp/store/ingest.hpp"

namespace zcdp::sync {

/// A file of more than 1 MiB on its way.
struct LongFile {
    SpoolEntry record;
    std::unique_ptr<store::PartialFile> partial;
    origin::ObjectChecksum claimed;        ///< by the origin, for the whole
    uint64_t part_bytes = 0;               ///< with `claimed` of parts: their size, but of the last; 0: not known
    PieceCrcs crcs;                        ///< with `claimed` of a CRC kind
    std::vector<bool> resumed;             ///< chunks that an earlier run left; empty when there are none
    int reads = 1;                         ///< how often it was fetched, this time included
    std::atomic<uint64_t> chunks_left{0};  ///< not yet on disk
    bool one_pass = false;                 ///< from a server without ranges: one run has all of it
    std::atomic<bool> abandoned{false};    ///< such a server showed only now: opened again by the last of its runs
    std::atomic<uint32_t> runs{0};         ///< handed out and not ended
    uint64_t next_chunk = 0;               ///< first one not handed out; under the feeder's mutex

    uint64_t size_bytes() const { return record.entry.size_bytes; }
    bool is_resumed(uint64_t chunk) const { return !resumed.empty() && resumed[chunk]; }
};

/// Of whom a piece is had, other than the origin.
struct FromMember {
    net::Endpoint member;
    uint64_t piece;
};

struct ChunkRun {
    std::shared_ptr<LongFile> file;
    uint64_t first = 0, count = 0;
    std::optional<FromMember> from = {};  ///< set: one chunk, which is that piece
};

/// The short files of a piece, one after the other in a member's answer.
struct MemberRun {
    FromMember from;
    std::vector<SpoolEntry> files;
};

/// A whole file (small, or one to be opened as a LongFile), a run of chunks, or a member's run.
using Work = std::variant<SpoolEntry, ChunkRun, MemberRun>;

class Feeder {
  public:
    virtual ~Feeder() = default;

    struct Batch {
        std::vector<Work> work;
        bool finished = false;  ///< nothing is left now or later
    };
    /// Work for `free_slots` connections: that many runs or long files, or some more small files than that. An empty,
    /// unfinished batch means: more comes when something elsewhere is done, ask again soon.
    virtual Result<Batch> take(size_t free_slots) = 0;
    /// A long file that take() gave out as a SpoolEntry is open: its chunks may be handed out. It may be opened again,
    /// when it turns out to be damaged; finished() comes only after its long_done().
    virtual void opened(std::shared_ptr<LongFile> file) = 0;
    /// Instead of opened(): all its chunks are here from an earlier run.
    virtual void was_whole(const LongFile& file) = 0;
    /// It is on disk, or needs no fetching, or never will be there.
    virtual void long_done() = 0;
    /// A chunk has been verified and is in its partial file.
    virtual void chunk_done(const LongFile& file, uint64_t chunk) = 0;
    /// What a piece has to be, where that is known whatever a member claims. Blocks. Errors: of the disk.
    virtual Result<std::optional<Sha256Bytes>> proven(uint64_t piece) = 0;
    /// What a member gave is what this claim says; before chunk_done(), or what is staged. Blocks. Errors: of the disk.
    virtual Result<> vouched(uint64_t piece, const std::string& claim) = 0;
    /// A member has not given what it was asked for.
    virtual void not_received(uint64_t piece, Error error) = 0;
};

class PlanFeeder final : public Feeder {
  public:
    PlanFeeder(SpoolReader plan, uint32_t connections) : plan_(std::move(plan)), connections_(connections) {}
    Result<Batch> take(size_t free_slots) override;
    void opened(std::shared_ptr<LongFile> file) override;
    void was_whole(const LongFile&) override {}
    void long_done() override;
    void chunk_done(const LongFile&, uint64_t) override {}
    Result<std::optional<Sha256Bytes>> proven(uint64_t) override { return std::nullopt; }
    Result<> vouched(uint64_t, const std::string&) override { return {}; }
    void not_received(uint64_t, Error) override {}

  private:
    bool take_run(Batch& batch) ZCDP_REQUIRES(mutex_);
    Result<bool> take_entry(Batch& batch) ZCDP_REQUIRES(mutex_);

    Mutex mutex_;
    SpoolReader plan_ ZCDP_GUARDED_BY(mutex_);
    const uint32_t connections_;
    bool plan_ended_ ZCDP_GUARDED_BY(mutex_) = false;
    size_t long_files_ ZCDP_GUARDED_BY(mutex_) = 0;                      ///< given out and not done
    std::list<std::shared_ptr<LongFile>> open_ ZCDP_GUARDED_BY(mutex_);  ///< with chunks that nobody fetches yet
};

/// How many connections a batch may have small files for, beside runs.
inline constexpr size_t kSmallFilesPerBatch = 64;

/// Files up to this many bytes are fetched whole into one buffer.
inline constexpr uint64_t kSmallFileBytesMax = 1 << 20;

}  // namespace zcdp::sync
