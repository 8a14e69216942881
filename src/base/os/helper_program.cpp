#include "zcdp/base/helper_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

#include "zcdp/base/fs.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp {
namespace {

constexpr uint64_t kLookEveryMs = 10;
constexpr int kReadsAtOnce = 64;  ///< more than a pipe holds; it may write faster than we read
constexpr size_t kComplaintBytesMax = 4096;
constexpr size_t kComplaintShown = 200;

/// Our end of what the program writes to; read without waiting.
class Pipe {
  public:
    /// Errors: errno's.
    Result<> open(const std::string& name) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "opening a pipe", name);
        read_ = Fd(ends[0]), write_ = Fd(ends[1]);
        ::fcntl(read_.get(), F_SETFL, O_NONBLOCK);  // of our end alone
        return {};
    }
    int write_end() const { return write_.get(); }
    void started() { write_.reset(); }
    /// Appends what is there, up to `most` bytes in all; what is more is read and dropped. Returns whether there was
    /// more.
    bool drain(std::string& into, size_t most) {
        bool more = false;
        char buffer[4096];
        ssize_t got = 0;
        for (int reads = 0; reads < kReadsAtOnce && (got = ::read(read_.get(), buffer, sizeof buffer)) > 0; ++reads) {
            const size_t taken = std::min(static_cast<size_t>(got), most - into.size());
            into.append(buffer, taken);
            more = more || taken < static_cast<size_t>(got);
        }
        return more;
    }

  private:
    Fd read_, write_;
};

/// Killed with its process group unless it has ended.
class Child {
  public:
    Child() = default;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ <= 0) return;
        ::kill(-pid_, SIGKILL);
        for (int tries = 0; tries < 100 && !ended(); ++tries) {  // at once, but for one that a dead disk holds
            const timespec pause{0, 1'000'000};
            ::nanosleep(&pause, nullptr);
        }
    }
    Result<> start(std::vector<std::string> words, const std::string& name);
    /// Looks, and does not wait; true once, and then forgets it: what it left running is not ours to kill.
    bool ended() {
        const pid_t got = ::waitpid(pid_, &status_, WNOHANG);
        if (got == 0 || (got < 0 && errno == EINTR)) return false;
        pid_ = 0;
        return true;
    }
    bool succeeded() const { return WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }
    std::string verdict() const {
        if (WIFSIGNALED(status_)) return "was ended by signal " + std::to_string(WTERMSIG(status_));
        return "failed with exit status " + std::to_string(WEXITSTATUS(status_));
    }
    Pipe out, complaints;

  private:
    pid_t pid_ = 0;
    int status_ = 0;
};

Result<> Child::start(std::vector<std::string> words, const std::string& name) {
    ZCDP_CHECK(out.open(name));
    ZCDP_CHECK(complaints.open(name));
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out.write_end(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, complaints.write_end(), STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none), sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    const int failed = ::posix_spawnp(&child, arguments[0], &files, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    out.started(), complaints.started();
    if (failed != 0) return Error(ErrorKind::usage, "cannot be started: " + std::string(std::strerror(failed)), name);
    pid_ = child;
    return {};
}

/// The first line that says something.
std::string its_complaint(const std::string& complaints) {
    const size_t begin = complaints.find_first_not_of(" \t\r\n");
    if (begin == complaints.npos) return "";
    return ": " + complaints.substr(begin, std::min(complaints.find_first_of("\r\n", begin) - begin, kComplaintShown));
}

}  // namespace

Task<Result<std::string>> run_helper_program(std::vector<std::string> words, std::string name, HelperLimits limits) {
    Child child;
    ZCDP_CO_CHECK(child.start(std::move(words), name));
    const Deadline until = Deadline::in_ms(limits.timeout_ms);
    std::string out, complaints;
    while (true) {
        const bool ended = child.ended();  // before the last look at what it wrote
        child.complaints.drain(complaints, kComplaintBytesMax);
        if (child.out.drain(out, limits.output_bytes))
            co_return Error(ErrorKind::denied, "prints more than " + format_size(limits.output_bytes), name);
        if (ended) break;
        if (until.passed())
            co_return Error(ErrorKind::timeout,
                            "did not end within " + format_duration(limits.timeout_ms) + " and was killed" +
                                its_complaint(complaints),
                            name);
        co_await sleep_ms(kLookEveryMs);
    }
    if (!child.succeeded()) co_return Error(ErrorKind::denied, child.verdict() + its_complaint(complaints), name);
    co_return out;
}

}  // namespace zcdp
