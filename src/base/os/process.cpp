#include "zcdp/base/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "zcdp/base/fs.hpp"

namespace zcdp {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (std::string& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

}  // namespace

Result<std::string> run_program(std::vector<std::string> words, std::vector<std::string> variables,
                                size_t limit_bytes) {
    std::vector<std::string> all;
    for (char** variable = environ; *variable; ++variable) all.emplace_back(*variable);
    all.insert(all.end(), variables.begin(), variables.end());
    const std::string program = words.at(0);
    const auto arguments = pointers(words), environment = pointers(all);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "running", program);
    Fd read_end(ends[0]), write_end(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    pid_t child = 0;
    const int failed = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    write_end.reset();
    if (failed != 0) return errno_error(failed, "running the credential plugin", program);
    std::string out;
    char buffer[4096];
    for (ssize_t n; out.size() <= limit_bytes &&
                    ((n = ::read(read_end.get(), buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR));)
        if (n > 0) out.append(buffer, static_cast<size_t>(n));
    read_end.reset();
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (out.size() > limit_bytes) return Error(ErrorKind::refused, "the credential plugin prints without end", program);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return Error(ErrorKind::denied, "the credential plugin failed", program);
    return out;
}

}  // namespace zcdp
