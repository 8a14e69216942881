// Which of the three kinds of sync this is: into a store, on into a DEST, or into a DEST alone.
#include "src/sync/place/dest_run.hpp"
#include "src/sync/place/overlap.hpp"
#include "src/sync/store_run.hpp"
#include "zcdp/origin/metrics.hpp"
#include "zcdp/store/store.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::sync {
namespace {

Result<SyncReport> run_kind(const SyncOptions& options, store::Store* store, const origin::OriginFactory& origin,
                            Machine machine, Progress& progress, const std::stop_token& stop) {
    if (options.no_store) return run_without_store(options, origin, machine, progress, stop);
    if (!options.dest.empty() && !options.dry_run) ZCDP_CHECK(forget_private_store(options.dest, machine));
    StoreRun into_store(options, parts_of(*store), origin, machine, progress, stop);
    ZCDP_TRY(SyncReport report, into_store.run());
    if (!options.dest.empty())
        ZCDP_CHECK(place_snapshot(options, *store, *into_store.listed(), machine, report, progress, stop));
    return report;
}

}  // namespace

Result<SyncReport> run(const SyncOptions& asked, store::Store* store, const origin::OriginFactory& origin,
                       Machine machine, Progress& progress, std::stop_token stop) {
    SyncOptions options = asked;
    options.source = origin::shown_source(asked.source);  // what the store calls the snapshot, and messages the source
    if (options.no_store && options.dest.empty())
        return Error(ErrorKind::usage, "a sync without a store needs a destination");
    const int64_t started_ns = machine.clock.monotonic_ns();
    Counter& requests = machine.metrics.counter(origin::metric::requests);
    Counter& retries = machine.metrics.counter(origin::metric::retries);
    const uint64_t requests_before = requests.value(), retries_before = retries.value();
    ZCDP_TRY(SyncReport report, run_kind(options, store, origin, machine, progress, stop));
    progress.phase = Phase::done;
    report.requests = requests.value() - requests_before;
    report.retries = retries.value() - retries_before;
    report.seconds = static_cast<double>(machine.clock.monotonic_ns() - started_ns) / 1e9;
    return report;
}

Result<> check_places(const SyncOptions& options, const std::string& store_root, const origin::OriginFactory& origin,
                      Machine machine) {
    transfer::Loop loop;
    ZCDP_TRY(const auto from, origin(loop.executor()));
    const origin::OriginIdentity identity = from->identity();
    return check_apart(machine.fs,
                       {identity.is_local ? identity.bucket : "", options.dest, store_root, identity.is_object});
}

Result<ListingSummary> list_source(const SyncOptions& options, const origin::OriginFactory& origin, Machine machine,
                                   const std::string& scratch_folder, Progress& progress, std::stop_token stop,
                                   const std::function<Result<>(origin::Entry&)>& each) {
    ZCDP_TRY(const Listed listed,
             list_origin(options, origin, machine.fs, machine.random, scratch_folder, progress, stop));
    if (each) {
        SpoolReader reader = listed.list.read(machine.fs);
        SpoolEntry record;
        while (true) {
            ZCDP_TRY(const bool more, reader.next(record));
            if (!more) break;
            ZCDP_CHECK(each(record.entry));
        }
    }
    return ListingSummary{listed.revision, listed.files, listed.bytes, listed.refused, listed.refused_keys};
}

}  // namespace zcdp::sync
