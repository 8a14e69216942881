// What one get is of: a key at one version, or all keys below a prefix, each at one; and the list of what they have,
// manifest after manifest.
//
// Thread rule: listed by one thread at a time; meanwhile nobody looks parts up. Afterwards any thread may, and lost().
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/datastore/client/version.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::datastore {

/// One key of it.
struct Part {
    std::string key;
    uint64_t version = 0;
    KeyKind kind = KeyKind::tree;
    std::string snapshot;
    std::string folder;             ///< what its paths are below; "", or ends in '/'
    uint64_t files = 0, bytes = 0;  ///< as its manifest has them, once all is listed

    /// A path of the whole as its manifest has it. Contract: it begins with `folder`.
    std::string path_inside(const std::string& path) const { return path.substr(folder.size()); }
};

class SourceListing;

class Source {
  public:
    /// The key at a version (0: the present one).
    static std::shared_ptr<Source> of_key(std::string key, uint64_t version, std::string scratch_folder,
                                          Machine machine);
    /// All keys below `prefix`; "" is all there are.
    static std::shared_ptr<Source> of_prefix(std::string prefix, std::string scratch_folder, Machine machine);

    const std::string& name() const { return name_; }
    bool is_prefix() const { return is_prefix_; }

    /// Of a key: asks which version it is, unless that is known and still there. Errors: as fetch_version();
    /// source_changed: another kind now.
    Task<Result<>> pin(Client& client);
    /// Begins the list anew. `client` outlives it, and this too.
    std::unique_ptr<SourceListing> list(Client& client);

    /// By where each is; of a key one, once it is pinned.
    const std::map<std::string, Part, std::less<>>& parts() const { return parts_; }
    /// Those that `path` may be of, the nearest first.
    std::vector<const Part*> parts_of(std::string_view path) const;
    /// What a file has for its digest. `client` and `part` outlive the task. Errors: not_found; as fetch_version().
    Task<Result<Digest>> digest_of(Client& client, const Part& part, std::string path) const;
    /// A version is no more: the next list is of others.
    void lost() { lost_ = true; }

  private:
    friend class SourceListing;
    Source(std::string name, uint64_t version, bool is_prefix, std::string scratch_folder, Machine machine)
        : name_(std::move(name)),
          version_(version),
          is_prefix_(is_prefix),
          scratch_folder_(std::move(scratch_folder)),
          machine_(machine) {}
    Part& add_part(const Version& version, std::string at);

    const std::string name_;
    const uint64_t version_;
    const bool is_prefix_;
    const std::string scratch_folder_;
    Machine machine_;
    std::map<std::string, Part, std::less<>> parts_;
    std::map<std::string, Digest, std::less<>> long_files_;  ///< those of several chunks, which are asked about
    std::optional<Version> pinned_;
    std::atomic<bool> lost_{false};
};

struct SourceEntry {
    store::ManifestEntry entry;  ///< its path is that of the whole
    const Part* part = nullptr;
};

/// Thread rule: the client's loop.
class SourceListing {
  public:
    SourceListing(Source& source, Client& client) : source_(source), client_(client) {}
    /// The next entries; none at the end. Errors: also corrupt: a manifest that is not what the server said.
    Task<Result<std::vector<SourceEntry>>> next();

  private:
    struct Opened {
        Version version;
        Part* part;
        std::unique_ptr<store::ManifestReader> reader;
    };
    Task<Result<>> begin();
    Task<Result<>> open_more();
    Task<Result<>> next_keys();
    void open(Version version, std::string at);
    Result<> read(std::vector<SourceEntry>& page);

    Source& source_;
    Client& client_;
    bool begun_ = false;
    std::deque<Item> keys_;  ///< that were listed and not opened
    std::string after_;
    bool all_keys_ = false;
    std::deque<Opened> opened_;
};

}  // namespace zcdp::datastore
