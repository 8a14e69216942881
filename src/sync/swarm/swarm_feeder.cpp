#include "src/sync/swarm/swarm_feeder.hpp"

#include <algorithm>
#include <utility>

#include "zcdp/base/scratch.hpp"
#include "zcdp/swarm/peer_server.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kNameDigits = 32;
constexpr uint64_t kNeverMs = 1ull << 40;
constexpr size_t kReadBytes = 256 << 10;
constexpr uint64_t kPackedAroundBytes = 4 << 10;  ///< what packing may add, and a 128th

}  // namespace

std::string swarm_name(const std::string& dataset, const Revision& revision) {
    return to_hex(Sha256::of(dataset + '\0' + revision.str())).substr(0, kNameDigits);
}

Result<std::unique_ptr<SwarmFeeder>> SwarmFeeder::make(SwarmParts parts, const std::stop_token& stop) {
    ZCDP_TRY(PieceList list, PieceList::make(parts.plan, parts.fs, parts.scratch_folder, parts.random, stop));
    ZCDP_TRY(Fd digests, open_scratch(parts.fs, parts.scratch_folder, parts.random));
    ZCDP_TRY(Fd claims, open_scratch(parts.fs, parts.scratch_folder, parts.random));
    return std::unique_ptr<SwarmFeeder>(new SwarmFeeder(
        std::move(parts), std::make_shared<const PieceList>(std::move(list)), std::move(digests), std::move(claims)));
}

SwarmFeeder::SwarmFeeder(SwarmParts parts, std::shared_ptr<const PieceList> list, Fd digests, Fd claims)
    : parts_(std::move(parts)),
      list_(std::move(list)),
      given_(std::make_shared<GivenPieces>(list_, parts_.content, parts_.fs, std::move(digests), std::move(claims))),
      empty_(parts_.plan.read(parts_.fs)),
      drawn_(list_->table().pieces()) {
    const swarm::HaveMap& here = list_->present();
    share_ = std::make_shared<swarm::Share>(
        list_->table(), swarm::News{parts_.random.u64(), here, here, swarm::HaveMap(here.pieces())}, given_);
}

SwarmFeeder::~SwarmFeeder() { join(); }

// --- the session ---

void SwarmFeeder::start(FetchJob& job) {
    const Peers& peers = parts_.peers;
    committer_ = &job.committer;
    // A chunk has one writer: a second ask for what is late would only wait for the first.
    swarm::ChooserOptions chooser = peers.chooser;
    chooser.late_ms_least = kNeverMs, chooser.last_pieces = 0;
    peers.server.add(job.swarm, share_);
    session_ = std::make_unique<swarm::Session>(
        swarm::SessionOptions{.swarm = job.swarm,
                              .revision = parts_.revision,
                              .self = peers.self,
                              .address = peers.address,
                              .zone = peers.zone,
                              .scheme = peers.scheme,
                              .settle_ms = peers.settle_ms,
                              .settle_getters = peers.settle_getters,
                              .compare_one_in = peers.compare_one_in,
                              .chooser = chooser,
                              .state = [&job](const auto& state) { job.progress.say_swarm(state); }},
        share_, static_cast<swarm::Keeper&>(*this), peers.bans, peers.http, peers.introductions, parts_.clock,
        parts_.random, parts_.log);
    thread_ = std::thread([this, &job] { ask_until_done(job); });
}

void SwarmFeeder::ask_until_done(FetchJob& job) {
    auto ended = session_->run(job.ending());
    if (ended) others_snapshot_ = ended->snapshot;
    else job.fail(std::move(ended).error());
    const MutexLock lock(mutex_);
    session_ended_ = true;
}

void SwarmFeeder::join() {
    if (thread_.joinable()) thread_.join();
    disk_.join();
    {
        const MutexLock lock(mutex_);
        coming_.clear();  // who still waits belongs to the session's loop
    }
    session_.reset();
}

Task<Result<>> SwarmFeeder::draw(uint64_t piece) {
    swarm::Received received = co_await get(piece, std::nullopt);
    if (received.ours) co_return std::move(*received.ours);
    co_return Result<>();
}

Task<swarm::Received> SwarmFeeder::receive(uint64_t piece, net::Endpoint member) {
    co_return co_await get(piece, FromMember{std::move(member), piece});
}

