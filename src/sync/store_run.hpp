// A sync into a store: list, plan, fetch, build the tree. Each step is a file of its own; this one holds them together.
#pragma once

#include "src/sync/list/listing.hpp"
#include "src/sync/plan/plan.hpp"
#include "src/sync/store_parts.hpp"
#include "zcdp/sync/peers.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

/// An object that changes while it is read is listed again this often in all.
inline constexpr int kListings = 3;

/// Whether a fresh listing can help: the object is not what was listed, or gone.
bool changed_since_listing(const Error& error);
/// The error after the last listing.
Error changes_too_often(const Error& last);

/// Blocks. Thread rule: one thread.
class StoreRun {
  public:
    StoreRun(const SyncOptions& options, StoreParts store, const origin::OriginFactory& factory, Machine machine,
             Progress& progress, const std::stop_token& stop)
        : options_(options),
          store_(std::move(store)),
          factory_(factory),
          machine_(machine),
          progress_(progress),
          stop_(stop) {
        if (options_.peers && options_.peers->bans.is_anybody_false()) options_.peers = nullptr;
    }

    /// The whole of it, with fresh listings when the source changes meanwhile.
    Result<SyncReport> run();
    /// From a list that was made already. `whole` says that it is all of what the origin has: then the snapshot is
    /// remembered under the listing's revision.
    Result<> fetch_and_build(const Listed& listed, bool whole);
    SyncReport& report() { return report_; }
    /// After run(): what the origin had.
    const Listed* listed() const { return listed_ ? &*listed_ : nullptr; }

  private:
    struct Planned {
        EntryList list;
        PlanTotals totals;
    };
    Result<bool> from_earlier_revision(const Listed& listed);
    Result<Planned> plan(const Listed& listed, store::Hold& hold);
    std::string scratch_folder() const { return store_.root + "/staging"; }
    std::string selection() const { return Filter(options_.include, options_.exclude).text(); }
    void describe(const Listed& listed);
    bool is_of_peers(const Error& error) const;
    Result<> without_peers(const Listed& listed, const Error& wrong);
    Result<> discard_partials(const EntryList& plan, const std::string& prefix);

    SyncOptions options_;  ///< without peers, once they have turned out to be wrong
    const StoreParts store_;
    const origin::OriginFactory& factory_;
    Machine machine_;
    Progress& progress_;
    const std::stop_token& stop_;
    store::TagScope scope_;
    std::optional<Listed> listed_;
    std::string others_snapshot_;  ///< of the last fetch: what peers have made of the revision
    SyncReport report_;
};

}  // namespace zcdp::sync
