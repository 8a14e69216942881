// Entries in any order in, in raw byte order out, in bounded memory: what is held is sorted and written as a run now
// and then; the runs are merged as they are read. What fits into memory touches no disk.
//
// Thread rule: belongs to one thread at a time; blocks. The file has no name and is gone with the sorter.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/sync/list/spool.hpp"

namespace zcdp::sync {

class EntrySorter {
  public:
    static constexpr size_t kHeldBytes = 12 << 20;

    /// `scratch_folder` takes the runs once more than `held_bytes` are held.
    EntrySorter(Fs& fs, Random& random, std::string scratch_folder, size_t held_bytes = kHeldBytes)
        : fs_(fs), random_(random), scratch_folder_(std::move(scratch_folder)), held_bytes_max_(held_bytes) {}

    /// A run that is sorted and on disk already, in a file of the caller's that outlives this.
    void add_run(int fd, uint64_t count);
    Result<> add(origin::Entry&& entry);
    /// No add() after it.
    Result<> finish();
    /// The next in order, of equal paths all; null at the end. It holds until the next call.
    Result<origin::Entry*> next();

  private:
    struct Run {
        std::unique_ptr<SpoolReader> reader;  ///< null: what is held
        SpoolEntry at;
    };
    Result<> spill();
    Result<bool> step(Run& run);
    static bool is_after(const Run* a, const Run* b);

    Fs& fs_;
    Random& random_;
    const std::string scratch_folder_;
    const size_t held_bytes_max_;
    size_t held_bytes_ = 0, held_at_ = 0;
    std::vector<origin::Entry> held_;
    Fd file_;
    uint64_t end_bytes_ = 0;
    std::vector<std::unique_ptr<Run>> runs_;
    std::vector<Run*> heap_;  ///< runs that have more, the one with the least path first
    Run* last_ = nullptr;     ///< whose entry was handed out
};

/// The same listing with its entries in order, each once. Collects all of it before the first page, unless it is in
/// order by its nature. Errors of next(): also refused: two different entries have one path.
std::unique_ptr<origin::Listing> in_order(std::unique_ptr<origin::Listing> listing, Fs& fs, Random& random,
                                          std::string scratch_folder);

}  // namespace zcdp::sync
