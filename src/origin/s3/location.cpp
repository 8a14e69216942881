#include "src/origin/s3/location.hpp"

#include "src/origin/remote/remote.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr std::string_view kScheme = "s3://", kVersion = "versionId=";
constexpr const char* kVersionForm = "write s3://BUCKET/KEY?versionId=ID";
constexpr size_t kVersionBytesMax = 1024;  // docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html

/// Takes the query off `rest`. Errors: usage.
Result<std::string> take_version(std::string& rest, const std::string& source) {
    const size_t mark = rest.rfind('?');
    if (mark == rest.npos) return std::string();
    const std::string query = rest.substr(mark + 1);
    if (query.find('=') == query.npos || query.find('/') != query.npos) return std::string();
    const bool other = !query.starts_with(kVersion) || query.find('&') != query.npos;
    if (other) return Error(ErrorKind::usage, "has a query, of which only versionId is known", source, kVersionForm);
    const std::string version = query.substr(kVersion.size());
    if (version.empty() || version.size() > kVersionBytesMax) return Error(ErrorKind::usage, "has a versionId that is none", source, kVersionForm);
    rest.erase(mark);
    return version;
}

}  // namespace

Result<Location> parse_location(const std::string& source) {
    Location out;
    std::string rest = source.substr(kScheme.size());
    ZCDP_TRY(out.version, take_version(rest, source));
    const size_t slash = rest.find('/');
    out.bucket = rest.substr(0, slash);
    std::string key = slash == rest.npos ? "" : rest.substr(slash + 1);
    if (!is_bucket(out.bucket)) return Error(ErrorKind::usage, "has no bucket", source, "write s3://BUCKET/PREFIX/");
    if (out.version.empty()) {
        // A prefix names a folder: "models/llama" must not take "models/llama-2" along.
        if (!key.empty() && key.back() != '/') key += '/';
        out.prefix = std::move(key);
        return out;
    }
    if (key.empty() || key.back() == '/')
        return Error(ErrorKind::usage, "has a versionId, but is a prefix: versions are those of single objects", source, kVersionForm);
    out.prefix = key.substr(0, key.rfind('/') + 1);
    out.object = std::move(key);
    return out;
}

}  // namespace zcdp::origin::s3