Task<swarm::Received> SwarmFeeder::compare(uint64_t piece, std::string claim) {
    const auto claimed = parts_.peers.identity()->read(claim, swarm_name(parts_.peers.dataset, parts_.revision), piece);
    if (!claimed) co_return swarm::Received{.theirs = claimed.error(), .ours = {}};
    swarm::Received drawn = co_await get(piece, std::nullopt);
    if (drawn.ours) co_return drawn;
    const auto digest = co_await offload(disk_, [&] { return given_->digest_of(piece); });
    if (!digest) co_return swarm::Received{.theirs = {}, .ours = digest.error()};
    if (*digest == claimed->digest) co_return swarm::Received{};
    if (is_drawn(piece)) parts_.peers.bans.strike(claimed->by, swarm::Strike::false_claim);
    co_return swarm::Received{.theirs = {}, .ours = not_as_claimed(piece, claimed->by)};
}

Task<Result<bool>> SwarmFeeder::prove(std::string snapshot, std::unique_ptr<net::Response> manifest) {
    const auto id = store::SnapshotId::parse(snapshot);
    if (!id) co_return false;
    const auto scratch = [this] { return open_scratch(parts_.fs, parts_.scratch_folder, parts_.random); };
    ZCDP_CO_TRY(const uint64_t most,
                co_await offload(disk_, [&] { return manifest_bytes_most(parts_.plan, parts_.fs); }));
    ZCDP_CO_TRY(const Fd file, co_await offload(disk_, scratch));
    ZCDP_CO_CHECK(co_await keep_manifest(std::move(manifest), file.get(), most + most / 128 + kPackedAroundBytes));
    const auto read = [&]() -> Result<std::optional<ProvenPieces>> {
        ZCDP_TRY(Fd pieces, scratch());
        return ProvenPieces::read(file.get(), *id, most, parts_.plan, list_->table(), parts_.fs, std::move(pieces));
    };
    ZCDP_CO_TRY(auto proven, co_await offload(disk_, read));
    if (!proven) co_return false;
    const MutexLock lock(mutex_);
    proven_ = std::make_shared<const ProvenPieces>(std::move(*proven));
    co_return true;
}

Task<Result<>> SwarmFeeder::keep_manifest(std::unique_ptr<net::Response> manifest, int file, uint64_t bytes_most) {
    std::vector<std::byte> buffer(kReadBytes);
    for (uint64_t at = 0;;) {
        ZCDP_CO_TRY(const size_t got, co_await manifest->read_some(buffer));
        if (got == 0) co_return Result<>();
        if (got > bytes_most - at)
            co_return Error(ErrorKind::corrupt, "sends a longer manifest than the list can have", manifest->peer());
        const auto written =
            co_await offload(disk_, [&] { return parts_.fs.write(file, std::span(buffer).first(got), at); });
        if (!written)
            co_return system_error(written.error(), "writing a snapshot's manifest", "scratch file of the store");
        at += got;
    }
}

/// Not where an earlier sync, or another member, had brought a part of it.
bool SwarmFeeder::is_drawn(uint64_t piece) {
    const MutexLock lock(mutex_);
    return drawn_.has(piece);
}

Error SwarmFeeder::not_as_claimed(uint64_t piece, const std::string& by) const {
    const auto files = list_->files_of(piece);
    const swarm::Piece what = list_->table().at(piece);
    std::string path = files ? files->front().record.entry.path : "piece " + std::to_string(piece);
    if (what.is_chunk) path += ", chunk " + std::to_string(what.chunk);
    else if (files && files->size() > 1) path += " to " + files->back().record.entry.path;
    return Error(ErrorKind::corrupt, "is not at the origin what node " + by + " has signed", std::move(path));
}

Task<swarm::Received> SwarmFeeder::get(uint64_t piece, std::optional<FromMember> from) {
    const Delivery<swarm::Received> delivery(co_await asio::this_coro::executor);
    auto queued = co_await offload(disk_, [&] { return enqueue(piece, {from, delivery}); });
    if (!queued) co_return swarm::Received{.theirs = {}, .ours = std::move(queued).error()};
    co_return co_await delivery.wait();
}

// --- asks become work ---

