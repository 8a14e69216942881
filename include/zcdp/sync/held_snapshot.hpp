// A snapshot that is Ready, given to others: all of its pieces, from its manifest alone. So an agent gives, after a
// restart too, what its store has.
//
// In memory are some bytes a piece; the digest and the size of each entry are in an unnamed scratch file, 40 bytes
// each. What keeps the bytes there while they are sent: an open file keeps its own, whatever is evicted, and a chunk or
// a run of one file is no more than that. While a run of several files is read, and no longer, the snapshot is leased:
// an eviction takes another one first, but a disk full of what is given can be emptied. Of what is gone every piece is
// not_found.
// Thread rule: any thread. Ownership: store and file system outlive the Share and what is sent from it.
#pragma once

#include <memory>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/store/store.hpp"
#include "zcdp/swarm/share.hpp"

namespace zcdp::sync {

/// Cut as all cut it who have the listing that the snapshot was made of. Its news: it has all, all is there, it draws
/// nothing. `snapshot` is what Snapshots::find() takes; the store is open for writing. Reads the whole manifest:
/// blocks, some tenths of a second for a million files. Errors: not_found, when the snapshot is not here or not ready;
/// refused, for an ambiguous id; corrupt, when its manifest is damaged; those of the disk.
Result<std::shared_ptr<swarm::Share>> share_of_snapshot(store::Store& store, const std::string& snapshot, Fs& fs,
                                                        Random& random);

}  // namespace zcdp::sync
