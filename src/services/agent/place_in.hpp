// What a tree has at a path below it.
// Thread rule: any thread.
#pragma once

#include <string>

namespace zcdp::services::agent {

enum class Place { none, folder, other };

/// Symlinks lead where they lead in the tree; one that leads out of it counts as a folder, for a container has other
/// things there.
Place place_in(const std::string& tree, const std::string& path);

}  // namespace zcdp::services::agent
