// The flags of every command that reads from an origin.
#pragma once

#include "src/modes/command_line.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::modes {

/// Adds --endpoint, --anonymous, --retries and the rest; what they name must outlive the parsing.
void add_origin_flags(Command command, origin::OriginOptions& origin);

}  // namespace zcdp::modes
