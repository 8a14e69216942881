// What origins said before: which object had which tag, sum and content, and which listing gave which snapshot. None of
// it is needed to read a snapshot; a lost index loses it. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/ids.hpp"
#include "zcdp/store/snapshots.hpp"
#include "zcdp/store/tags.hpp"

namespace zcdp::store {

class OriginMemory {
  public:
    virtual ~OriginMemory() = default;

    /// Calls back for every row of `scope` with key >= `from` and starting with `prefix`, in raw byte order of keys,
    /// until the callback returns false. Streams; constant memory. The callback must not call the store.
    virtual Result<> for_each_tag(const TagScope& scope, const std::string& prefix, const std::string& from,
                                  const std::function<bool(const TagRow&)>& row) = 0;
    /// Rows of any scope with this endpoint and bucket that had this tag and size: candidates for reuse by content.
    virtual Result<std::vector<TagRow>> tags_like(const TagScope& scope, const Tag& tag, uint64_t size_bytes) = 0;
    /// Whether any row has this endpoint and bucket, whoever fetched it: if not, tags_like need not be asked.
    virtual Result<bool> any_tags(const TagScope& scope) = 0;
    /// Contents of this size of which this endpoint and bucket stated this sum: to the same credentials, or to anybody.
    virtual Result<std::vector<Digest>> sums_like(const TagScope& scope, const std::string& sum, uint64_t size_bytes,
                                                  bool anybodys) = 0;
    /// Whether it stated any sum of a content of this size, to whomever: if not, sums_like need not be asked.
    virtual Result<bool> any_sums(const TagScope& scope, uint64_t size_bytes) = 0;
    virtual Result<> put_tags(const TagScope& scope, std::span<const TagRow> rows) = 0;
    /// Takes back what `scope` has of the keys that begin with `prefix`: tags, and which listings of that prefix gave
    /// which snapshot. The contents stay, and the snapshots.
    virtual Result<> forget(const TagScope& scope, const std::string& prefix) = 0;
    /// The snapshot that this listing gave before, if it is still Ready. `selection` is the include/exclude text.
    virtual Result<std::optional<SnapshotInfo>> find_revision(const TagScope& scope, const std::string& prefix,
                                                              const std::string& selection,
                                                              const Revision& revision) = 0;
    virtual Result<> put_revision(const TagScope& scope, const std::string& prefix, const std::string& selection,
                                  const Revision& revision, const SnapshotId& snapshot) = 0;
};

}  // namespace zcdp::store