Result<> SwarmFeeder::enqueue(uint64_t piece, Ask ask) {
    ZCDP_TRY(auto files, list_->files_of(piece));
    const MutexLock lock(mutex_);
    Coming& coming = coming_[piece];
    coming.asks.push_back(std::move(ask));
    if (coming.asks.size() > 1) return {};
    coming.files = std::move(files);
    work_on(piece, coming);
    return {};
}

void SwarmFeeder::work_on(uint64_t piece, Coming& coming) {
    const swarm::Piece what = list_->table().at(piece);
    what.is_chunk ? work_on_chunk(what, coming) : work_on_run(piece, coming);
}

void SwarmFeeder::work_on_chunk(const swarm::Piece& what, const Coming& coming) {
    const PieceFile& file = coming.files.front();
    const std::optional<FromMember> from = coming.asks.front().from;
    const auto [at, is_new] = filling_.try_emplace(file.record.entry.path, Filling{file.entry, nullptr});
    Filling& filling = at->second;
    if (filling.is_whole) return end(list_->table().of(filling.entry, what.chunk), {});
    if (filling.file) return add_chunk(filling, what.chunk, from);
    filling.waiting.emplace_back(what.chunk, from);
    if (is_new) add_file(file.record);
}

/// Those that the plan knows to be present are there already; of a member they come all the same.
void SwarmFeeder::work_on_run(uint64_t piece, Coming& coming) {
    const std::optional<FromMember> from = coming.asks.front().from;
    std::vector<SpoolEntry> records;
    for (const PieceFile& file : coming.files) {
        if (!from && file.record.knowledge == Knowledge::present) continue;
        short_files_.insert_or_assign(key(file.record.entry.path), std::pair(piece, file.entry));
        records.push_back(file.record);
    }
    coming.files_left = records.size();
    if (!from && records.size() == coming.files.size()) drawn_.set(piece);
    if (records.empty()) return end(piece, {});
    if (from) {
        queue_.emplace_back(MemberRun{*from, std::move(records)});
        return;
    }
    for (SpoolEntry& record : records) add_file(std::move(record));
}

void SwarmFeeder::add_file(SpoolEntry record) {
    if (record.entry.size_bytes > kSmallFileBytesMax) ++long_files_;
    queue_.emplace_back(std::move(record));
}

/// Of an open file. What comes in one pass comes with its only run.
void SwarmFeeder::add_chunk(const Filling& filling, uint64_t chunk, const std::optional<FromMember>& from) {
    const uint64_t piece = list_->table().of(filling.entry, chunk);
    if (filling.source->has(chunk)) return end(piece, {});
    if (!from) drawn_.set(piece);
    if (!filling.file->one_pass) add_run(filling.file, chunk, 1, from);
}

void SwarmFeeder::add_run(const std::shared_ptr<LongFile>& file, uint64_t chunk, uint64_t count,
                          const std::optional<FromMember>& from) {
    ++file->runs;
    queue_.emplace_back(ChunkRun{file, chunk, count, from});
}

/// The ask is over; with a piece that came, so are those that waited for it, else the next one is tried.
void SwarmFeeder::end(uint64_t piece, swarm::Received received) {
    const auto at = coming_.find(piece);
    if (at == coming_.end()) return;
    Coming& coming = at->second;
    const bool came = !received.theirs && !received.ours;
    coming.asks.front().delivery.deliver(std::move(received));
    coming.asks.pop_front();
    if (!came && !coming.asks.empty()) return work_on(piece, coming);
    for (const Ask& ask : coming.asks) ask.delivery.deliver({});
    coming_.erase(at);
}

// --- what the loops ask and tell ---

