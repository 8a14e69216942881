// A directory, or one file, against a source: is every byte on disk what the source has? Nothing is written.
//
// compare() blocks the calling thread; it makes its own loops, and everything it started has ended when it returns.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "zcdp/origin/options.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

struct CompareOptions {
    std::string folder;
    /// A file of the folder: it alone is compared, with the one file that the source has, whatever its name
    std::string file;
    std::vector<std::string> include, exclude;  ///< as SyncOptions
    bool one_way = false;                       ///< files that only the folder has are no difference
    bool read = true;  ///< bytes are fetched where the source states no checksum; else such files are `unknown`
};

struct Difference {
    enum class Kind { missing, extra, type, size, content, unknown };
    Kind kind;
    std::string path;
    std::string what;  ///< in words
};
const char* name_of(Difference::Kind kind);  ///< as --json has it

struct CompareReport {
    uint64_t files = 0, bytes = 0;             ///< of the source, compared
    uint64_t by_checksum = 0, by_reading = 0;  ///< how their contents were judged
    uint64_t differences = 0;
    double seconds = 0;
};

/// `found` is called for each difference, on any thread, one at a time. Errors: those of the origin; not_found (the
/// folder); usage (with `file`: the source has not one file).
Result<CompareReport> compare(const CompareOptions& options, const origin::OriginFactory& source, Machine machine,
                              const std::function<void(const Difference&)>& found, std::stop_token stop);

}  // namespace zcdp::sync
