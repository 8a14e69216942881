#include "src/store/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <chrono>
#include <thread>

namespace zcdp::store {
namespace {

/// flock(2) waits for ever or not at all, and nothing says when another process lets go: whoever gives up after a time
/// has to look now and then.
constexpr auto kAskAgain = std::chrono::milliseconds(50);
constexpr size_t kHolderBytesMax = 4096;

}  // namespace

Result<Lock> Lock::take(Fs& fs, Clock& clock, int root_dir, const std::string& root, const LockHolder& holder,
                        uint64_t timeout_ms) {
    auto file = fs.open(root_dir, "lock", O_RDWR | O_CREAT, 0644);
    if (!file) return system_error(file.error(), "opening", root + "/lock");
    const int64_t until_ns = clock.monotonic_ns() + static_cast<int64_t>(timeout_ms) * 1'000'000;
    while (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
        if (clock.monotonic_ns() >= until_ns) {
            const auto who = read_file(fs, root_dir, "lock", kHolderBytesMax);
            const std::string name = who && !who->empty() ? printable(parse_lock(*who).name) : "another process";
            return Error(ErrorKind::busy, "is in use by " + name, root,
                         "wait for it, or give more time with --lock-timeout");
        }
        std::this_thread::sleep_for(kAskAgain);
    }
    Lock lock;
    const auto before = fs.stat_fd(file->get());
    lock.left_behind_ = before && before->st_size > 0;
    if (auto cut = fs.truncate(file->get(), 0); !cut) return system_error(cut.error(), "writing", root + "/lock");
    const std::string text = lock_text(holder);
    if (auto put = fs.write(file->get(), std::as_bytes(std::span(text)), 0); !put)
        return system_error(put.error(), "writing", root + "/lock");
    lock.file_ = std::move(*file);
    return lock;
}

void Lock::release(Fs& fs) {
    if (file_) (void)fs.truncate(file_.get(), 0);
    file_.reset();
}

}  // namespace zcdp::store
