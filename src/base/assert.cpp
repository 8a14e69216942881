#include "zcdp/base/assert.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace zcdp {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
    while (std::strncmp(file, "../", 3) == 0) file += 3;  // as a compiler cache names it, from the build's folder
    char text[512];                                       // no allocation: the heap may be what is broken
    const int length = std::snprintf(text, sizeof text, "zcdp: %s:%d: does not hold: %s\n", file, line, expression);
    const size_t shown = length < 0                                  ? 0
                         : static_cast<size_t>(length) < sizeof text ? static_cast<size_t>(length)
                                                                     : sizeof text - 1;
    (void)!::write(STDERR_FILENO, text, shown);
    std::abort();
}

}  // namespace zcdp
