#include "src/sync/fetch/fetch.hpp"

#include <algorithm>
#include <bit>
#include <thread>

#include "src/sync/fetch/fetcher.hpp"
#include "src/sync/swarm/swarm_feeder.hpp"
#include "zcdp/swarm/peer_server.hpp"

namespace zcdp::sync {
namespace {

constexpr uint32_t kConnections = 32, kConnectionsMost = 256;  ///< small objects may have more, while that brings more
constexpr uint32_t kRunsFirst = 12;
constexpr unsigned kDiskThreads = 4;
constexpr uint32_t kLoopsMax = 4;
constexpr uint64_t kSwarmBatchMs = 200;  ///< what is durable, others may have

uint32_t loops_of(const SyncOptions& options) {
    if (options.loops > 0) return options.loops;
    return std::clamp(std::thread::hardware_concurrency(), 1u, kLoopsMax);
}

/// Few runs at first (climbing_limit.hpp), but on each loop as many as hash together: with sixteen at once that saves
/// more than the smaller buffers cost (4 × 256 MiB on two loops with AVX-512: 0.76 CPU-s/GiB, with twelve runs in fours
/// 0.84).
uint32_t first_runs(uint32_t connections, uint32_t loops) {
    return std::max(kRunsFirst, loops * static_cast<uint32_t>(hashes_at_once(connections / loops)));
}

void run_loop(transfer::Loop& loop, FetchJob& job) {
    try {
        loop.run(job.ending());
    } catch (const std::exception& thrown) {
        job.fail(Error(ErrorKind::failed, std::string("internal error: ") + thrown.what()));
    }
}

/// One Origin, one set of slots and one thread a loop; the first loop runs here.
Result<> run_loops(FetchJob& job, const origin::OriginFactory& factory, uint32_t loop_count, uint32_t connections,
                   uint64_t memory_bytes) {
    std::vector<std::unique_ptr<transfer::Loop>> loops;
    std::vector<std::unique_ptr<Fetcher>> fetchers;
    for (uint32_t i = 0; i < loop_count; ++i) {
        loops.push_back(std::make_unique<transfer::Loop>());
        ZCDP_TRY(auto origin, factory(loops.back()->executor()));
        const uint32_t slots = connections / loop_count + (i < connections % loop_count ? 1 : 0);
        const uint64_t buffers = std::max<uint64_t>(std::bit_floor(memory_bytes / loop_count), kSmallFileBytesMax);
        fetchers.push_back(std::make_unique<Fetcher>(job, *loops.back(), std::move(origin), slots, buffers));
        fetchers.back()->start();
    }
    std::vector<std::thread> threads;
    for (uint32_t i = 1; i < loop_count; ++i) threads.emplace_back([&, i] { run_loop(*loops[i], job); });
    run_loop(*loops[0], job);
    for (auto& thread : threads) thread.join();
    // Origins and buffers go before the loops that they live on.
    fetchers.clear();
    return {};
}

std::optional<Error> what_failed(const Result<>& committed, const Result<>& ran, const FetchJob& job) {
    if (!committed) return committed.error();
    if (job.stop.stop_requested())
        return Error(ErrorKind::interrupted, "stopped", job.source, "run the same command again to go on");
    if (!ran) return ran.error();
    return job.error();
}

/// Null without peers.
Result<std::unique_ptr<SwarmFeeder>> swarm_feeder(const SyncOptions& options, const EntryList& plan,
                                                  const Listed& listed, const StoreParts& store, Machine machine,
                                                  const std::stop_token& stop) {
    if (!options.peers) return std::unique_ptr<SwarmFeeder>();
    return SwarmFeeder::make({*options.peers, plan, listed.identity, listed.revision, store.content, machine.fs,
                              store.root + "/staging", machine.clock, machine.random, machine.log},
                             stop);
}

}  // namespace

Result<FetchTotals> fetch_all(const SyncOptions& options, const EntryList& plan, const Listed& listed,
                              const store::TagScope& scope, const StoreParts& store, std::shared_ptr<store::Hold> hold,
                              const origin::OriginFactory& factory, Machine machine, Progress& progress,
                              const std::stop_token& stop) {
    progress.phase = Phase::fetching;
    const uint32_t connections = options.connections > 0 ? options.connections : kConnections;
    const uint32_t loop_count = std::min(loops_of(options), connections);
    ZCDP_TRY(const auto incoming, store.ingest.incoming(hold));
    ZCDP_TRY(const auto swarm, swarm_feeder(options, plan, listed, store, machine, stop));
    Committer committer(
        *incoming, scope, swarm ? kSwarmBatchMs : Committer::kBatchMs,
        [&](std::span<const store::TagRow> rows) { return swarm ? swarm->committed(rows) : Result<>(); });
    PlanFeeder in_order(plan.read(machine.fs), connections);
    Feeder& feeder = swarm ? static_cast<Feeder&>(*swarm) : in_order;
    asio::thread_pool disk(kDiskThreads);
    transfer::ClimbingLimit run_limit(first_runs(connections, loop_count), connections);
    transfer::ClimbingLimit request_limit(connections, options.connections > 0 ? connections : kConnectionsMost,
                                          transfer::ClimbingLimit::kOfRequests);
    FetchJob job(FetchContext{store.memory, store.content,   store.ingest,   hold,          *incoming,
                              committer,    feeder,          run_limit,      request_limit, connections,
                              disk,         machine.fs,      machine.clock,  machine.log,   progress,
                              stop,         listed.identity, options.source, scope,         options.verify_parts,
                              options.peers});
    if (swarm) job.swarm = swarm_name(options.peers->dataset, listed.revision), job.pieces = swarm->pieces();
    committer.start();
    if (swarm) swarm->start(job);
    Result<> ran = run_loops(job, factory, loop_count, connections, options.memory_bytes);
    if (!ran) job.fail(ran.error());
    disk.join();
    const Result<> committed = committer.finish();
    if (swarm) swarm->join();
    if (auto failed = what_failed(committed, ran, job)) {
        if (swarm) options.peers->server.remove(job.swarm);
        return std::move(*failed);
    }
    return FetchTotals{job.objects_fetched,
                       job.bytes_fetched,
                       job.objects_received,
                       job.bytes_received,
                       job.objects_matched,
                       job.bytes_matched,
                       swarm ? swarm->others_snapshot() : ""};
}

}  // namespace zcdp::sync
