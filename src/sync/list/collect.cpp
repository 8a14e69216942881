#include "src/sync/list/collect.hpp"

#include <algorithm>

#include "zcdp/base/faults.hpp"
#include "zcdp/base/scratch.hpp"

namespace zcdp::sync {
namespace {

constexpr uint64_t kLookEvery = 4096;

Error stopped() { return Error(ErrorKind::interrupted, "stopped while listing", "", "run the same command again"); }

}  // namespace

Result<std::unique_ptr<Collector::Draft>> Collector::new_draft(bool placeholders_give_way) {
    ZCDP_TRY(Fd scratch, open_scratch(fs_, scratch_folder_, random_));
    return std::make_unique<Draft>(std::move(scratch), fs_, refusals_, placeholders_give_way);
}

Result<> Collector::begin() {
    refusals_ = {};
    sorter_.reset();
    any_ = false;
    ZCDP_TRY(draft_, new_draft(skip_bad_keys_));
    return {};
}

Result<> Collector::take(origin::Entry&& entry) {
    if (!Names(filter_, refusals_).wanted(entry)) return {};
    if (sorter_) return sorter_->add(std::move(entry));
    if (any_ && entry.path <= last_.path && !faults::broken("list-order")) {
        if (entry == last_) return {};
        // What was admitted so far is one sorted run. Folders that were dropped have something in them, whatever comes.
        ZCDP_CHECK(draft_->end());
        sorter_ = std::make_unique<EntrySorter>(fs_, random_, scratch_folder_);
        sorter_->add_run(draft_->file.get(), draft_->spool.count());
        return sorter_->add(std::move(entry));
    }
    any_ = true, last_ = entry;
    return draft_->take(std::move(entry));
}

Result<> Collector::merge(const std::stop_token& stop) {
    const auto first_run = std::move(draft_);  // read to the end
    ZCDP_TRY(draft_, new_draft(skip_bad_keys_));
    ZCDP_CHECK(sorter_->finish());
    any_ = false;
    for (uint64_t i = 0;; ++i) {
        ZCDP_TRY(origin::Entry* const entry, sorter_->next());
        if (!entry) break;
        if (i % kLookEvery == 0 && stop.stop_requested()) return stopped();
        if (any_ && *entry == last_) continue;
        any_ = true, last_ = *entry;
        ZCDP_CHECK(draft_->take(std::move(*entry)));
    }
    return {};
}

/// The same list without what gave way; the sums begin anew.
Result<> Collector::leave_out_gone(const std::stop_token& stop) {
    std::vector<uint64_t> gone = draft_->intake.gone();
    std::sort(gone.begin(), gone.end());
    const auto whole = std::move(draft_);
    ZCDP_TRY(draft_, new_draft(false));
    SpoolReader reader(fs_, whole->file.get(), whole->spool.count());
    auto next_gone = gone.begin();
    SpoolEntry record;
    for (uint64_t i = 0;; ++i) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) break;
        if (i % kLookEvery == 0 && stop.stop_requested()) return stopped();
        if (next_gone != gone.end() && *next_gone == i) {
            ++next_gone;
            refusals_.add(record.entry.path, "is empty and named like a folder");
            continue;
        }
        ZCDP_CHECK(draft_->take(std::move(record.entry)));
    }
    return draft_->end();
}

Result<EntryList> Collector::finish(const std::stop_token& stop) {
    if (sorter_) ZCDP_CHECK(merge(stop));
    ZCDP_CHECK(draft_->end());
    if (!draft_->intake.gone().empty()) ZCDP_CHECK(leave_out_gone(stop));
    return EntryList{std::move(draft_->file), draft_->spool.count()};
}

}  // namespace zcdp::sync
