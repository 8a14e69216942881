#include "src/sync/store_run.hpp"

#include <fmt/format.h>

#include "src/sync/fetch/fetch.hpp"
#include "src/sync/place/tree.hpp"
#include "zcdp/base/faults.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/swarm/peer_server.hpp"

namespace zcdp::sync {
namespace {

/// What a sync with peers gets is remembered apart from what these credentials alone were given: others than such syncs
/// believe of it what a HEAD confirms.
store::TagScope scope_of(const origin::OriginIdentity& identity, bool with_peers) {
    const bool is_apart = with_peers && !faults::broken("peers-scope");
    return {identity.endpoint, identity.bucket, identity.credentials + (is_apart ? " and peers" : "")};
}

}  // namespace

bool changed_since_listing(const Error& error) {
    return error.kind() == ErrorKind::source_changed || error.kind() == ErrorKind::not_found;
}

Error changes_too_often(const Error& last) {
    return Error(ErrorKind::source_changed, last.what(), last.object(),
                 fmt::format("it changed during each of {} tries: sync when nobody writes there", kListings));
}

void StoreRun::describe(const Listed& listed) {
    scope_ = scope_of(listed.identity, options_.peers);
    report_.revision = listed.revision;
    report_.objects = listed.files, report_.bytes = listed.bytes;
    report_.skipped = listed.refused, report_.skipped_keys = listed.refused_keys;
    report_.dry_run = options_.dry_run;
}

/// The listing says what it said before, and that snapshot is still here: nothing to plan, nothing to fetch.
Result<bool> StoreRun::from_earlier_revision(const Listed& listed) {
    const auto find = [&](const store::TagScope& scope) {
        return store_.memory.find_revision(scope, listed.identity.prefix, selection(), listed.revision);
    };
    ZCDP_TRY(auto earlier, find(scope_));
    if (!earlier && options_.peers) {
        ZCDP_TRY(earlier, find(scope_of(listed.identity, false)));
    }
    if (!earlier) return false;
    report_.snapshot = earlier->id.str(), report_.path = earlier->tree_path;
    report_.objects_reused = listed.files, report_.bytes_reused = listed.bytes;
    progress_.objects_reused = listed.files, progress_.bytes_reused = listed.bytes;
    if (!options_.dry_run) ZCDP_CHECK(store_.snapshots.touch(earlier->id));
    return true;
}

Result<StoreRun::Planned> StoreRun::plan(const Listed& listed, store::Hold& hold) {
    progress_.phase = Phase::planning;
    Planned planned;
    ZCDP_TRY(planned.list.file, open_scratch(machine_.fs, scratch_folder(), machine_.random));
    SpoolWriter spool(machine_.fs, planned.list.file.get());
    Planner planner(store_.memory, store_.ingest, scope_, listed.identity, hold);
    SpoolReader reader = listed.list.read(machine_.fs);
    SpoolEntry record;
    while (true) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) break;
        if (stop_.stop_requested())
            return Error(ErrorKind::interrupted, "stopped while planning", options_.source,
                         "run the same command again");
        ZCDP_CHECK(planner.add(record.entry, spool));
    }
    ZCDP_CHECK(spool.finish());
    planned.list.count = spool.count();
    planned.totals = planner.totals();
    return planned;
}

/// Whether peers may be to blame: bytes that are not what they should be.
bool StoreRun::is_of_peers(const Error& error) const { return options_.peers && error.kind() == ErrorKind::corrupt; }

