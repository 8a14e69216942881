#include "src/modes/context.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>

#include "src/modes/streams.hpp"

namespace zcdp::modes {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

LogLevel level_of(const CommonFlags& flags) {
    if (flags.quiet) return LogLevel::error;
    if (flags.verbose >= 2 || flags.log_level == "debug") return LogLevel::debug;
    if (flags.verbose == 1 || flags.log_level == "info") return LogLevel::info;
    if (flags.log_level == "error") return LogLevel::error;
    return LogLevel::warn;
}

}  // namespace

Logger Context::logger() const {
    return {clock, STDERR_FILENO, level_of(flags), flags.log_format == "json" ? LogFormat::json : LogFormat::text};
}

std::function<void(const std::string&)> Context::lines() const {
    return [quiet = flags.quiet](const std::string& line) {
        if (!quiet) say("{}\n", line);
    };
}

Machine Context::machine(Logger& log) const { return {fs, clock, random, metrics, log, environment}; }

std::string store_folder(const std::string& flag) {
    if (!flag.empty()) return flag;
    if (const std::string folder = environment("ZCDP_STORE"); !folder.empty()) return folder;
    if (::geteuid() == 0) return "/var/lib/zcdp";
    if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) return cache + "/zcdp";
    return environment("HOME") + "/.cache/zcdp";
}

int report(const Error& error) {
    say("zcdp: {}\n", error.line());
    return exit_code(error.kind());
}

}  // namespace zcdp::modes
