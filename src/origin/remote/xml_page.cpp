#include "src/origin/remote/xml_page.hpp"

#include <utility>

namespace zcdp::origin {
namespace {

/// The most that a service answers with is 5,000; some take a larger max-keys.
constexpr size_t kPageItemsMax = 10'000;
constexpr size_t kRefusalBytesMax = 1 << 20;  // white space before it keeps the connection awake

}  // namespace

Error XmlPageParser::bad(std::string_view what) {
    return Error(ErrorKind::refused, "malformed listing: " + std::string(what));
}

Result<> XmlPageParser::feed(std::string_view bytes) {
    reader_.feed(bytes);
    auto read = run();
    if (root_ == Root::page) beginning_.clear();
    else if (beginning_.size() < kRefusalBytesMax) beginning_.append(bytes);
    return read;
}

Result<> XmlPageParser::read_rest() {
    reader_.finish();
    return run();
}

Result<> XmlPageParser::run() {
    return read_events(
        reader_, [this](std::string_view name) { start_any(name); },
        [this](std::string_view text) {
            if (root_ == Root::page) text_.append(text);
        },
        [this](std::string_view name) { return root_ == Root::page ? end(name) : Result<>(); });
}

void XmlPageParser::start_any(std::string_view name) {
    text_.clear();
    if (reader_.depth() == 1) root_ = root_of(name);
    if (root_ == Root::page) start(name);
}

Result<> XmlPageParser::add_prefix(std::string prefix) {
    if (page_.prefixes.size() == kPageItemsMax) return bad("more than 10,000 prefixes in a page");
    page_.prefixes.push_back(std::move(prefix));
    return {};
}

Result<> XmlPageParser::add_entry(Entry entry) {
    if (page_.entries.size() == kPageItemsMax) return bad("more than 10,000 objects in a page");
    if (page_.entries.empty()) page_.entries.reserve(1000);
    page_.entries.push_back(std::move(entry));
    return {};
}

}  // namespace zcdp::origin
