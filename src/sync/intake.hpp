// What of a listing becomes part of the dataset: applies the filter, refuses keys that are no paths, leaves out folders
// that have something in them, and computes the revision. Pure; entries come and go in raw byte order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/paths.hpp"
#include "zcdp/origin/origin.hpp"
#include "zcdp/sync/filter.hpp"

namespace zcdp::sync {

class Intake {
  public:
    explicit Intake(const Filter& filter) : filter_(filter) {}

    /// Takes the next entry of the listing; calls `accept` for every entry that is now known to belong to the tree (an
    /// empty folder is only known to be one when the next entry comes).
    template <class Accept>
    Result<> take(origin::Entry&& entry, Accept accept) {
        if (!wanted(entry)) return {};
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

    uint64_t files() const { return files_; }
    uint64_t entries() const { return entries_; }
    uint64_t bytes() const { return bytes_; }
    uint64_t refused() const { return refused_; }
    /// How many of them are symlinks, for where they lead.
    uint64_t refused_links() const { return refused_links_; }
    /// The first 100 refused keys as "KEY (REASON)", printable.
    const std::vector<std::string>& refused_keys() const { return refused_keys_; }
    /// docs/formats.md "Revision": over the admitted entries, in order.
    Sha256Bytes revision() { return hash_.finish(); }

  private:
    bool wanted(const origin::Entry& entry);
    void refuse(const std::string& key, std::string_view reason);
    void count(const origin::Entry& entry);

    template <class Accept>
    Result<> admit(const origin::Entry& entry, Accept& accept) {
        count(entry);
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

    const Filter& filter_;
    PathOrder order_;
    Sha256 hash_;
    std::string record_;
    std::optional<origin::Entry> folder_;
    uint64_t files_ = 0, entries_ = 0, bytes_ = 0, refused_ = 0, refused_links_ = 0;
    std::vector<std::string> refused_keys_;
};

}  // namespace zcdp::sync
