// Where a Dataset's data is, which revisions its listings have given, and when it is listed again.
#include <fmt/format.h>

#include "src/services/backend/backend_access.hpp"
#include "src/services/backend/backend_source.hpp"
#include "src/services/controller/decide/dataset_draft.hpp"
#include "src/services/controller/decide/revision_source.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services::controller {
namespace {

constexpr int64_t kListingRetryMostS = 300, kListingRetryFirstS = 5, kChangedFirstS = 10;
constexpr uint32_t kAttemptsOften = 8;
constexpr size_t kHistoryMost = 20, kHistoryBytesMost = 256 << 10;

int64_t retry_pause_s(const api::DatasetStatus& status, int64_t now) {
    // The longer the listing has been failing, the longer the pause: a quarter of that time. Read off the object, not
    // counted (Backoff), so that a controller that takes over goes on where the last one was.
    const api::Condition* listed = api::find_condition(status.conditions, "Listed");
    const int64_t since =
        listed && listed->status == api::ConditionStatus::no ? api::parse_time(listed->last_transition_time) : now;
    return std::clamp<int64_t>((now - since) / 4, kListingRetryFirstS, kListingRetryMostS);
}

size_t size_of(const api::DatasetVersion& version) {
    size_t bytes = 512 + 2 * version.prefix.size();
    for (const auto* globs : {&version.include, &version.exclude})
        for (const std::string& glob : *globs) bytes += 2 * glob.size() + 8;
    return bytes;
}

/// The oldest go, never what new pods see or what spec.snapshot names.
void trim_history(Draft& draft) {
    auto& history = draft.status().history;
    size_t bytes = 0, count = 0;
    std::erase_if(history, [&](const api::DatasetVersion& version) {
        const std::string& pinned = draft.view.dataset.spec.snapshot;
        const bool stays = count == 0 || version.revision == draft.before().revision ||
                           (!pinned.empty() && version.snapshot == pinned);
        bytes += size_of(version), ++count;
        return !stays && (count > kHistoryMost || bytes > kHistoryBytesMost);
    });
}

void take_listing(Draft& draft, const std::string& key) {
    const ListingOutcome& listing = draft.view.listing;  // of this reign: a leader begins with none
    const bool ours = listing.ended_unix_s > 0 && listing.source == key;
    if (!ours || listing.error) return;
    auto& history = draft.status().history;
    draft.status().last_listed = iso8601(listing.ended_unix_s);
    const bool news = history.empty() || history.front().revision != listing.revision || history.front().source != key;
    if (!news) return;
    std::string snapshot;  // one revision, one snapshot, also when it was found in another folder
    for (const auto& version : history)
        if (version.revision == listing.revision) snapshot = version.snapshot;
    std::erase_if(history, [&](const auto& version) { return version.revision == listing.revision; });
    const ResolvedSource& from = draft.view.source;
    history.insert(history.begin(),
                   api::DatasetVersion{listing.revision, std::move(snapshot), listing.objects, listing.bytes,
                                       iso8601(listing.ended_unix_s), key, from.backend->metadata.name, from.prefix,
                                       from.include, from.exclude});
    trim_history(draft);
}

/// A node found that the newest revision is no longer what the origin has: when to list again; nullopt: no node says
/// so. A listing that says the same as before (the origin flaps) is not made over and over: nodes that failed often
/// wait longer.
std::optional<int64_t> changed_source_due(const Draft& draft) {
    const auto& history = draft.before().history;
    std::optional<uint32_t> attempts;
    for (const auto& held : draft.view.held) {
        const auto& error = held->status.last_error;
        if (!error || error->reason != api::reason_of(ErrorKind::source_changed) || history.empty() ||
            held->spec.revision != history.front().revision)
            continue;
        attempts = std::min(attempts.value_or(error->attempts), error->attempts);
    }
    if (!attempts) return std::nullopt;
    return draft.view.listing.ended_unix_s + (*attempts < kAttemptsOften ? kChangedFirstS : kListingRetryMostS);
}

/// The origin is listed at `due`, which was reckoned from `since`: at once also when the clock has gone back behind
/// that.
void list_at(Draft& draft, int64_t due, int64_t since) {
    const int64_t now = draft.view.now_unix_s;
    if (now >= due || now < since) draft.out.list = true;
    else draft.again_in(static_cast<uint64_t>(due - now));
}

}  // namespace

