#include "zcdp/base/error.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "zcdp/base/utf8.hpp"

namespace zcdp {

int exit_code(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::usage: return 2;
        case ErrorKind::refused: return 3;
        case ErrorKind::not_found: return 4;
        case ErrorKind::denied: return 5;
        case ErrorKind::no_space: return 6;
        case ErrorKind::source_changed: return 7;
        case ErrorKind::interrupted: return 130;
        default: return 1;
    }
}

std::string_view name(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::failed: return "failed";
        case ErrorKind::usage: return "usage";
        case ErrorKind::refused: return "refused";
        case ErrorKind::not_found: return "not_found";
        case ErrorKind::denied: return "denied";
        case ErrorKind::no_space: return "no_space";
        case ErrorKind::source_changed: return "source_changed";
        case ErrorKind::interrupted: return "interrupted";
        case ErrorKind::corrupt: return "corrupt";
        case ErrorKind::timeout: return "timeout";
        case ErrorKind::stalled: return "stalled";
        case ErrorKind::unreachable: return "unreachable";
        case ErrorKind::throttled: return "throttled";
        case ErrorKind::no_ranges: return "no_ranges";
        case ErrorKind::busy: return "busy";
    }
    return "failed";
}

Error Error::about(std::string_view object) && {
    if (object_.empty()) object_ = object;
    return std::move(*this);
}

Error Error::advise(std::string_view hint) && {
    if (hint_.empty()) hint_ = hint;
    return std::move(*this);
}

std::string Error::line() const {
    std::string text;
    if (!object_.empty()) text = printable(object_) + ": ";
    text += printable(what_);
    if (!hint_.empty()) text += "; " + printable(hint_);
    return text;
}

Error errno_error(int errno_value, std::string_view action, std::string_view object) {
    ErrorKind kind = ErrorKind::failed;
    std::string hint;
    switch (errno_value) {
        case ENOSPC:
            kind = ErrorKind::no_space;
            hint = "free some space or inodes there, or name another place";
            break;
        case EDQUOT:
            kind = ErrorKind::no_space;
            hint = "the quota of this user is used up there";
            break;
        case ENOENT: kind = ErrorKind::not_found; break;
        case EACCES:
        case EPERM: kind = ErrorKind::denied; break;
        case EROFS: hint = "the file system is mounted read-only"; break;
        default: break;
    }
    return Error(kind, std::string(action) + ": " + std::strerror(errno_value), std::string(object), hint);
}

Error system_error(const boost::system::error_code& code, std::string_view action, std::string_view object) {
    if (code.category() == boost::system::system_category() || code.category() == boost::system::generic_category())
        return errno_error(code.value(), action, object);
    return Error(ErrorKind::failed, std::string(action) + ": " + code.message(), std::string(object));
}

std::string printable(std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const size_t length = utf8_sequence_length(text);
        const auto first = static_cast<unsigned char>(text[0]);
        const bool c1_control = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        if (length == 0 || first < 0x20 || first == 0x7f || c1_control) {
            const size_t bytes = length == 0 ? 1 : length;
            for (size_t i = 0; i < bytes; ++i) {
                const auto byte = static_cast<unsigned char>(text[i]);
                out += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
            }
            text.remove_prefix(bytes);
        } else {
            out += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return out;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::logic_error("unchecked error: " + error.line());
}

}  // namespace zcdp
