// The steps of a sync, in order. Each is a file of its own; this one holds them together.
#include <fmt/format.h>

#include <algorithm>

#include "src/sync/fetch.hpp"
#include "src/sync/plan.hpp"
#include "src/sync/tree.hpp"

namespace zcdp::sync {
namespace {

/// An object that changes while it is read is listed again this often in all.
constexpr int kListings = 3;

struct Planned {
    EntryList list;
    PlanTotals totals;
};

/// What one call of run() works on.
class Run {
  public:
    Run(const SyncOptions& options, store::Store& store, const origin::OriginFactory& factory, origin::Machine machine,
        Progress& progress, Stop& stop)
        : options_(options), store_(store), factory_(factory), machine_(machine), progress_(progress), stop_(stop) {}

    Result<SyncReport> into_store();

  private:
    Result<bool> from_earlier_revision(const Listed& listed);
    Result<Planned> plan(const Listed& listed);
    Result<> fetch_and_build(const Listed& listed);
    std::string scratch_folder() const { return store_.root() + "/staging"; }
    std::string selection() const { return Filter(options_.include, options_.exclude).text(); }
    void describe(const Listed& listed);

    const SyncOptions& options_;
    store::Store& store_;
    const origin::OriginFactory& factory_;
    origin::Machine machine_;
    Progress& progress_;
    Stop& stop_;
    store::TagScope scope_;
    SyncReport report_;
};

void Run::describe(const Listed& listed) {
    const auto& identity = listed.identity;
    scope_ = {identity.endpoint, identity.bucket, identity.credentials};
    report_.revision = listed.revision;
    report_.objects = listed.files, report_.bytes = listed.bytes;
    report_.skipped = listed.refused, report_.skipped_keys = listed.refused_keys;
    report_.dry_run = options_.dry_run;
}

/// The listing says what it said before, and that snapshot is still here: nothing to plan, nothing to fetch.
Result<bool> Run::from_earlier_revision(const Listed& listed) {
    ZCDP_TRY(const auto earlier,
             store_.find_revision(scope_, listed.identity.prefix, selection(), listed.revision));
    if (!earlier) return false;
    report_.snapshot = earlier->id.str(), report_.path = earlier->tree_path;
    report_.objects_reused = listed.files, report_.bytes_reused = listed.bytes;
    progress_.objects_reused = listed.files, progress_.bytes_reused = listed.bytes;
    if (!options_.dry_run) ZCDP_CHECK(store_.touch(earlier->id));
    return true;
}

Result<Planned> Run::plan(const Listed& listed) {
    progress_.phase = Phase::planning;
    Planned planned;
    ZCDP_TRY(planned.list.file, open_scratch(machine_.fs, scratch_folder(), machine_.random));
    SpoolWriter spool(machine_.fs, planned.list.file.get());
    Planner planner(store_, scope_, listed.identity.prefix);
    SpoolReader reader = listed.list.read(machine_.fs);
    SpoolEntry record;
    while (true) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) break;
        if (stop_) return Error(ErrorKind::interrupted, "stopped while planning", options_.source);
        ZCDP_CHECK(planner.add(record.entry, spool));
    }
    ZCDP_CHECK(spool.finish());
    planned.list.count = spool.count();
    planned.totals = planner.totals();
    return planned;
}

Result<> Run::fetch_and_build(const Listed& listed) {
    ZCDP_TRY(const Planned planned, plan(listed));
    const PlanTotals& totals = planned.totals;
    report_.objects_reused = totals.reuse_files, report_.bytes_reused = totals.reuse_bytes;
    progress_.objects_reused = totals.reuse_files, progress_.bytes_reused = totals.reuse_bytes;
    progress_.objects_total = totals.fetch_files + totals.candidate_files;
    progress_.bytes_total = totals.fetch_bytes + totals.candidate_bytes;
    if (options_.dry_run) {
        report_.objects_fetched = totals.fetch_files, report_.bytes_fetched = totals.fetch_bytes;
        report_.objects_reused += totals.candidate_files, report_.bytes_reused += totals.candidate_bytes;
        return {};
    }
    if (totals.fetch_files + totals.candidate_files > 0) {
        ZCDP_TRY(const auto room, store_.reserve(totals.fetch_bytes, totals.fetch_files));
        ZCDP_TRY(const FetchTotals fetched, fetch_all(options_, planned.list, listed.identity, scope_, store_, factory_,
                                                      machine_, progress_, stop_));
        report_.objects_fetched += fetched.objects_fetched, report_.bytes_fetched += fetched.bytes_fetched;
        report_.objects_reused += fetched.objects_matched, report_.bytes_reused += fetched.bytes_matched;
    }
    ZCDP_TRY(const auto snapshot, build_tree(planned.list, listed.identity, scope_, options_.source, listed.revision,
                                             store_, machine_.fs, progress_, stop_));
    ZCDP_CHECK(store_.put_revision(scope_, listed.identity.prefix, selection(), listed.revision, snapshot.id));
    report_.snapshot = snapshot.id.str(), report_.path = snapshot.tree_path;
    return {};
}

Result<SyncReport> Run::into_store() {
    for (int listings = 1;; ++listings) {
        ZCDP_TRY(const Listed listed, list_origin(options_, factory_, machine_.fs, machine_.random, scratch_folder(),
                                                  progress_, stop_));
        describe(listed);
        ZCDP_TRY(const bool here, from_earlier_revision(listed));
        Result<> done;
        if (!here) done = fetch_and_build(listed);
        if (done) break;
        // Gone or changed since it was listed: what the origin has now is asked for anew.
        const ErrorKind kind = done.error().kind();
        const bool changed = kind == ErrorKind::source_changed || kind == ErrorKind::not_found;
        if (!changed || listings == kListings) {
            if (!changed) return std::move(done).error();
            return Error(ErrorKind::source_changed, done.error().what(), done.error().object(),
                         fmt::format("it changed during each of {} tries: sync when nobody writes there", kListings));
        }
        machine_.log.warn("the source changed, listing it again", {{"object", done.error().object()}});
        report_ = {};
    }
    progress_.phase = Phase::done;
    return std::move(report_);
}

}  // namespace

Result<SyncReport> run(const SyncOptions& options, store::Store* store, const origin::OriginFactory& origin,
                       origin::Machine machine, Progress& progress, Stop& stop) {
    const int64_t started_ns = machine.clock.monotonic_ns();
    Counter& requests = machine.metrics.counter("zcdp_origin_requests_total", "Requests sent to origins.");
    Counter& retries = machine.metrics.counter("zcdp_origin_retries_total", "Requests sent to origins again.");
    const uint64_t requests_before = requests.value(), retries_before = retries.value();
    Run steps(options, *store, origin, machine, progress, stop);
    ZCDP_TRY(SyncReport report, steps.into_store());
    report.requests = requests.value() - requests_before;
    report.retries = retries.value() - retries_before;
    report.seconds = static_cast<double>(machine.clock.monotonic_ns() - started_ns) / 1e9;
    return report;
}

}  // namespace zcdp::sync