void decide_listing(Draft& draft) {
    const auto& [dataset, source] = std::tie(draft.view.dataset, draft.view.source);
    const ListingOutcome& listing = draft.view.listing;
    for (api::DatasetVersion& version : draft.status().history) record_source(version);
    if (!source.backend) {
        draft.condition("Listed", api::ConditionStatus::no, source.reason, source.message);
        return;
    }
    const std::string key = source_key(source);
    take_listing(draft, key);
    const auto& history = draft.status().history;
    const bool have = !history.empty() && history.front().source == key;
    const bool failed = listing.ended_unix_s > 0 && listing.source == key && listing.error.has_value();
    if (failed) {
        draft.condition("Listed", api::ConditionStatus::no, api::reason_of(listing.error->kind()),
                        listing.error->line());
    } else if (have) {
        draft.condition(
            "Listed", api::ConditionStatus::yes, api::Reason::listed,
            fmt::format("{} objects, {}", format_count(history.front().objects), format_size(history.front().bytes)));
    } else {
        draft.condition("Listed", api::ConditionStatus::unknown, api::Reason::listing, "the origin is being listed");
    }
    if (dataset.spec.paused || listing.running || dataset.metadata.deleting()) return;
    if (failed) {
        list_at(draft, listing.ended_unix_s + retry_pause_s(draft.status(), draft.view.now_unix_s),
                listing.ended_unix_s);
        return;
    }
    if (!have) {
        draft.out.list = true;
        return;
    }
    if (const auto due = changed_source_due(draft)) list_at(draft, *due, listing.ended_unix_s);
    if (const auto interval = parse_duration_ms(dataset.spec.refresh.interval); interval && *interval > 0) {
        const int64_t last = api::parse_time(draft.status().last_listed);
        list_at(draft, last + static_cast<int64_t>(std::max<uint64_t>(1, *interval / 1000)), last);
    }
}

ResolvedSource resolve_source(const api::Dataset& dataset, const Objects<api::StorageBackend>& backends) {
    const api::DatasetSource& source = dataset.spec.source;
    const std::string& ns = dataset.metadata.namespace_;
    ResolvedSource out;
    out.include = source.include, out.exclude = source.exclude;
    if (!source.backend.empty()) {
        for (const auto& backend : backends) {
            if (backend->metadata.name != source.backend) continue;
            out.prefix = backend::prefix_of(backend->spec, source).value_or("");
            if (backend::namespace_allowed(backend->spec, ns)) out.backend = backend;
            else
                out.reason = api::Reason::namespace_not_allowed,
                out.message =
                    fmt::format("StorageBackend {} does not allow namespace {}: add it to spec.allowedNamespaces",
                                source.backend, ns);
            return out;
        }
        out.reason = api::Reason::backend_not_found,
        out.message = fmt::format("there is no StorageBackend {}", source.backend);
        return out;
    }
    if (const auto checked = backend::check_uri(source); !checked) {
        out.reason = api::reason_of(checked.error().kind()), out.message = checked.error().line();
        return out;
    }
    for (const auto& backend : backends) {
        const auto prefix = backend::prefix_of(backend->spec, source);
        if (prefix && backend::namespace_allowed(backend->spec, ns)) out.backend = backend, out.prefix = *prefix;
    }
    if (!out.backend)
        out.reason = api::Reason::backend_not_found,
        out.message = fmt::format("no StorageBackend that allows namespace {} is for {}", ns, printable(source.uri));
    return out;
}

std::string source_key(const ResolvedSource& source) {
    std::string key = source.backend ? source.backend->metadata.name + "/" + source.prefix : "";
    for (const auto& glob : source.include) key += "\n+" + glob;
    for (const auto& glob : source.exclude) key += "\n-" + glob;
    return key;
}

}  // namespace zcdp::services::controller
