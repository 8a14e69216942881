// stdin, stdout and stderr as a command meets them: perhaps closed, full, or with a reader that has gone.
// Thread rule: any thread, after open_missing_streams().
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <utility>

namespace zcdp::modes {

/// To be called before anything is opened: a descriptor 0, 1 or 2 that is closed would be given to the next file, and
/// what is printed would be written into it. They become ones whose use fails.
void open_missing_streams();

/// A message on stderr. That it cannot be written is no reason to end anything.
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    const std::string text = fmt::format(format, std::forward<Args>(args)...);
    (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

/// `code` when all that was printed on stdout has been written; else says that it was not, and is 1: a script waits for
/// it.
int finish_stdout(int code);

}  // namespace zcdp::modes
