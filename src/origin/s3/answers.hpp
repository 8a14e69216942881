// What S3's answers mean: errors, checksums, ranges. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "zcdp/net/http.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin::s3 {

/// An error answer: status, and of the body what there is
/// (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). One that came as a success (the header was sent
/// before the error was known) has the status that its code has else.
struct ErrorAnswer {
    int status = 0;
    std::string code, message, region, request_id;
    bool came_as_success = false;
};
ErrorAnswer parse_error(const net::Response& answer, std::string_view body);

/// Whether it can be that something in the request is more than this service knows.
enum class Unknown { no, perhaps, surely };
Unknown is_unknown_feature(const ErrorAnswer& answer);
/// Whether the service's own words name a header of ours: no field of its answer would say which one it minds.
bool minds_header(const ErrorAnswer& answer, std::string_view header);

/// What to do about it.
enum class Action {
    none,                 ///< final
    retry,                ///< later, with back-off
    slow_down,            ///< the same, and with fewer requests at once
    refresh_credentials,  ///< once
    correct_clock,        ///< once, from the answer's Date
    use_region,           ///< once, the region it names
    use_host,             ///< once: the bucket in the host's name
};
Action action_of(const ErrorAnswer& answer);
/// Whether the service says that it takes no bucket in the path.
bool wants_bucket_in_host(const ErrorAnswer& answer);
Error error_of(const ErrorAnswer& answer, const std::string& object);
/// The same for a request that named a version: one that there is not, that is malformed or a delete marker is
/// not_found (docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, DeleteMarker.html).
Error error_of_version(const ErrorAnswer& answer, const std::string& object);

/// The whole object's checksum from the headers of a HEAD or GET in checksum mode; kind none when there is none.
ObjectChecksum checksum_of(const net::Response& answer);

}  // namespace zcdp::origin::s3
