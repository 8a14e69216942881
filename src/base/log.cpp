// One log line: built whole, written by one write(2), so that lines of many threads never mix.
#include "zcdp/base/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/json.hpp"

namespace zcdp {
namespace {

constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error", "off"};

void append_json(std::string& line, std::string_view text) { append_json_string(line, text, JsonReader::person); }

/// logfmt: quoted only when it has to be.
void append_text(std::string& line, std::string_view text) {
    const std::string safe = printable(text);
    if (!safe.empty() && safe.find_first_of(" \"=") == safe.npos) {
        line += safe;
        return;
    }
    line += '"';
    for (const char c : safe) {
        if (c == '"') line += '\\';
        line += c;
    }
    line += '"';
}

std::string timestamp(const Clock& clock) {
    const int64_t ns = clock.unix_ns();
    std::string text = iso8601(ns / 1'000'000'000);
    text.pop_back();
    return text + fmt::format(".{:03}Z", ns / 1'000'000 % 1000);
}

}  // namespace

void Logger::log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    if (!enabled(level) || level == LogLevel::off) return;
    const std::string_view level_name = kLevels[static_cast<size_t>(level)];
    std::string line;
    if (format_ == LogFormat::json) {
        line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"message\":", timestamp(clock_), level_name);
        append_json(line, message);
        for (const LogField& field : fields) {
            line += ',';
            append_json(line, field.key);
            line += ':';
            if (field.is_number) line += field.value;
            else append_json(line, field.value);
        }
        line += "}\n";
    } else {
        line = fmt::format("{} {:5} {}", timestamp(clock_), level_name, printable(message));
        for (const LogField& field : fields) {
            line += ' ';
            line += field.key;
            line += '=';
            append_text(line, field.value);
        }
        line += '\n';
    }
    // A log that cannot be written is no reason to stop.
    if (::write(fd_, line.data(), line.size()) < 0) return;
}

}  // namespace zcdp
