#include "src/modes/streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

namespace zcdp::modes {

void open_missing_streams() {
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
        if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest number that is free is this one. The wrong way round, so that reading and writing fail as they
        // would have.
        const int made = ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (made < 0) (void)::open("/", O_PATH);  // there may be no /dev in a container
    }
}

int finish_stdout(int code) {
    std::cout.flush();
    errno = 0;
    const bool written = std::fflush(stdout) == 0 && !std::ferror(stdout);
    if (written || code != 0) return code;
    say("zcdp: the result could not be written to stdout{}\n",
        errno != 0 ? std::string(": ") + std::strerror(errno) : "");
    return 1;
}

}  // namespace zcdp::modes
