// Errors as values: what failed, on which object, why, and what the user can do about it.
//
// Leaf I/O turns error codes into an Error once; everything above passes Result<T> up unchanged or adds the object's
// name. Exceptions are left for bugs and out-of-memory, and are caught once per task root.
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>

namespace zcdp {

/// The kinds that callers act on; each has one exit code (see exit_code) and, on Kubernetes, one condition reason.
enum class ErrorKind {
    failed,          ///< anything without a kind of its own
    usage,           ///< the command line or a configuration file is wrong
    refused,         ///< input that zcdp will not take: a key that is no path, a listing over its limits
    not_found,       ///< no such bucket, object, snapshot or host
    denied,          ///< credentials missing, wrong or without the right
    no_space,        ///< disk or inodes are full, or a reservation does not fit
    source_changed,  ///< the object is not the one that was listed
    interrupted,     ///< stopped by a signal
    corrupt,         ///< bytes that do not have their digest or their format
    timeout,         ///< a deadline or the minimum rate was missed
    stalled,         ///< silent for longer than the caller would wait before asking somebody else
    unreachable,     ///< no address of the peer answers
    throttled,       ///< the peer asked for fewer requests (503 SlowDown, 429)
    no_ranges,       ///< the peer sent a whole object although a part of it was asked for
    busy,            ///< somebody else holds the lock or the lease
};

/// The process's exit code for a kind: 1 unless the kind has its own (2 usage, 3 refused, 4 not found, 5 denied,
/// 6 no space, 7 source changed, 130 interrupted).
int exit_code(ErrorKind kind);

/// The kind as a word for logs and JSON, for example "no_space".
std::string_view name(ErrorKind kind);

class [[nodiscard]] Error {
  public:
    Error() = default;
    Error(ErrorKind kind, std::string what) : kind_(kind), what_(std::move(what)) {}
    Error(ErrorKind kind, std::string what, std::string object, std::string hint = {})
        : kind_(kind), what_(std::move(what)), object_(std::move(object)), hint_(std::move(hint)) {}

    ErrorKind kind() const { return kind_; }
    /// What happened and why, without the object's name; never holds a credential.
    const std::string& what() const { return what_; }
    /// The object, file or address concerned; empty when there is none.
    const std::string& object() const { return object_; }
    /// What to do next; may be empty.
    const std::string& hint() const { return hint_; }

    /// Names the object if nobody below has.
    Error about(std::string_view object) &&;
    /// Gives advice if nobody below has.
    Error advise(std::string_view hint) &&;

    /// One line: "OBJECT: WHAT; HINT". Control characters of outside names are written as \xHH.
    std::string line() const;

  private:
    ErrorKind kind_ = ErrorKind::failed;
    std::string what_;
    std::string object_;
    std::string hint_;
};

/// An Error from errno: ENOSPC, EDQUOT -> no_space; ENOENT -> not_found; EACCES, EPERM -> denied; else failed.
Error errno_error(int errno_value, std::string_view action, std::string_view object);
Error system_error(const boost::system::error_code& code, std::string_view action, std::string_view object);

/// A copy of `text` that is safe on a terminal and in a log line: control bytes and invalid UTF-8 become \xHH.
std::string printable(std::string_view text);

template <class T = void>
using Result = boost::system::result<T, Error>;

/// Found by boost::system::result::value() through ADL: a bug, since callers must test first.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace zcdp

#define ZCDP_CONCAT_(a, b) a##b
#define ZCDP_CONCAT(a, b) ZCDP_CONCAT_(a, b)

/// ZCDP_TRY(auto x, f()); returns f()'s Error from this function, else declares x.
#define ZCDP_TRY(declaration, ...) ZCDP_TRY_(return, ZCDP_CONCAT(zcdp_result_, __COUNTER__), declaration, __VA_ARGS__)
/// The same in a coroutine.
#define ZCDP_CO_TRY(declaration, ...) \
    ZCDP_TRY_(co_return, ZCDP_CONCAT(zcdp_result_, __COUNTER__), declaration, __VA_ARGS__)
#define ZCDP_TRY_(leave, result, declaration, ...) \
    auto result = (__VA_ARGS__);                   \
    if (!result) leave std::move(result).error();  \
    declaration = std::move(*result)
/// ZCDP_CHECK(f()); the same for Result<void>.
#define ZCDP_CHECK(...)                                                                               \
    do {                                                                                              \
        if (auto zcdp_checked = (__VA_ARGS__); !zcdp_checked) return std::move(zcdp_checked).error(); \
    } while (false)
#define ZCDP_CO_CHECK(...)                                                                               \
    do {                                                                                                 \
        if (auto zcdp_checked = (__VA_ARGS__); !zcdp_checked) co_return std::move(zcdp_checked).error(); \
    } while (false)
