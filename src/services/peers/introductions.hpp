// Introductions as controllers give them: POST /v1/peers (docs/formats.md, "Between agents and controllers").
// Thread rule: belongs to the loop that it was made for, and ends before it. One question at a time.
#pragma once

#include <memory>

#include "src/services/peers/controller_access.hpp"
#include "zcdp/api/dataset_key.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/swarm/session.hpp"

namespace zcdp::services::peers {

/// Only one of the controllers introduces: one that does not is left at once for another connection, eight times at
/// most. Errors of meet(): busy: none of the eight introduces; not_found: no such Dataset, or it has no such revision;
/// denied; refused: an answer that is none; unreachable, timeout (30 s).
std::unique_ptr<swarm::Introductions> make_introductions(asio::any_io_executor executor, ControllerAccess access,
                                                         api::DatasetKey dataset, Revision revision, Machine machine);

}  // namespace zcdp::services::peers
