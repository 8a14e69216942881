// Standard input as a source: its length has to be known before the first byte is sent, so it is kept on disk first.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "src/datastore/client/put_source.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/base/stop.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr const char* kName = "standard input";

/// Some bytes of it, 0 at its end; waits for them, or for `stop`.
Result<size_t> read_some(int input, std::span<std::byte> into, const StopFd& stopped) {
    while (true) {
        pollfd waits[] = {{input, POLLIN, 0}, {stopped.get(), POLLIN, 0}};
        if (::poll(waits, 2, -1) < 0 && errno != EINTR) return errno_error(errno, "waiting for", kName);
        if (waits[1].revents != 0) return Error(ErrorKind::interrupted, "stopped while reading", kName);
        if (waits[0].revents == 0) continue;
        const ssize_t got = ::read(input, into.data(), into.size());
        if (got >= 0) return static_cast<size_t>(got);
        if (errno != EINTR && errno != EAGAIN) return errno_error(errno, "reading", kName);
    }
}

}  // namespace

Result<PutSource> spool_input(int input, const std::string& scratch, Machine machine, sync::Progress& progress,
                              const std::stop_token& stop) {
    ZCDP_TRY(Fd spool, open_scratch(machine.fs, scratch, machine.random));
    const StopFd stopped(stop);
    std::vector<std::byte> buffer(kReadBytes);
    progress.phase = sync::Phase::listing;
    for (uint64_t at = 0;;) {
        ZCDP_TRY(const size_t got, read_some(input, buffer, stopped));
        if (got == 0) break;
        if (auto put = machine.fs.write(spool.get(), std::span(buffer).first(got), at); !put)
            return system_error(put.error(), "keeping standard input in", scratch)
                .advise("set TMPDIR to a folder with room for all of it");
        at += got;
    }
    return PutSource::of_file(kName, std::move(spool), machine);
}

}  // namespace zcdp::datastore
