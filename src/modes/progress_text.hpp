// Progress as text: what a moment of a sync looks like on a terminal or in a log. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "zcdp/sync/sync.hpp"

namespace zcdp::modes {

/// One moment of a sync::Progress.
struct Moment {
    sync::Phase phase = sync::Phase::listing;
    uint64_t objects_listed = 0, objects_done = 0, objects_total = 0, objects_reused = 0;
    uint64_t bytes_done = 0, bytes_total = 0, bytes_reused = 0;
    uint64_t files_placed = 0, files_to_place = 0;
    uint64_t bytes_placed = 0, bytes_to_place = 0;
    uint32_t connections = 0;
    std::vector<sync::Progress::LongFile> long_files;
    uint64_t elapsed_ms = 0;
    double bytes_per_second = 0;  ///< lately
};
Moment look(const sync::Progress& progress);
/// The bytes that the moment's phase moves, as far as it is: what a rate is made of.
uint64_t moved(const Moment& moment);

/// A plain line, without its end.
std::string plain_line(const Moment& moment);
/// {"progress": {…}}, without a line's end: how far the moment's phase is.
std::string json_line(const Moment& moment);
/// The lines of a terminal of this size, each at most `columns` wide: a bar, and long files while there are rows.
std::vector<std::string> bar_lines(const Moment& moment, size_t columns, size_t rows);

/// A rate that follows the last seconds (exponentially weighted).
class Rate {
  public:
    double add(uint64_t bytes_done, uint64_t elapsed_ms);
    /// What comes next are other bytes.
    void begin_anew(uint64_t bytes_done, uint64_t elapsed_ms) {
        rate_ = 0, bytes_ = bytes_done, at_ms_ = begun_ms_ = elapsed_ms;
    }

  private:
    double rate_ = 0;
    uint64_t bytes_ = 0, at_ms_ = 0, begun_ms_ = 0;
};

}  // namespace zcdp::modes
