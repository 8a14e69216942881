// Stands between a session of the swarm, which says what to get of whom, and the fetch's loops, which do it.
//
// The session's asks become work: a piece to be drawn is its files, or its chunk, from the origin; a piece of a member
// is one answer. The piece is had when its chunk is in the partial file, or all its short files are durable: then the
// ask is over and others may have it from here. What is in no piece (empty files) comes last, as the plan has it.
//
// Thread rule: Feeder's and committed() from any thread; Keeper's on the session's loop. Ownership: all that it is
// given outlives it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "src/sync/fetch/job.hpp"
#include "src/sync/swarm/delivery.hpp"
#include "src/sync/swarm/given_pieces.hpp"
#include "src/sync/swarm/piece_list.hpp"
#include "src/sync/swarm/proven_pieces.hpp"
#include "zcdp/swarm/session.hpp"

namespace zcdp::sync {

/// What a swarm feeder is made with.
struct SwarmParts {
    const Peers& peers;
    const EntryList& plan;
    const origin::OriginIdentity& identity;
    const Revision& revision;
    store::Content& content;
    Fs& fs;
    std::string scratch_folder;
    Clock& clock;
    Random& random;
    Logger& log;
};

class SwarmFeeder final : public Feeder, private swarm::Keeper {
  public:
    /// Errors: those of the disk; interrupted.
    static Result<std::unique_ptr<SwarmFeeder>> make(SwarmParts parts, const std::stop_token& stop);
    ~SwarmFeeder() override;

    uint64_t pieces() const { return list_->table().pieces(); }
    /// Gives what is here to others and begins to ask. `job` is told of an error, and its end ends the session.
    void start(FetchJob& job);
    /// Waits until the session has ended, with whose loop everything else is over. What is here stays given.
    void join();
    /// After join(): what others have made of the revision; "" where nobody knows.
    const std::string& others_snapshot() const { return others_snapshot_; }
    /// Rows that are durable. Errors: those of the disk.
    Result<> committed(std::span<const store::TagRow> rows);

    Result<Batch> take(size_t free_slots) override;
    void opened(std::shared_ptr<LongFile> file) override;
    void was_whole(const LongFile& file) override;
    void long_done() override;
    void chunk_done(const LongFile& file, uint64_t chunk) override;
    Result<std::optional<Sha256Bytes>> proven(uint64_t piece) override;
    Result<> vouched(uint64_t piece, const std::string& claim) override;
    void not_received(uint64_t piece, Error error) override;

  private:
    struct Ask {
        std::optional<FromMember> from;
        Delivery<swarm::Received> delivery;
    };
    /// A piece on its way. A chunk has one writer at a time, so who is asked for it while another is at it waits.
    struct Coming {
        std::deque<Ask> asks;  ///< the first is at work
        std::vector<PieceFile> files;
        uint64_t files_left = 0;  ///< of a run
    };
    /// A file of several chunks.
    struct Filling {
        uint64_t entry;
        std::shared_ptr<LongFile> file;  ///< null until it is open
        bool is_whole = false;
        std::vector<std::pair<uint64_t, std::optional<FromMember>>> waiting = {};  ///< chunks, until then
        std::shared_ptr<store::ChunkSource> source = {};  ///< of `file`, whose partial goes when it is staged
    };
    SwarmFeeder(SwarmParts parts, std::shared_ptr<const PieceList> list, Fd digests, Fd claims);
    bool is_drawn(uint64_t piece);
    Error not_as_claimed(uint64_t piece, const std::string& by) const;

    Task<Result<>> draw(uint64_t piece) override;
    Task<swarm::Received> receive(uint64_t piece, net::Endpoint member) override;
    Task<swarm::Received> compare(uint64_t piece, std::string claim) override;
    Task<Result<bool>> prove(std::string snapshot, std::unique_ptr<net::Response> manifest) override;
    Task<Result<>> keep_manifest(std::unique_ptr<net::Response> manifest, int file, uint64_t bytes_most);
    Task<swarm::Received> get(uint64_t piece, std::optional<FromMember> from);
    Result<> enqueue(uint64_t piece, Ask ask);
    void work_on(uint64_t piece, Coming& coming) ZCDP_REQUIRES(mutex_);
    void work_on_chunk(const swarm::Piece& what, const Coming& coming) ZCDP_REQUIRES(mutex_);
    void work_on_run(uint64_t piece, Coming& coming) ZCDP_REQUIRES(mutex_);
    void add_file(SpoolEntry record) ZCDP_REQUIRES(mutex_);
    void add_chunk(const Filling& filling, uint64_t chunk, const std::optional<FromMember>& from) ZCDP_REQUIRES(mutex_);
    void add_run(const std::shared_ptr<LongFile>& file, uint64_t chunk, uint64_t count,
                 const std::optional<FromMember>& from) ZCDP_REQUIRES(mutex_);
    void is_whole(Filling& filling) ZCDP_REQUIRES(mutex_);
    Result<bool> take_empty(Batch& batch) ZCDP_REQUIRES(mutex_);
    void end(uint64_t piece, swarm::Received received) ZCDP_REQUIRES(mutex_);
    std::string key(const std::string& path) const { return parts_.identity.prefix + path; }
    void ask_until_done(FetchJob& job);

    const SwarmParts parts_;
    const std::shared_ptr<const PieceList> list_;
    const std::shared_ptr<GivenPieces> given_;
    std::shared_ptr<swarm::Share> share_;
    asio::thread_pool disk_{2};
    std::unique_ptr<swarm::Session> session_;
    std::thread thread_;
    std::string others_snapshot_;
    const Committer* committer_ = nullptr;  ///< of the job, from start() on

    Mutex mutex_;
    std::shared_ptr<const ProvenPieces> proven_ ZCDP_GUARDED_BY(mutex_);  ///< null while nobody knows
    std::deque<Work> queue_ ZCDP_GUARDED_BY(mutex_);
    std::map<uint64_t, Coming> coming_ ZCDP_GUARDED_BY(mutex_);                 ///< by piece
    std::unordered_map<std::string, Filling> filling_ ZCDP_GUARDED_BY(mutex_);  ///< by path
    /// Short files on their way, by key: their piece and their place in the list.
    std::unordered_map<std::string, std::pair<uint64_t, uint64_t>> short_files_ ZCDP_GUARDED_BY(mutex_);
    SpoolReader empty_ ZCDP_GUARDED_BY(mutex_);     ///< the plan, for what is in no piece
    swarm::HaveMap drawn_ ZCDP_GUARDED_BY(mutex_);  ///< pieces all of which was asked of the origin, by this sync
    bool session_ended_ ZCDP_GUARDED_BY(mutex_) = false;
    size_t long_files_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::sync
