// Shows a sync's progress on stderr from a thread of its own: a bar on a terminal, a line every few seconds elsewhere,
// a JSON object a few times a second for programs.
#pragma once

#include <string>
#include <thread>

#include "src/modes/command_line.hpp"
#include "src/modes/progress_text.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/guarded.hpp"

namespace zcdp::modes {

enum class ProgressStyle { none, plain, bar, json };
/// Adds --progress; `style` becomes one of its words.
void add_progress_flag(Command command, std::string& style);
/// "auto", "bar", "plain", "json", "none"; auto is a bar on a terminal, plain elsewhere.
ProgressStyle progress_style(const std::string& name);
/// The same of a command that may print JSON: then only when it is asked for by name, for programs read stderr.
ProgressStyle shown_progress(const std::string& name, bool quiet, bool json);

class ProgressView {
  public:
    /// `progress` and `clock` must outlive it.
    ProgressView(const sync::Progress& progress, ProgressStyle style, const Clock& clock);
    /// Takes the bar away; of json, says how it ended.
    ~ProgressView();

  private:
    void run();
    void draw();
    void clear();
    uint64_t now_ms() const { return static_cast<uint64_t>(clock_.monotonic_ns() / 1'000'000); }
    const sync::Progress& progress_;
    const ProgressStyle style_;
    const Clock& clock_;
    const uint64_t started_ms_;
    Rate rate_;
    sync::Phase phase_ = sync::Phase::listing;
    uint64_t looked_ms_ = 0;  ///< at the last look
    std::string last_line_;
    size_t lines_shown_ = 0;
    Mutex mutex_;
    ConditionVariable wake_;
    bool ending_ ZCDP_GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

}  // namespace zcdp::modes
