// Runs another program without blocking the loop, and never for ever: credential_process. Thread rule: on the calling
// loop. One that blocks and may ask the person at our terminal, as kubeconfigs' plugins do: process.hpp.
#pragma once

#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp {

struct HelperLimits {
    size_t output_bytes;
    uint64_t timeout_ms;
};

/// What the program printed to stdout when it has ended well. `words`: the program, found in $PATH, and its arguments;
/// `name`: how errors call it. It runs in a session of its own, without a terminal and without stdin. One that is late,
/// prints too much or is no longer waited for (the task is cancelled or destroyed) is killed, and what it started with
/// it, unless that left the process group. Its stderr is shown to nobody, but errors quote the first line. Errors:
/// usage (cannot be started), denied (another exit status than 0, a signal, too much output), timeout.
Task<Result<std::string>> run_helper_program(std::vector<std::string> words, std::string name, HelperLimits limits);

}  // namespace zcdp
