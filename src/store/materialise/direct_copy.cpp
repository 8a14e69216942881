#include "src/store/materialise/direct_copy.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "zcdp/base/guarded.hpp"
#include "zcdp/base/huge_pages.hpp"

namespace zcdp::store {
namespace {

constexpr size_t kPieceBytes = 2 << 20;
constexpr size_t kAlignment = 4096;
constexpr unsigned kThreads = 3;  ///< reads and writes overlap, and the disk has a queue

/// The pieces of one file, taken by whichever thread is free.
class DirectCopy {
  public:
    DirectCopy(Fs& fs, int from_fd, int to_fd, FileAt from, FileAt to, uint64_t size_bytes,
               const std::function<void(uint64_t)>& copied)
        : fs_(fs), from_fd_(from_fd), to_fd_(to_fd), from_(from), to_(to), size_bytes_(size_bytes), copied_(copied) {}

    Result<> run() {
        std::vector<std::thread> threads;
        for (unsigned i = 1; i < kThreads; ++i) threads.emplace_back([this] { work(); });
        work();
        for (auto& thread : threads) thread.join();
        const MutexLock lock(mutex_);
        if (error_) return std::move(*error_);
        return {};
    }

  private:
    void work() {
        try {
            copy_pieces();
        } catch (const std::bad_alloc&) {
            fail(Error(ErrorKind::failed, "out of memory", to_.shown));
        }
    }

    void copy_pieces() {
        const HugePages buffer(kPieceBytes);
        while (!failed_) {
            const uint64_t at = next_.fetch_add(kPieceBytes);
            if (at >= size_bytes_) return;
            if (auto copied = piece(at, buffer.bytes()); !copied) return fail(std::move(copied).error());
        }
    }

    Result<> piece(uint64_t at, std::span<std::byte> buffer) {
        const size_t length = std::min<uint64_t>(buffer.size(), size_bytes_ - at);
        const auto got = fs_.read(from_fd_, buffer, at);  // a direct read's length is aligned; it ends with the file
        if (!got) return system_error(got.error(), "reading from the store", from_.shown);
        if (*got < length)
            return Error(ErrorKind::corrupt, "a file of the store is shorter than it should be", from_.shown,
                         "run: zcdp store verify");
        const size_t aligned = (length + kAlignment - 1) / kAlignment * kAlignment;
        if (auto put = fs_.write(to_fd_, buffer.first(aligned), at); !put)
            return system_error(put.error(), "writing", to_.shown);
        copied_(length);
        return {};
    }

    void fail(Error error) {
        const MutexLock lock(mutex_);
        if (!failed_) error_ = std::move(error);
        failed_ = true;
    }

    Fs& fs_;
    const int from_fd_, to_fd_;
    const FileAt from_, to_;
    const uint64_t size_bytes_;
    const std::function<void(uint64_t)>& copied_;
    std::atomic<uint64_t> next_{0};
    std::atomic<bool> failed_{false};
    Mutex mutex_;
    std::optional<Error> error_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace

Result<bool> copy_direct(Fs& fs, FileAt from, FileAt to, uint64_t size_bytes,
                         const std::function<void(uint64_t)>& copied) {
    const auto source = fs.open(from.dir, from.name.c_str(), O_RDONLY | O_DIRECT);
    if (!source) return false;
    const auto target = fs.open(to.dir, to.name.c_str(), O_WRONLY | O_DIRECT);
    if (!target) return false;
    if (auto room = fs.allocate(target->get(), size_bytes); !room && room.error().value() != EOPNOTSUPP)
        return system_error(room.error(), "reserving room for", to.shown);
    ZCDP_CHECK(DirectCopy(fs, source->get(), target->get(), from, to, size_bytes, copied).run());
    // Direct writes end at a multiple of the alignment.
    if (auto sized = fs.truncate(target->get(), size_bytes); !sized)
        return system_error(sized.error(), "sizing", to.shown);
    return true;
}

}  // namespace zcdp::store
