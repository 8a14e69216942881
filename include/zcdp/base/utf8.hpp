// UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace zcdp {

/// Bytes of the valid sequence that `text` starts with, 1 to 4; 0 when it starts with none (or is empty).
size_t utf8_sequence_length(std::string_view text);

/// Whether all of `text` is valid UTF-8.
bool utf8_valid(std::string_view text);

}  // namespace zcdp
