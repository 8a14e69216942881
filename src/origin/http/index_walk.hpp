// A web server's folder, index by index. Thread rule: belongs to its loop.
#pragma once

#include <memory>

#include "src/origin/http/look.hpp"

namespace zcdp::origin::http {

/// What `selection`, which must outlive it, wants of what lies below the source's folder.
std::unique_ptr<Listing> make_index_walk(Surroundings around, const Selection& selection);

inline constexpr size_t kPageEntries = 256;

/// What files are, asked side by side; of those that are no paths the names alone. One that is a folder's has the kind
/// of one, and a '/' at its end. Sorted. Errors: those of look().
Task<Result<std::vector<Entry>>> look_at_all(Surroundings around, std::vector<std::string> paths,
                                             std::vector<std::string> refused, bool may_be_folders);

}  // namespace zcdp::origin::http
