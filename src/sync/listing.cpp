#include "src/sync/listing.hpp"

#include <fmt/format.h>

#include "src/sync/job.hpp"
#include "src/sync/loop.hpp"
#include "src/sync/selection.hpp"

namespace zcdp::sync {
namespace {

/// Everything the coroutine touches; outlives it.
struct ListJob {
    origin::Origin& origin;
    Intake& intake;
    SpoolWriter& spool;
    const origin::Selection& selection;
    Progress& progress;
    uint64_t seen = 0;
    Result<> result;
};

Task<> list_all(ListJob* job) {
    const auto accept = [job](const origin::Entry& entry) {
        SpoolEntry record;
        record.entry = entry;
        return job->spool.add(record);
    };
    const auto listing = job->origin.list(job->selection);
    while (true) {
        auto page = co_await listing->next();
        if (!page) {
            job->result = std::move(page).error();
            co_return;
        }
        if (page->empty()) break;
        for (origin::Entry& entry : *page)
            if (job->result = job->intake.take(std::move(entry), accept); !job->result) co_return;
        job->seen += page->size();
        job->progress.objects_listed = job->seen;
    }
    job->result = job->intake.end(accept);
    if (job->result) job->result = job->spool.finish();
}

Error bad_keys(const Intake& intake, const std::string& source, const origin::OriginIdentity& identity) {
    const uint64_t others = intake.refused() - 1;
    const std::string more = others == 0 ? "" : fmt::format(" ({} more like it)", others);
    return Error(ErrorKind::refused, fmt::format("is no path: key {}{}", intake.refused_keys().front(), more),
                 object_name(source, identity, ""), intake.refused_links() > 0 ? "take what symlinks lead to with --follow-symlinks, or leave such keys out with --bad-keys skip"
                                            : "leave such keys out with --bad-keys skip, or rename them");
}

Error nothing_there(const std::string& source) {
    return Error(ErrorKind::not_found, "there is no object below this prefix", source + (source.ends_with('/') ? "" : "/"),
                 "look for a typing error; a prefix ends at a '/'");
}

}  // namespace

Result<Listed> list_origin(const SyncOptions& options, const origin::OriginFactory& factory, Fs& fs, Random& random,
                           const std::string& scratch_folder, Progress& progress, const Stop& stop) {
    progress.phase = Phase::listing;
    Listed listed;
    ZCDP_TRY(listed.list.file, open_scratch(fs, scratch_folder, random));
    const Filter filter(options.include, options.exclude);
    Intake intake(filter);
    SpoolWriter spool(fs, listed.list.file.get());
    Loop loop;
    ZCDP_TRY(const auto origin, factory(loop.executor()));
    const FilterSelection selection(filter);
    ListJob job{*origin, intake, spool, selection, progress, 0, {}};
    loop.spawn(list_all(&job));
    loop.run([&stop] { return stop.load(); });
    if (stop) return Error(ErrorKind::interrupted, "stopped while listing", options.source, "run the same command again");
    ZCDP_CHECK(std::move(job.result));
    listed.identity = origin->identity();
    if (intake.refused() > 0 && !options.skip_bad_keys) return bad_keys(intake, options.source, listed.identity);
    if (job.seen == 0 && listed.identity.endpoint != "file://") return nothing_there(options.source);
    listed.list.count = spool.count();
    const Sha256Bytes revision = intake.revision();
    listed.revision = to_hex(revision);
    listed.files = intake.files(), listed.bytes = intake.bytes();
    listed.refused = intake.refused(), listed.refused_keys = intake.refused_keys();
    return listed;
}

}  // namespace zcdp::sync
