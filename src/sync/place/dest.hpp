// Puts a tree into a directory of the user's: each file appears by rename, complete and durable, and what it was is
// written down (dest_state.hpp), so that the next run touches only what differs and an interrupted one goes on.
//
// A DEST that does not exist is filled beside its place and appears whole, by one rename. Into an existing one files go
// one by one; deletions come last, and only of files that zcdp put there and nobody changed since. One run at a time: a
// second one waits (dest_lock.hpp). The folder that DEST is in is opened once, so that nothing is written where its
// name leads later. Thread rule: one thread.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/sync/place/dest_lock.hpp"
#include "src/sync/place/dest_state.hpp"
#include "zcdp/store/materialise.hpp"
#include "zcdp/store/target.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

/// What a DEST of this name is called while it is filled and does not exist yet: beside its place.
inline std::string name_beside(const std::string& name) { return "." + name + ".zcdp-partial"; }
/// The same as a path; `path` is absolute.
inline std::string place_beside(const std::string& path) {
    const size_t slash = path.rfind('/');
    return path.substr(0, slash + 1) + name_beside(path.substr(slash + 1));
}

class Dest {
  public:
    /// `dest` as the user wrote it. Makes what is missing, waits for another run, sweeps what an interrupted one left,
    /// and merges its journal. Errors: usage (a file, a symlink that leads nowhere), busy.
    static Result<std::unique_ptr<Dest>> open(const std::string& dest, Fs& fs, Clock& clock, Random& random,
                                              const LockWait& wait);
    /// Changes nothing: only earlier(), intact() and path() may be called. DEST need not exist.
    static Result<std::unique_ptr<Dest>> look(const std::string& dest, Fs& fs, Clock& clock, Random& random);
    ~Dest();
    /// Counts what is placed from now on; must outlive this.
    void report_to(Progress& progress) { progress_ = &progress; }

    /// Absolute, as it will be called in the end.
    const std::string& path() const { return path_; }
    /// The folder .zcdp inside, and its absolute path for now.
    int own_folder() const { return own_.get(); }
    const std::string& own_path() const { return own_path_; }
    /// That the names still lead to the folder which was opened. Errors: failed, when it or one around it was moved.
    Result<> check_in_place() const;
    /// What was put here before, in path order. Only before the first place().
    Result<std::unique_ptr<DestState>> earlier() const;
    /// Whether the file of `record` is still as it was put.
    Result<bool> intact(const DestRecord& record);

    // New files that come ready, in path order, before the first place(). One thread, but for the files themselves: any
    // may make one in temporary_folder(), in its own slot.
    struct Slot {
        std::string temporary;  ///< its name there
        std::shared_ptr<Fd> folder;
    };
    int temporary_folder() const { return tmp_.get(); }
    /// A slot for a file; none where something is in its place, or in its way.
    Result<std::optional<Slot>> new_slot(const std::string& path);
    /// The next one, of which the record lacks nothing; `file` is open. Whether it is time to settle().
    Result<bool> add_new(DestRecord record, Slot slot, Fd file);
    /// Durable, then named, then written down: all since the last time.
    Result<> settle();
    /// After the last new file; what was added counts as put there earlier.
    Result<> end_new();

    /// Where files come from: an open folder with the same paths.
    void take_from(Fd tree, store::Way way);
    /// The same out of a private store that is thrown away afterwards: what moves leaves its tree and its cas/.
    void move_from(Fd tree, Fd cas);
    /// The next entry in path order; files are looked for under take_from's folder, unless they are here already.
    Result<> place(const store::ManifestEntry& entry, const Tag& tag);

    struct Removed {
        uint64_t files = 0, bytes = 0;
    };
    /// After the last entry: everything durable, then deletions if asked for, then the rename to the final name.
    Result<Removed> finish(bool delete_extra);

  private:
    struct Item {
        DestRecord record;
        Fd file;                     ///< to be synced; empty when nothing was written
        std::string temporary;       ///< name in tmp/; empty when it is here already
        std::shared_ptr<Fd> folder;  ///< where it goes
    };

    Dest(std::string path, Fs& fs, Clock& clock, Random& random)
        : path_(std::move(path)), fs_(fs), clock_(clock), random_(random) {}
    static Result<std::unique_ptr<Dest>> named(const std::string& dest, Fs& fs, Clock& clock, Random& random);
    Result<> open_parent(bool make);
    Result<std::optional<Fd>> existing() const;
    Result<> open_folder();
    Result<> open_own_folder();
    Result<bool> outlived_by_another(const LockWait& wait);
    Result<> sweep();
    Result<> merge_journal();
    Result<> put_new_state();

    Result<> pass_until(const std::string& path);
    Result<bool> already_here(const DestRecord& old, const store::ManifestEntry& entry);
    Result<Item> make(const store::ManifestEntry& entry, const Tag& tag);
    Result<> make_file(const store::ManifestEntry& entry, Item& item);
    Result<bool> move(const store::ManifestEntry& entry, Item& item);
    void count_placed(uint64_t bytes) {
        if (progress_) progress_->bytes_placed += bytes;
    }
    Result<> note_stat(Item& item);
    bool is_full();
    static bool is_own(std::string_view path);
    Result<> make_names_durable(const std::set<std::shared_ptr<Fd>>& folders);
    Result<> write_down();
    Result<Removed> remove_extra();
    Result<bool> remove_one(const DestRecord& record);
    Result<> appear();
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& entry_path) const;

    std::string path_, real_path_, own_path_;     ///< real: beside the final place while it is being filled
    std::string parent_path_, name_, real_name_;  ///< path_ and real_path_ in two
    bool appears_ = false;                        ///< DEST did not exist: rename at the end
    Fs& fs_;
    Clock& clock_;
    Random& random_;
    Fd parent_, dir_, own_, tmp_, tree_, cas_;
    DestLock lock_;
    Progress* progress_ = nullptr;
    BarrierKind barrier_ = BarrierKind::each;
    bool links_ = false;  ///< names of the store's files
    std::unique_ptr<store::Materialiser> materialiser_;
    std::optional<store::TargetFolders> folders_;
    std::unique_ptr<DestState> old_;
    std::optional<DestRecord> old_next_;
    std::optional<DestStateWriter> journal_;
    std::vector<Item> batch_;
    store::BatchSize batch_made_;
    uint64_t temporaries_ = 0, extras_ = 0;
};

}  // namespace zcdp::sync
