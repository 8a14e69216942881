// The bytes of a piece from the store, for whoever gives pieces.
// Thread rule: a reader belongs to one thread at a time; blocks. Ownership: content and file system outlive it.
#pragma once

#include <memory>
#include <vector>

#include "zcdp/store/content.hpp"
#include "zcdp/swarm/share.hpp"

namespace zcdp::sync {

/// What a giver answers for bytes that it has not, or no more.
Error not_here();

/// A file of a run, with content.
struct RunFile {
    Digest digest;
    uint64_t size_bytes;
};

/// Of a chunk: `what` says which bytes of the file.
std::unique_ptr<swarm::PieceReader> read_chunk(std::shared_ptr<store::ChunkSource> source, const swarm::Piece& what);
/// Of the files one after the other, each opened when it is its turn. `held` is let go with the last byte. Errors while
/// reading: not_found, when one is gone; corrupt, when it is shorter than it was.
std::unique_ptr<swarm::PieceReader> read_run(store::Content& content, Fs& fs, std::vector<RunFile> files,
                                             std::shared_ptr<const void> held = {});
/// The piece as a part of the one file that has all of it; nullopt when that is gone.
std::optional<net::server::FileRange> range_of(store::Content& content, const Digest& file, const swarm::Piece& what);

}  // namespace zcdp::sync
