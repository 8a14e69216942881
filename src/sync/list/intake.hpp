// What of a listing becomes part of the dataset: applies the filter, refuses keys that are no paths, leaves out folders
// that have something in them, and computes the revision. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/paths.hpp"
#include "zcdp/origin/origin.hpp"
#include "zcdp/sync/filter.hpp"

namespace zcdp::sync {

/// Keys that are left out, counted; the first 100 are named as "KEY (REASON)", printable.
class Refusals {
  public:
    void add(const std::string& key, std::string_view reason);
    uint64_t count() const { return count_; }
    /// How many of them are symlinks, for where they lead.
    void add_links(uint64_t count) { links_ += count; }
    uint64_t links() const { return links_; }
    const std::vector<std::string>& keys() const { return keys_; }

  private:
    uint64_t count_ = 0, links_ = 0;
    std::vector<std::string> keys_;
};

/// What an entry's name alone says: whether it is wanted, whatever else is listed and in whatever order.
class Names {
  public:
    Names(const Filter& filter, Refusals& refusals) : filter_(filter), refusals_(refusals) {}
    bool wanted(const origin::Entry& entry);

  private:
    const Filter& filter_;
    Refusals& refusals_;
};

/// Sums over admitted entries, in order.
class Tally {
  public:
    void count(const origin::Entry& entry);
    uint64_t files() const { return files_; }
    uint64_t entries() const { return entries_; }
    uint64_t bytes() const { return bytes_; }
    /// docs/formats.md "Revision".
    Sha256Bytes revision() { return hash_.finish(); }

  private:
    Sha256 hash_;
    std::string record_;
    uint64_t files_ = 0, entries_ = 0, bytes_ = 0;
};

/// What the neighbours of an entry say; entries come and go in raw byte order.
class Intake {
  public:
    /// `placeholders_give_way`: an empty file `a` beside `a/b` is admitted and gone(), else `a/b` is refused.
    Intake(Refusals& refusals, bool placeholders_give_way)
        : refusals_(refusals), placeholders_give_way_(placeholders_give_way) {}

    /// Takes the next entry, whose name is wanted; calls `accept` for every entry that is now known to belong to the
    /// tree (an empty folder is only known to be one when the next entry comes).
    template <class Accept>
    Result<> take(origin::Entry&& entry, Accept accept) {
        if (!fits(entry)) return {};
        ZCDP_CHECK(release_folder(&entry, accept));
        if (entry.kind == origin::EntryKind::directory) {
            folder_ = std::move(entry);
            return {};
        }
        return admit(entry, accept);
    }
    /// After the last entry.
    template <class Accept>
    Result<> end(Accept accept) {
        return release_folder(nullptr, accept);
    }

    /// Which of the admitted entries, counted from 0, do not belong to the tree after all; in no order.
    const std::vector<uint64_t>& gone() const { return order_.gone(); }
    /// Over the admitted entries.
    Tally& tally() { return tally_; }

  private:
    bool fits(const origin::Entry& entry);

    template <class Accept>
    Result<> admit(const origin::Entry& entry, Accept& accept) {
        tally_.count(entry);
        return accept(entry);
    }
    template <class Accept>
    Result<> release_folder(const origin::Entry* next, Accept& accept) {
        if (!folder_) return {};
        const origin::Entry folder = std::move(*folder_);
        folder_.reset();
        if (next && next->path.starts_with(folder.path)) return {};
        return admit(folder, accept);
    }

    Refusals& refusals_;
    const bool placeholders_give_way_;
    PathOrder order_;
    Tally tally_;
    std::optional<origin::Entry> folder_;
};

}  // namespace zcdp::sync
