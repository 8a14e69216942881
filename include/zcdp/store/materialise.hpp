// From the tree of a ready snapshot into directories outside the store: a Materialiser makes one file there, fill()
// a whole tree in a directory that is not zcdp's, such as a volume.
//
// What every Materialiser promises; tests/support/materialiser_conformance.hpp holds an implementation to it:
//  - The file has the entry's bytes, all of them, or there is an error.
//  - Nothing but `name` in the target changes; what has that name already stays as it is, and is an error.
//  - The store's file stays as it is. A copy is a file of its own, a link is the store's.
// What every way to fill a directory promises, whenever it was killed or the power cut:
//  - A file under its final name is whole, durable, and what the manifest says.
//  - Running it again goes on with what is there: a file is kept when its bytes have the entry's digest (they are read
//    and hashed; size and times prove nothing), and nothing is begun again but what had no name yet.
//  - What is not the tree's is left alone: a volume's lost+found, or what somebody put beside. Whatever else is where
//    an entry has to be is refused by name. No symlink that lies there leads outside.
//  - At the end all of it is durable and nothing of zcdp's own is left behind.
// Ownership: descriptors that are passed as int are borrowed and stay open meanwhile; whoever calls keeps the snapshot
// from being evicted. Thread rule: one thread; `placed` is called from others, too. All calls block.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::store {

/// How a file's bytes come from the store.
enum class Way {
    link,           ///< a hard link; a copy where the store's file has as many as it can
    clone_or_copy,  ///< a reflink where the file system has them
    copy,
};

struct MaterialiserOptions {
    int source = -1;  ///< a ready tree
    int target = -1;  ///< the folder in which files are made
    Way way = Way::clone_or_copy;
    std::string target_path;  ///< what messages call the directory that the entries come to lie in
    std::function<void(uint64_t bytes)> placed = {};  ///< may be empty
};

class Materialiser {
  public:
    virtual ~Materialiser() = default;

    /// Makes `file`, an entry of the source's manifest, as `name` in the target. Its mode is 0777 or 0666 less the
    /// umask, a link's the store's. Gives the open file, whose contents are not durable yet; an empty Fd for a link.
    /// After an error, half of a file may be left under `name`. Errors: corrupt, when the store's file is shorter than
    /// the manifest says; not_found, when it is not there; usage, for a link to another file system; no_space, denied.
    virtual Result<Fd> make(const ManifestEntry& file, const std::string& name) = 0;
};

/// The one for the kernel's ways; `fs` must outlive it.
std::unique_ptr<Materialiser> make_materialiser(Fs& fs, MaterialiserOptions options);

/// Whose a tree is in a directory that is not zcdp's. An owner or group of UINT32_MAX is left as it comes.
struct Ownership {
    uid_t uid = UINT32_MAX;
    gid_t gid = UINT32_MAX;
    mode_t file_mode = 0644;
    mode_t executable_mode = 0755;
    mode_t folder_mode = 0755;  ///< 02775 lets what is made there later have the folder's group
};

struct ReadyTree {
    int folder = -1;           ///< ROOT/snapshots/ID/tree
    ManifestReader& manifest;  ///< at its beginning
    SnapshotId id;             ///< that the manifest must have
};

struct FillOptions {
    Way way = Way::clone_or_copy;
    /// Of every entry and of every folder around one, but not of the directory itself. None: as the process makes
    /// files. With links there can be none: it would be the store's.
    std::optional<Ownership> ownership = {};
    std::function<void(uint64_t bytes)> placed = {};  ///< may be empty; kept files count, too
    std::stop_token stop = {};
};

struct FillReport {
    uint64_t files = 0, symlinks = 0, empty_folders = 0, bytes = 0;  ///< all of the tree
    uint64_t kept_files = 0, kept_bytes = 0;                         ///< of these: there already
};

/// What a directory has of zcdp's own while it is filled: files without a final name. Swept by the next run.
inline constexpr const char* kFillFolder = ".zcdp-partial";

/// Puts all of `tree` into the open directory `target`, which messages call `target_path`. Errors: refused, naming
/// the entry, when something else is in its place or it is called as kFillFolder is; busy, when another run fills the
/// directory; usage, for links with an ownership or to another file system; corrupt, when the manifest is another's or
/// the store's file is short; denied, when the process may not give files away; no_space; interrupted.
Result<FillReport> fill(Fs& fs, const ReadyTree& tree, int target, const std::string& target_path,
                        const FillOptions& options);

}  // namespace zcdp::store
