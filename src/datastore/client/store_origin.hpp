// A get's source as an Origin: its listing is what the manifests have, a file's tag is its digest, and that is its
// checksum, too. Short files come many in an answer, long ones by ranges.
#pragma once

#include <memory>

#include "src/datastore/client/source.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::datastore {

/// All of the factory's origins read the versions that `source` was listed with.
origin::OriginFactory make_store_origin_factory(std::shared_ptr<Source> source, ServerAccess access, Machine machine);

}  // namespace zcdp::datastore
