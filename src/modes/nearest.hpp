// Which word was meant: the nearest of those there are. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zcdp::modes {

/// How many letters have to be put in, taken out, exchanged, or swapped with their neighbour.
size_t distance(std::string_view a, std::string_view b);

/// The word nearest to `typed`, or the one that it begins; "" when none is near.
std::string nearest(std::string_view typed, const std::vector<std::string>& words);

}  // namespace zcdp::modes