/// What cannot become durable is never had: nothing would end the session that waits for it.
Result<Feeder::Batch> SwarmFeeder::take(size_t free_slots) {
    if (committer_->failed()) return Error(ErrorKind::failed, "nothing more can be committed");
    const MutexLock lock(mutex_);
    Batch batch;
    for (size_t heavy = 0; heavy < std::max<size_t>(free_slots, 1) && batch.work.size() < kSmallFilesPerBatch;) {
        if (queue_.empty()) {
            if (!session_ended_ || long_files_ > 0) break;
            ZCDP_TRY(const bool taken, take_empty(batch));
            if (!taken) break;
            continue;
        }
        const auto* record = std::get_if<SpoolEntry>(&queue_.front());
        heavy += !record || record->entry.size_bytes > kSmallFileBytesMax;
        batch.work.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    batch.finished = batch.work.empty() && session_ended_ && long_files_ == 0;
    return batch;
}

Result<bool> SwarmFeeder::take_empty(Batch& batch) {
    SpoolEntry record;
    while (true) {
        ZCDP_TRY(const bool more, empty_.next(record));
        if (!more) return false;
        const bool is_empty = record.entry.kind == origin::EntryKind::file && record.entry.size_bytes == 0;
        if (!is_empty || record.knowledge == Knowledge::present) continue;
        batch.work.emplace_back(std::move(record));
        return true;
    }
}

/// A file of one chunk is a part of a run, and all of it is fetched. One that is opened again was damaged, or comes in
/// one pass alone: then all that is missing comes from the origin.
void SwarmFeeder::opened(std::shared_ptr<LongFile> file) {
    const MutexLock lock(mutex_);
    const auto at = filling_.find(file->record.entry.path);
    if (at == filling_.end()) return add_run(file, 0, 1, std::nullopt);
    Filling& filling = at->second;
    const bool is_again = filling.file || filling.is_whole;
    filling.file = file, filling.is_whole = false;
    filling.source = file->partial->source();
    given_->fill(filling.entry, filling.source);
    const auto waiting = std::exchange(filling.waiting, {});
    const uint64_t chunks = chunk_count(file->size_bytes());
    if (file->one_pass) return add_run(file, 0, chunks, std::nullopt);
    for (const auto& [chunk, from] : waiting) add_chunk(filling, chunk, from);
    if (!is_again) return;
    for (uint64_t chunk = 0; chunk < chunks; ++chunk)
        if (!file->partial->has(chunk)) add_run(file, chunk, 1, std::nullopt);
}

void SwarmFeeder::was_whole(const LongFile& file) {
    const MutexLock lock(mutex_);
    const auto at = filling_.find(file.record.entry.path);
    if (at == filling_.end()) return;
    Filling& filling = at->second;
    given_->fill(filling.entry, file.partial->source());
    is_whole(filling);
}

/// Nothing of it is asked for any more.
void SwarmFeeder::is_whole(Filling& filling) {
    filling.is_whole = true;
    filling.file.reset();
    for (const auto& [chunk, from] : std::exchange(filling.waiting, {}))
        end(list_->table().of(filling.entry, chunk), {});
}

void SwarmFeeder::long_done() {
    const MutexLock lock(mutex_);
    --long_files_;
}

void SwarmFeeder::chunk_done(const LongFile& file, uint64_t chunk) {
    const MutexLock lock(mutex_);
    const auto at = filling_.find(file.record.entry.path);
    if (at != filling_.end()) end(list_->table().of(at->second.entry, chunk), {});
}

Result<std::optional<Sha256Bytes>> SwarmFeeder::proven(uint64_t piece) {
    std::shared_ptr<const ProvenPieces> proven;
    {
        const MutexLock lock(mutex_);
        proven = proven_;
    }
    if (!proven) return std::nullopt;
    return proven->at(piece);
}

Result<> SwarmFeeder::vouched(uint64_t piece, const std::string& claim) { return given_->put_claim(piece, claim); }

void SwarmFeeder::not_received(uint64_t piece, Error error) {
    const MutexLock lock(mutex_);
    std::erase_if(short_files_, [piece](const auto& one) { return one.second.first == piece; });
    end(piece, {.theirs = std::move(error), .ours = {}});
}

Result<> SwarmFeeder::committed(std::span<const store::TagRow> rows) {
    for (const store::TagRow& row : rows) {
        const MutexLock lock(mutex_);
        const auto file = row.key.starts_with(parts_.identity.prefix)
                              ? filling_.find(row.key.substr(parts_.identity.prefix.size()))
                              : filling_.end();
        if (file != filling_.end()) {
            ZCDP_CHECK(given_->put(file->second.entry, row.digest));
            is_whole(file->second);
            continue;
        }
        const auto short_file = short_files_.find(row.key);
        if (short_file == short_files_.end()) continue;
        const auto [piece, entry] = short_file->second;
        short_files_.erase(short_file);
        ZCDP_CHECK(given_->put(entry, row.digest));
        const auto coming = coming_.find(piece);
        if (coming != coming_.end() && --coming->second.files_left == 0) end(piece, {});
    }
    return {};
}

}  // namespace zcdp::sync
