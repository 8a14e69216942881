// The bytes of pieces, read from their files as they are now. Blocks; for a pool's threads.
#pragma once

#include <vector>

#include "src/datastore/client/put_pack.hpp"
#include "src/datastore/client/put_source.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::datastore {

/// So many bytes of these pieces' body are read into memory, at most.
uint64_t held_bytes_of(const Pieces& pieces);

/// A request's body: what is short is in memory, the rest stays in its files. Errors: source_changed, with the file
/// that is not what was hashed any more; denied and other errors of reading.
Result<std::vector<net::BodyPart>> make_body(const PutSource& source, Fs& fs, const Pieces& pieces);

/// For when the server has received other bytes than were hashed: hashes them again. Errors: as make_body().
Result<> check_unchanged(const PutSource& source, Fs& fs, const Pieces& pieces);

}  // namespace zcdp::datastore
