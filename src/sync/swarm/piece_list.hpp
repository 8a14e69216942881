// A plan, cut into pieces: which files a piece has, and which pieces are here already. On disk but for some bytes a
// piece.
//
// Thread rule: made by one thread, then read by any.
#pragma once

#include <string>
#include <vector>

#include "src/sync/list/collect.hpp"
#include "zcdp/swarm/have_map.hpp"
#include "zcdp/swarm/pieces.hpp"

namespace zcdp::sync {

/// A file of a piece.
struct PieceFile {
    uint64_t entry;  ///< its place in the list
    SpoolEntry record;
};

class PieceList {
  public:
    /// Reads `plan` twice. Errors: those of the disk; interrupted.
    static Result<PieceList> make(const EntryList& plan, Fs& fs, const std::string& scratch_folder, Random& random,
                                  const std::stop_token& stop);

    const swarm::PieceTable& table() const { return table_; }
    /// Pieces all of whose files the plan knows to be present.
    const swarm::HaveMap& present() const { return present_; }
    /// The files with content, in order; of a chunk the one. Blocks. Contract: piece < table().pieces() (checked).
    Result<std::vector<PieceFile>> files_of(uint64_t piece) const;

  private:
    struct Group {
        uint64_t first_entry, entries, offset_bytes;
    };
    explicit PieceList(Fs& fs) : fs_(&fs) {}
    Result<> copy(const EntryList& plan, const std::stop_token& stop);
    Fs* fs_;
    Fd file_;
    swarm::PieceTable table_;
    swarm::HaveMap present_;
    std::vector<Group> groups_;
};

}  // namespace zcdp::sync
