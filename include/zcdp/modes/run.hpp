// The command line as a whole: which commands there are, and which exit code each failure has.
#pragma once

namespace zcdp::modes {

/// Parses the arguments, runs one command, returns the process's exit code (docs: `zcdp --help`).
int run(int argc, char** argv);

}  // namespace zcdp::modes
