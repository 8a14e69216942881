// What each piece is, as the manifest of a snapshot says that others have made of the same listing. The snapshot's id
// proves the manifest, whoever gave it, and the manifest every piece.
//
// In an unnamed scratch file, 32 bytes a piece. Thread rule: made by one thread, then read by any. Ownership: the file
// system outlives it.
#pragma once

#include <optional>
#include <string>

#include "src/sync/list/collect.hpp"
#include "zcdp/store/manifest.hpp"
#include "zcdp/swarm/identity.hpp"
#include "zcdp/swarm/pieces.hpp"

namespace zcdp::sync {

/// What a manifest of this plan's entries has at most, uncompressed. Reads the plan. Errors: those of the disk.
Result<uint64_t> manifest_bytes_most(const EntryList& plan, Fs& fs);

class ProvenPieces {
  public:
    /// Reads the manifest, up to `bytes_most` of it. nullopt: it is the snapshot's, but of another listing than `plan`.
    /// Blocks. Errors: corrupt: it is not that snapshot's; those of the disk.
    static Result<std::optional<ProvenPieces>> read(int manifest, const store::SnapshotId& snapshot,
                                                    uint64_t bytes_most, const EntryList& plan,
                                                    const swarm::PieceTable& table, Fs& fs, Fd scratch);
    /// Contract: piece is one of the table's. Blocks. Errors: those of the disk.
    Result<swarm::PieceDigest> at(uint64_t piece) const;

  private:
    ProvenPieces(Fs& fs, Fd file) : fs_(&fs), file_(std::move(file)) {}
    Fs* fs_;
    Fd file_;
};

}  // namespace zcdp::sync
