// Plan: joins what the origin lists with what the index knows; both are in raw byte order, so one pass over each does.
#pragma once

#include <cstdint>

#include "src/sync/list/spool.hpp"
#include "zcdp/store/ingest.hpp"
#include "zcdp/store/origin_memory.hpp"

namespace zcdp::sync {

/// Walks the index's rows below a prefix in step with ascending paths: one page of rows in memory.
class TagWalker {
  public:
    TagWalker(store::OriginMemory& memory, store::TagScope scope, std::string prefix)
        : memory_(memory), scope_(std::move(scope)), prefix_(std::move(prefix)) {}
    /// The row of this path, or null. Paths must ascend from call to call; the pointer lives until the next call.
    Result<const store::TagRow*> find(std::string_view path);

  private:
    Result<> next_page();
    store::OriginMemory& memory_;
    store::TagScope scope_;
    std::string prefix_;
    std::vector<store::TagRow> page_;
    size_t at_ = 0;
    bool ended_ = false, begun_ = false;
};

struct PlanTotals {
    uint64_t fetch_files = 0, fetch_bytes = 0;
    uint64_t reuse_files = 0, reuse_bytes = 0;
    uint64_t candidate_files = 0, candidate_bytes = 0;
    uint64_t same_size_files = 0, same_size_bytes = 0;  ///< perhaps here already, more likely not
    uint64_t partial_bytes = 0;                         ///< of fetch_bytes, what partial files have taken already
    uint64_t entries = 0;
};

/// Whether a tag is of the content alone, so that the same one under another key is worth a look.
enum class TagKind {
    opaque,    ///< or cannot be told
    md5,       ///< may be the MD5 of the content: to be compared with the bytes
    of_parts,  ///< has the form of an MD5 of an upload's parts' MD5s, and of their number
};
TagKind kind_of_tag(const Tag& tag, uint64_t size_bytes);

/// Copies the listing into the plan, with what is known of each file's content; what is counted on, `hold` keeps.
class Planner {
  public:
    Planner(store::OriginMemory& memory, store::Ingest& ingest, store::TagScope scope,
            const origin::OriginIdentity& identity, store::Hold& hold);
    Result<> add(const origin::Entry& entry, SpoolWriter& plan);
    const PlanTotals& totals() const { return totals_; }

  private:
    Result<SpoolEntry> judge(const origin::Entry& entry);
    Result<bool> look_for_candidate(SpoolEntry& record);
    void count(const SpoolEntry& record);
    store::OriginMemory& memory_;
    store::Ingest& ingest_;
    store::TagScope scope_;
    std::string prefix_;
    const bool tags_of_parts_;
    store::Hold& hold_;
    TagWalker known_;
    bool others_asked_ = false, others_ = false;  ///< whether anything of this bucket is in the index at all
    PlanTotals totals_;
};

}  // namespace zcdp::sync
