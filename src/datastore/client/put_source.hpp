// What is put: a directory, a file, or what standard input gave. Listed once, then opened file by file.
//
// Thread rule: open() and look() from any thread. Nothing is written into a source.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "src/datastore/client/digest_cache.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::datastore {

/// Which files of a source are wanted: globs (sync/filter.hpp).
struct PutFilter {
    std::vector<std::string> include, exclude;
};

class PutSource {
  public:
    /// A directory or a file of this machine, as written. Errors: not_found, denied; refused (neither of the two);
    /// usage (a URL of something else).
    static Result<PutSource> open(const std::string& written, Machine machine);
    /// What `file` holds, all of it; errors call it `name`.
    static PutSource of_file(std::string name, Fd file, Machine machine);

    /// It is one file, whose path in the list is its own name.
    bool is_file() const { return !file_name_.empty(); }
    /// Its folder, absolute and without symlinks; "" when it is no folder's file.
    const std::string& folder() const { return folder_path_; }
    /// What a digest cache knows it by; "": it has none.
    std::string cache_name() const;
    uint64_t device() const { return device_; }
    /// How errors call a file of it.
    std::string name_of(const std::string& path) const;

    /// A file of the list, never through a symlink that the walk did not follow. Errors: source_changed (it is no more,
    /// or no file any more), denied.
    Result<std::shared_ptr<const Fd>> open(const std::string& path) const;

    /// All of it in raw byte order; the digests that `cache` has are in it. `scratch` takes the list. Errors: refused,
    /// with the first that cannot be put and how many there are; denied, with the folder that cannot be read; usage, a
    /// .zcdpignore that cannot be used; not_found: nothing of a single file is wanted; interrupted.
    Result<PutList> list(const PutFilter& filter, DigestCache& cache, const std::string& scratch,
                         sync::Progress& progress, std::stop_token stop) const;

  private:
    explicit PutSource(Machine machine) : machine_(machine) {}
    Result<PutList> list_spool(const std::string& scratch) const;

    Machine machine_;
    std::string written_, folder_path_, file_name_;
    Fd folder_;
    std::shared_ptr<const Fd> spool_;  ///< all that there is
    uint64_t device_ = 0;
};

/// The globs of a .zcdpignore: a line each, without the white space around it; "#" begins a comment. Pure.
std::vector<std::string> ignored_globs(std::string_view text);

/// Reads `input` to its end into a file without a name in `scratch`. Errors: no_space, and those of reading;
/// interrupted.
Result<PutSource> spool_input(int input, const std::string& scratch, Machine machine, sync::Progress& progress,
                              const std::stop_token& stop);

/// Where files without a name are: $TMPDIR, else /tmp.
std::string scratch_folder(const Machine& machine);

}  // namespace zcdp::datastore
