#include "src/modes/progress_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "zcdp/base/json.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/base/utf8.hpp"

namespace zcdp::modes {
namespace {

constexpr double kRateSpanMs = 3000;

std::string eta(uint64_t bytes_done, uint64_t bytes_total, double bytes_per_second) {
    if (bytes_per_second < 1 || bytes_done >= bytes_total) return "";
    const double seconds = static_cast<double>(bytes_total - bytes_done) / bytes_per_second;
    return seconds < 360'000 ? "ETA " + format_duration(static_cast<uint64_t>(seconds * 1000)) : "";
}

int percent(uint64_t done, uint64_t total) {
    return total == 0 ? 100
                      : static_cast<int>(static_cast<double>(std::min(done, total)) * 100 / static_cast<double>(total));
}

std::string bytes_moved(uint64_t done, uint64_t total, double bytes_per_second) {
    std::string line =
        fmt::format("{}% {} of {}", percent(done, total), format_size(std::min(done, total)), format_size(total));
    line += fmt::format("  {}/s", format_size(static_cast<uint64_t>(bytes_per_second)));
    if (const std::string left = eta(done, total, bytes_per_second); !left.empty()) line += "  " + left;
    return line;
}

std::string_view name_of(sync::Phase phase) {
    switch (phase) {
        case sync::Phase::listing: return "listing";
        case sync::Phase::planning: return "planning";
        case sync::Phase::fetching: return "fetching";
        case sync::Phase::building: return "building";
        case sync::Phase::placing: return "placing";
        case sync::Phase::hashing: return "hashing";
        case sync::Phase::sending: return "sending";
        case sync::Phase::done: return "done";
    }
    return "";
}

std::string placing(const Moment& moment) {
    return bytes_moved(moment.bytes_placed, moment.bytes_to_place, moment.bytes_per_second) +
           fmt::format("  {} of {} entries", format_count(moment.files_placed), format_count(moment.files_to_place));
}

std::string fetching(const Moment& moment) {
    std::string line = bytes_moved(moment.bytes_done, moment.bytes_total, moment.bytes_per_second);
    line += fmt::format("  {} of {} objects  {} connections", format_count(moment.objects_done),
                        format_count(moment.objects_total), moment.connections);
    return line;
}

std::string hashing(const Moment& moment) {
    return bytes_moved(moment.bytes_done, moment.bytes_total, moment.bytes_per_second) +
           fmt::format("  {} of {} files", format_count(moment.objects_done), format_count(moment.objects_total));
}

/// What stands behind the bar; "" for a phase without one.
std::string behind_bar(const Moment& moment) {
    switch (moment.phase) {
        case sync::Phase::fetching: return fetching(moment);
        case sync::Phase::placing:
        case sync::Phase::hashing:
        case sync::Phase::sending: return plain_line(moment);
        default: return "";
    }
}

/// At most `columns` characters, never half of one.
std::string clipped(const std::string& text, size_t columns) {
    size_t used = 0, at = 0;
    while (at < text.size() && used < columns) {
        at += std::max<size_t>(1, utf8_sequence_length(std::string_view(text).substr(at)));
        ++used;
    }
    return text.substr(0, at);
}

std::string bar(uint64_t done, uint64_t total, size_t width) {
    const size_t full = total == 0 ? width
                                   : static_cast<size_t>(static_cast<double>(std::min(done, total)) /
                                                         static_cast<double>(total) * static_cast<double>(width));
    return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

}  // namespace

Moment look(const sync::Progress& progress) {
    Moment moment;
    moment.phase = progress.phase;
    moment.objects_listed = progress.objects_listed;
    moment.objects_done = progress.objects_done, moment.objects_total = progress.objects_total;
    moment.objects_reused = progress.objects_reused, moment.bytes_reused = progress.bytes_reused;
    moment.bytes_done = progress.bytes_done, moment.bytes_total = progress.bytes_total;
    moment.files_placed = progress.files_placed, moment.files_to_place = progress.files_to_place;
    moment.bytes_placed = progress.bytes_placed, moment.bytes_to_place = progress.bytes_to_place;
    moment.connections = progress.connections;
    moment.long_files = progress.long_files();
    return moment;
}

uint64_t moved(const Moment& moment) {
    return moment.phase == sync::Phase::placing ? moment.bytes_placed : moment.bytes_done;
}

std::string plain_line(const Moment& moment) {
    switch (moment.phase) {
        case sync::Phase::listing: return fmt::format("listing: {} objects", format_count(moment.objects_listed));
        case sync::Phase::planning: return fmt::format("planning: {} objects", format_count(moment.objects_listed));
        case sync::Phase::fetching: return "fetching: " + fetching(moment);
        case sync::Phase::building:
            return fmt::format("building the tree: {} of {}", format_count(moment.files_placed),
                               format_count(moment.files_to_place));
        case sync::Phase::placing: return "placing: " + placing(moment);
        case sync::Phase::hashing: return "hashing: " + hashing(moment);
        case sync::Phase::sending: return "sending: " + fetching(moment);
        case sync::Phase::done: return "done";
    }
    return "";
}

std::string json_line(const Moment& moment) {
    const bool places = moment.phase == sync::Phase::placing || moment.phase == sync::Phase::building;
    JsonObject now;
    now.add("phase", name_of(moment.phase));
    now.add("bytes_done", places ? moment.bytes_placed : moment.bytes_done);
    now.add("bytes_total", places ? moment.bytes_to_place : moment.bytes_total);
    now.add("files_done", places ? moment.files_placed : moment.objects_done);
    now.add("files_total", places ? moment.files_to_place : moment.objects_total);
    return JsonObject().raw("progress", now.str()).str();
}

std::vector<std::string> bar_lines(const Moment& moment, size_t columns, size_t rows) {
    std::vector<std::string> lines;
    const bool places = moment.phase == sync::Phase::placing;
    const std::string behind = behind_bar(moment);
    if (behind.empty()) {
        lines.push_back(clipped(plain_line(moment), columns));
        return lines;
    }
    const size_t width = columns > 100 ? 24 : columns > 60 ? 12 : 0;
    const std::string front =
        width == 0 ? "" : bar(moved(moment), places ? moment.bytes_to_place : moment.bytes_total, width) + " ";
    lines.push_back(clipped(front + behind, columns));
    if (moment.phase != sync::Phase::fetching) return lines;
    constexpr size_t kLongFilesMax = 6;
    for (const auto& file : moment.long_files) {
        if (lines.size() + 1 >= rows || lines.size() > kLongFilesMax) break;
        const std::string right =
            fmt::format(" {:3}% {:>9}", percent(file.bytes_done, file.bytes_total), format_size(file.bytes_total));
        const size_t room = columns > right.size() + 2 ? columns - right.size() - 2 : 0;
        lines.push_back("  " + fmt::format("{:<{}}", clipped(printable(file.path), room), room) + right);
    }
    return lines;
}

double Rate::add(uint64_t bytes_done, uint64_t elapsed_ms) {
    if (elapsed_ms <= at_ms_) return rate_;
    const auto span = static_cast<double>(elapsed_ms - at_ms_);
    const double now = bytes_done < bytes_ ? 0 : static_cast<double>(bytes_done - bytes_) * 1000 / span;
    const double weight = 1 - std::exp(-span / kRateSpanMs);
    rate_ = at_ms_ == begun_ms_ ? now : rate_ + (now - rate_) * weight;
    bytes_ = bytes_done, at_ms_ = elapsed_ms;
    return rate_;
}

}  // namespace zcdp::modes