Result<> StoreRun::fetch_and_build(const Listed& listed, bool whole) {
    scope_ = scope_of(listed.identity, options_.peers);
    const auto hold = store_.ingest.hold();
    ZCDP_TRY(const Planned planned, plan(listed, *hold));
    const PlanTotals& totals = planned.totals;
    const uint64_t unsure_files = totals.candidate_files + totals.same_size_files;
    report_.objects_reused = totals.reuse_files, report_.bytes_reused = totals.reuse_bytes;
    progress_.objects_reused = totals.reuse_files, progress_.bytes_reused = totals.reuse_bytes;
    progress_.objects_total = totals.fetch_files + unsure_files;
    progress_.bytes_total = totals.fetch_bytes + totals.candidate_bytes + totals.same_size_bytes;
    if (options_.dry_run) {
        report_.objects_fetched = totals.fetch_files + totals.same_size_files;
        report_.bytes_fetched = totals.fetch_bytes + totals.same_size_bytes;
        report_.objects_reused += totals.candidate_files, report_.bytes_reused += totals.candidate_bytes;
        return {};
    }
    if (totals.fetch_files + unsure_files > 0) {
        // What may be here already gets its room when it turns out that it is not.
        ZCDP_CHECK(store_.ingest.reserve(totals.fetch_bytes - totals.partial_bytes, totals.fetch_files, hold));
        const auto fetched =
            fetch_all(options_, planned.list, listed, scope_, store_, hold, factory_, machine_, progress_, stop_);
        if (!fetched && is_of_peers(fetched.error()))
            ZCDP_CHECK(discard_partials(planned.list, listed.identity.prefix));
        if (!fetched) return fetched.error();
        report_.objects_fetched += fetched->objects_fetched, report_.bytes_fetched += fetched->bytes_fetched;
        report_.objects_received += fetched->objects_received, report_.bytes_received += fetched->bytes_received;
        report_.objects_reused += fetched->objects_matched, report_.bytes_reused += fetched->bytes_matched;
        others_snapshot_ = fetched->others_snapshot;
    }
    ZCDP_TRY(const auto snapshot, build_tree(planned.list, listed.identity, scope_, options_.source, listed.revision,
                                             store_.snapshots, store_.memory, machine_.fs, progress_, stop_));
    const bool is_others = others_snapshot_.empty() || others_snapshot_ == snapshot.id.str();
    if (options_.peers && !is_others && !faults::broken("snapshot-id"))
        return Error(ErrorKind::corrupt,
                     "became snapshot " + snapshot.id.str().substr(0, 12) + ", on other nodes it is " +
                         others_snapshot_.substr(0, 12),
                     options_.source);
    if (whole)
        ZCDP_CHECK(
            store_.memory.put_revision(scope_, listed.identity.prefix, selection(), listed.revision, snapshot.id));
    report_.snapshot = snapshot.id.str(), report_.path = snapshot.tree_path;
    return {};
}

/// Some node has signed what is not so, or passed it on: all that came from peers is forgotten, and comes from the
/// origin.
Result<> StoreRun::without_peers(const Listed& listed, const Error& wrong) {
    machine_.log.warn("peers gave something else than the origin has; all of it is fetched from there",
                      {{"source", options_.source}, {"error", wrong.line()}});
    ZCDP_CHECK(store_.memory.forget(scope_, listed.identity.prefix));
    options_.peers->server.remove(swarm_name(options_.peers->dataset, listed.revision));
    options_.peers = nullptr;
    report_ = {};
    progress_.objects_done = progress_.bytes_done = 0;
    describe(listed);
    return fetch_and_build(listed, true);
}

/// Of the long files that were not whole when they were planned.
Result<> StoreRun::discard_partials(const EntryList& plan, const std::string& prefix) {
    const auto hold = store_.ingest.hold();  // of its own: the fetch's knows those that were there before it
    ZCDP_TRY(const auto incoming, store_.ingest.incoming(hold));
    SpoolReader reader = plan.read(machine_.fs);
    SpoolEntry record;
    while (true) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) return {};
        const origin::Entry& entry = record.entry;
        const store::PartialKey key = store::ByTag{scope_, prefix + entry.path, entry.tag};
        const bool is_long = entry.kind == origin::EntryKind::file && entry.size_bytes > kSmallFileBytesMax;
        if (!is_long || store_.ingest.hold_partial(*hold, key, entry.size_bytes) == 0) continue;
        ZCDP_TRY(const auto partial, incoming->open_partial(key, entry.size_bytes));
        ZCDP_CHECK(partial->discard());
    }
}

Result<SyncReport> StoreRun::run() {
    for (int listings = 1;; ++listings) {
        ZCDP_TRY(listed_,
                 list_origin(options_, factory_, machine_.fs, machine_.random, scratch_folder(), progress_, stop_));
        const Listed& listed = *listed_;
        if (!options_.expected_revision.empty() && listed.revision != options_.expected_revision)
            return Error(ErrorKind::source_changed,
                         "is another revision now, " + listed.revision.str().substr(0, 12) + " instead of " +
                             options_.expected_revision.str().substr(0, 12),
                         options_.source);
        describe(listed);
        ZCDP_TRY(const bool here, from_earlier_revision(listed));
        if (here) break;
        auto done = fetch_and_build(listed, true);
        if (!done && is_of_peers(done.error())) done = without_peers(listed, done.error());
        if (done) break;
        if (!changed_since_listing(done.error())) return std::move(done).error();
        if (listings == kListings) return changes_too_often(done.error());
        machine_.log.warn("the source changed, listing it again", {{"object", done.error().object()}});
        report_ = {};
    }
    return std::move(report_);
}

}  // namespace zcdp::sync
