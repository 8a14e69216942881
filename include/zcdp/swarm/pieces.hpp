// What nodes trade: a dataset's files, cut into pieces by their sizes alone, so that all who have one list cut alike
// (docs/formats.md, "Pieces").
//
// A piece is one chunk of a file of several, or a run of shorter files. Nothing here has digests: they become known as
// pieces are verified.
// Thread rule: values; a table is built by one thread and then read by any.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "zcdp/base/digest.hpp"

namespace zcdp::swarm {

/// Of one piece, and of the files that a run may hold.
inline constexpr uint64_t kPieceBytesMost = kChunkBytes, kPieceFilesMost = 4096;

struct Piece {
    uint64_t first_entry;  ///< of the list, folders and symlinks counted as well
    uint64_t last_entry;   ///< the same for a chunk; entries in between that are no files, or empty, are not in it
    uint64_t chunk;        ///< of first_entry's file; 0 for a run
    uint64_t size_bytes;
    bool is_chunk;  ///< one of several chunks of a file; else a run

    bool operator==(const Piece&) const = default;
};

class PieceTable {
  public:
    /// Entries come in the list's order. Nothing is cut before finish().
    void add_file(uint64_t size_bytes);
    void add_other();  ///< a folder or a symlink: no bytes
    void finish();

    uint64_t pieces() const { return pieces_; }
    uint64_t entries() const { return entries_; }
    uint64_t size_bytes() const { return size_bytes_; }
    /// Contract: piece < pieces() (checked).
    Piece at(uint64_t piece) const;
    /// The piece that has this chunk of the entry's file. Contract: it is a file with content (the table keeps no list)
    /// and has that chunk (checked).
    uint64_t of(uint64_t entry, uint64_t chunk = 0) const;

  private:
    /// A run, or all chunks of one file.
    struct Group {
        uint64_t first_piece, first_entry, last_entry, size_bytes;
        bool of_chunks;
    };
    void end_run();
    std::vector<Group> groups_;
    std::optional<Group> run_;
    uint64_t run_files_ = 0, pieces_ = 0, entries_ = 0, size_bytes_ = 0;
};

}  // namespace zcdp::swarm
