#include "src/modes/progress_view.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace zcdp::modes {
namespace {

constexpr auto kBarEvery = std::chrono::milliseconds(150);
constexpr auto kPlainEvery = std::chrono::seconds(5);

std::chrono::milliseconds every(ProgressStyle style) {
    return style == ProgressStyle::plain ? std::chrono::milliseconds(kPlainEvery)
                                         : std::chrono::milliseconds(kBarEvery);
}

}  // namespace

void add_progress_flag(Command command, std::string& style) {
    command.add_option("--progress", style, "on stderr; json: an object a line, for programs")
        .one_of({"auto", "bar", "plain", "json", "none"})
        .show_default();
}

ProgressStyle progress_style(const std::string& name) {
    if (name == "none") return ProgressStyle::none;
    if (name == "plain") return ProgressStyle::plain;
    if (name == "json") return ProgressStyle::json;
    if (name == "bar") return ProgressStyle::bar;
    const char* terminal = std::getenv("TERM");
    const bool dumb = !terminal || std::string(terminal) == "dumb";
    return ::isatty(STDERR_FILENO) && !dumb ? ProgressStyle::bar : ProgressStyle::plain;
}

ProgressStyle shown_progress(const std::string& name, bool quiet, bool json) {
    return quiet || (json && name == "auto") ? ProgressStyle::none : progress_style(name);
}

ProgressView::ProgressView(const sync::Progress& progress, ProgressStyle style, const Clock& clock)
    : progress_(progress), style_(style), clock_(clock), started_ms_(now_ms()) {
    if (style_ != ProgressStyle::none) thread_ = std::thread([this] { run(); });
}

ProgressView::~ProgressView() {
    if (!thread_.joinable()) return;
    {
        const MutexLock lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
    if (style_ == ProgressStyle::json) draw();
    clear();
}

void ProgressView::run() {
    const MutexLock lock(mutex_);
    while (!wake_.wait_for(mutex_, every(style_), [this]() ZCDP_REQUIRES(mutex_) { return ending_; })) draw();
}

void ProgressView::draw() {
    Moment moment = look(progress_);
    moment.elapsed_ms = now_ms() - started_ms_;
    const bool other_bytes = moment.phase == sync::Phase::placing || moment.phase == sync::Phase::sending;
    if (other_bytes && phase_ != moment.phase) rate_.begin_anew(0, looked_ms_);
    phase_ = moment.phase, looked_ms_ = moment.elapsed_ms;
    moment.bytes_per_second = rate_.add(moved(moment), moment.elapsed_ms);
    if (style_ != ProgressStyle::bar) {
        const std::string line = style_ == ProgressStyle::json ? json_line(moment) : plain_line(moment);
        if (line != last_line_) std::fprintf(stderr, "%s\n", line.c_str());
        last_line_ = line;
        return;
    }
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    std::string out = lines_shown_ > 1 ? "\x1b[" + std::to_string(lines_shown_ - 1) + "A" : "";
    const auto lines = bar_lines(moment, known ? size.ws_col - 1u : 79u, known ? size.ws_row : 24u);
    for (size_t i = 0; i < lines.size(); ++i) out += "\r\x1b[K" + lines[i] + (i + 1 < lines.size() ? "\n" : "");
    out += "\x1b[J";
    std::fputs(out.c_str(), stderr);
    std::fflush(stderr);
    lines_shown_ = lines.size();
}

void ProgressView::clear() {
    if (lines_shown_ == 0) return;
    const std::string up = lines_shown_ > 1 ? "\x1b[" + std::to_string(lines_shown_ - 1) + "A" : "";
    std::fprintf(stderr, "%s\r\x1b[J", up.c_str());
    std::fflush(stderr);
}

}  // namespace zcdp::modes
