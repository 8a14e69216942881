#include "src/sync/list/listing.hpp"

#include <fmt/format.h>

#include "src/sync/fetch/job.hpp"
#include "src/sync/list/selection.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::sync {
namespace {

/// Everything the coroutine touches; outlives it.
struct ListJob {
    origin::Origin& origin;
    Collector& collector;
    const origin::Selection& selection;
    Progress& progress;
    uint64_t seen = 0;
    Result<> result;
};

Task<Result<>> list_all(ListJob* job) {
    const auto listing = job->origin.list(job->selection);
    ZCDP_CO_CHECK(job->collector.begin());
    for (uint32_t restarts = 0;;) {
        ZCDP_CO_TRY(auto page, co_await listing->next());
        if (listing->restarts() != restarts) {
            restarts = listing->restarts();
            job->seen = 0;
            ZCDP_CO_CHECK(job->collector.begin());
        }
        if (page.empty()) co_return Result<>();
        for (origin::Entry& entry : page) ZCDP_CO_CHECK(job->collector.take(std::move(entry)));
        job->seen += page.size();
        job->progress.objects_listed = job->seen;
    }
}

Task<> run_list(ListJob* job) { job->result = co_await list_all(job); }

Error bad_keys(const Refusals& refusals, const std::string& source, const origin::OriginIdentity& identity) {
    const uint64_t others = refusals.count() - 1;
    const std::string more = others == 0 ? "" : fmt::format(" ({} more like it)", others);
    return Error(ErrorKind::refused, fmt::format("is no path: key {}{}", refusals.keys().front(), more),
                 object_name(source, identity, ""),
                 refusals.links() > 0
                     ? "take what symlinks lead to with --follow-symlinks, or leave such keys out with --bad-keys skip"
                     : "leave such keys out with --bad-keys skip, or rename them");
}

/// Shells pass a glob in a web address on as it is, and other tools read one.
std::string glob_hint(const std::string& source) {
    const size_t glob = source.find_first_of("*?[", source.find("://") + 3), slash = source.rfind('/', glob);
    if (glob == source.npos || slash == source.npos) return "";
    return fmt::format("a SOURCE is no glob: write --include '{}' {}", source.substr(slash + 1),
                       source.substr(0, slash + 1));
}

Error nothing_there(const std::string& source) {
    const std::string glob = glob_hint(source);
    return Error(ErrorKind::not_found, "there is no object below this prefix",
                 source + (source.ends_with('/') ? "" : "/"),
                 glob.empty() ? "look for a typing error; a prefix ends at a '/'" : glob);
}

}  // namespace

Result<Listed> list_origin(const SyncOptions& options, const origin::OriginFactory& factory, Fs& fs, Random& random,
                           const std::string& scratch_folder, Progress& progress, const std::stop_token& stop) {
    progress.phase = Phase::listing;
    const Filter filter(options.include, options.exclude);
    Collector collector(filter, options.skip_bad_keys, fs, random, scratch_folder);
    transfer::Loop loop;
    ZCDP_TRY(const auto origin, factory(loop.executor()));
    const FilterSelection selection(filter);
    ListJob job{*origin, collector, selection, progress, 0, {}};
    loop.spawn(run_list(&job));
    loop.run(stop);
    if (stop.stop_requested())
        return Error(ErrorKind::interrupted, "stopped while listing", options.source, "run the same command again");
    ZCDP_CHECK(std::move(job.result));
    Listed listed;
    ZCDP_TRY(listed.list, collector.finish(stop));
    listed.identity = origin->identity();
    const Refusals& refusals = collector.refusals();
    if (refusals.count() > 0 && !options.skip_bad_keys) return bad_keys(refusals, options.source, listed.identity);
    if (job.seen == 0 && !listed.identity.is_local && !listed.identity.may_be_empty)
        return nothing_there(options.source);
    Tally& tally = collector.tally();
    listed.files = tally.files(), listed.bytes = tally.bytes();
    listed.revision = Revision(to_hex(tally.revision()));
    listed.refused = refusals.count(), listed.refused_keys = refusals.keys();
    return listed;
}

}  // namespace zcdp::sync
