// What a request is answered with: a result, or a refusal, which is an error with its HTTP status. Values.
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <optional>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/datastore/wire.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::datastore {

struct Refused {
    Refused() = default;
    Refused(Error why) : status(status_of(why.kind())), error(std::move(why)) {}  // NOLINT: as Result takes an Error
    Refused(int with_status, Error why) : status(with_status), error(std::move(why)) {}
    int status = 500;
    Error error;
};
[[noreturn]] void throw_exception_from_error(const Refused& refused, const boost::source_location& where);

template <class T = void>
using Answered = boost::system::result<T, Refused>;

inline constexpr int kGone = 410, kConflict = 409, kPreconditionFailed = 412, kOverQuota = 413, kTooManyRequests = 429;

net::server::Response json_response(int status, std::string json);
net::server::Response refusal(const Refused& refused);

/// A query's number; nullopt when it is not there. Refused: what is no number.
Answered<std::optional<uint64_t>> number_of(const net::server::Request& request, std::string_view name);
/// The same, 0 when it is not there.
Answered<uint64_t> number_or_0(const net::server::Request& request, std::string_view name);
/// Of a request's body, as far as its header says, else `most`.
uint64_t announced_bytes(const net::server::Request& request, uint64_t most);
/// Whether a query's flag is set: "1" or "true".
Answered<bool> flag_of(const net::server::Request& request, std::string_view name);

}  // namespace zcdp::datastore
