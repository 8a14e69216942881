// Structured logging: one event, a message and key=value fields, as text or as one JSON object a line, on stderr.
//
// The Logger is made in main and handed down by reference. Thread rule: any thread; a line is written by one write(2).
// Credentials never reach it: types that hold them have no conversion to a field.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace zcdp {

enum class LogLevel { debug, info, warn, error, off };
enum class LogFormat { text, json };

struct LogField {
    std::string_view key;
    std::string value;
    bool is_number = false;

    LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
    LogField(std::string_view k, const char* v) : key(k), value(v) {}
    LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
    LogField(std::string_view k, uint64_t v) : key(k), value(std::to_string(v)), is_number(true) {}
    LogField(std::string_view k, int64_t v) : key(k), value(std::to_string(v)), is_number(true) {}
    LogField(std::string_view k, int v) : key(k), value(std::to_string(v)), is_number(true) {}
};

class Clock;

class Logger {
  public:
    Logger(const Clock& clock, int fd, LogLevel level, LogFormat format)
        : clock_(clock), fd_(fd), level_(level), format_(format) {}

    bool enabled(LogLevel level) const { return level >= level_; }
    void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
    void debug(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::debug, m, f); }
    void info(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::info, m, f); }
    void warn(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::warn, m, f); }
    void error(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::error, m, f); }

  private:
    const Clock& clock_;
    int fd_;
    LogLevel level_;
    LogFormat format_;
};

}  // namespace zcdp
