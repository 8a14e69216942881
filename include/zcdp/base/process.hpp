// Runs another program and takes what it prints: credential plugins. Blocks; thread rule: any thread.
#pragma once

#include <string>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp {

/// `words`: the program, found in $PATH, and its arguments. `variables`: NAME=VALUE beside the present environment. Its
/// stderr is ours. Errors: usage (cannot be started), denied (another exit code than 0), refused (over the limit).
Result<std::string> run_program(std::vector<std::string> words, std::vector<std::string> variables, size_t limit_bytes);

}  // namespace zcdp
