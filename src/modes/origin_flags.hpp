// The flags of every command that reads from an origin.
#pragma once

#include <CLI/CLI.hpp>

#include "zcdp/origin/options.hpp"

namespace zcdp::modes {

/// Adds --endpoint, --anonymous, --retries and the rest; what they name must outlive the parsing.
void add_origin_flags(CLI::App& command, origin::OriginOptions& origin);

}  // namespace zcdp::modes
