// A snapshot of a store as people's scripts and the agent's clients read it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "zcdp/store/store.hpp"

namespace zcdp::store {

/// "ready", "evicting", "corrupt".
std::string_view name_of(SnapshotState state);

/// {"snapshot", "state", "name", "revision", "path", "pinned", "leases", "files", "directories", "symlinks", "bytes",
/// "created", "last_use"}; times in ISO 8601.
std::string to_json(const SnapshotInfo& info);

}  // namespace zcdp::store
