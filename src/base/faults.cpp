#include "zcdp/base/faults.hpp"

#ifdef ZCDP_TEST_HOOKS
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace zcdp::faults {
namespace {

std::atomic<unsigned long> passed{0};

unsigned long crash_at() {
    static const unsigned long at = [] {
        const char* text = std::getenv("ZCDP_CRASH_AT");
        return text ? std::strtoul(text, nullptr, 10) : 0ul;
    }();
    return at;
}

/// Writes the count when the process ends by exit().
struct CountAtExit {
    const char* file = std::getenv("ZCDP_CRASH_COUNT");
    ~CountAtExit() {
        if (!file) return;
        if (FILE* out = std::fopen(file, "w")) {
            std::fprintf(out, "%lu\n", passed.load());
            std::fclose(out);
        }
    }
};

}  // namespace

bool broken(const char* name) {
    static const char* const names = std::getenv("ZCDP_BREAK");
    if (!names) return false;
    std::string_view rest = names;
    while (!rest.empty()) {
        const size_t comma = rest.find(',');
        if (rest.substr(0, comma) == name) return true;
        rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    }
    return false;
}

void crash_point(const char* where) {
    static const CountAtExit count_at_exit;
    const unsigned long number = passed.fetch_add(1) + 1;
    if (crash_at() == 0 || number != crash_at()) return;
    if (std::getenv("ZCDP_CRASH_VERBOSE")) std::fprintf(stderr, "crash point %lu: %s\n", number, where);
    kill(getpid(), SIGKILL);
    pause();
}

}  // namespace zcdp::faults
#endif
