// The machine as main hands it down: files, time, randomness, the environment, and where counts and words go.
// Thread rule: every part may be used from any thread. Nothing is owned.
#pragma once

#include "zcdp/base/clock.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp {

struct Machine {
    Fs& fs;
    Clock& clock;
    Random& random;
    Metrics& metrics;
    Logger& log;
    /// An environment variable, "" when unset.
    std::string (*environment)(const char* name);
};

}  // namespace zcdp
