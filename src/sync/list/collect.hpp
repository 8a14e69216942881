// Makes a list in raw byte order of a listing in any order: in one pass over what comes in order, else by sorting on
// disk. A key that comes twice with the same size and tag is one (pages that overlap); with others it is refused by
// name.
//
// Thread rule: belongs to one thread at a time; blocks. Memory: what a sorter holds, whatever comes.
#pragma once

#include <memory>
#include <string>

#include "src/sync/list/intake.hpp"
#include "src/sync/list/sorter.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

/// A list of entries on disk; any number of readers, one after another.
struct EntryList {
    Fd file;
    uint64_t count = 0;
    SpoolReader read(Fs& fs) const { return SpoolReader(fs, file.get(), count); }
};

class Collector {
  public:
    /// `skip_bad_keys`: an empty object that is named like a folder gives way to it, and counts as refused.
    Collector(const Filter& filter, bool skip_bad_keys, Fs& fs, Random& random, std::string scratch_folder)
        : filter_(filter),
          skip_bad_keys_(skip_bad_keys),
          fs_(fs),
          random_(random),
          scratch_folder_(std::move(scratch_folder)) {}

    /// Before the first entry, and when the listing begins again: then what was taken is void.
    Result<> begin();
    Result<> take(origin::Entry&& entry);
    /// After the last one. Errors: those of the disk; interrupted.
    Result<EntryList> finish(const std::stop_token& stop);

    /// Of the finished list.
    Tally& tally() { return draft_->intake.tally(); }
    const Refusals& refusals() const { return refusals_; }
    /// Whether it came in order.
    bool in_order() const { return !sorter_; }

  private:
    /// A list that is being written, in order.
    struct Draft {
        Draft(Fd scratch, Fs& fs, Refusals& refusals, bool placeholders_give_way)
            : file(std::move(scratch)), spool(fs, file.get()), intake(refusals, placeholders_give_way) {}
        Result<> take(origin::Entry&& entry) {
            return intake.take(std::move(entry), [this](const origin::Entry& one) { return spool.add(one); });
        }
        Result<> end() {
            ZCDP_CHECK(intake.end([this](const origin::Entry& one) { return spool.add(one); }));
            return spool.finish();
        }
        Fd file;
        SpoolWriter spool;
        Intake intake;
    };
    Result<std::unique_ptr<Draft>> new_draft(bool placeholders_give_way);
    Result<> merge(const std::stop_token& stop);
    Result<> leave_out_gone(const std::stop_token& stop);

    const Filter& filter_;
    const bool skip_bad_keys_;
    Fs& fs_;
    Random& random_;
    const std::string scratch_folder_;
    Refusals refusals_;
    std::unique_ptr<Draft> draft_;
    std::unique_ptr<EntrySorter> sorter_;  ///< once something came out of order
    origin::Entry last_;                   ///< that was taken in order
    bool any_ = false;
};

}  // namespace zcdp::sync
