#include "src/origin/s3/location.hpp"

#include <algorithm>
#include <array>

#include "src/origin/remote/remote.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr std::string_view kScheme = "s3://", kVersion = "versionId=";
constexpr const char* kVersionForm = "write s3://BUCKET/KEY?versionId=ID";
constexpr const char* kArnForm = "write s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/PREFIX/";
constexpr size_t kRegionBytesMax = 32;
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
    if (version.empty() || version.size() > kVersionBytesMax)
        return Error(ErrorKind::usage, "has a versionId that is none", source, kVersionForm);
    rest.erase(mark);
    return version;
}

/// What a host's label may have.
bool is_label(std::string_view text) {
    return !text.empty() && text.size() <= kLabelBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
        return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
    });
}

bool partition_has(const std::string& partition, const std::string& region) {
    if (region.starts_with("cn-")) return partition == "aws-cn";
    if (region.starts_with("us-gov-")) return partition == "aws-us-gov";
    return partition == "aws";
}

/// Takes an access point's ARN off `rest`, and the '/' after it; leaves the key.
/// docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html. Errors: usage.
Result<> take_arn(std::string& rest, const std::string& source, Location& out) {
    const auto refused = [&](const char* what) { return Error(ErrorKind::usage, what, source, kArnForm); };
    std::array<std::string, 5> fields;  // arn, partition, service, region, account
    size_t at = 0;
    for (std::string& field : fields) {
        const size_t colon = rest.find_first_of(":/", at);
        if (colon == rest.npos || rest[colon] == '/') return refused("is no whole ARN");
        field = rest.substr(at, colon - at);
        at = colon + 1;
    }
    const auto& [arn, partition, service, region, account] = fields;
    if (service == "s3-object-lambda") return refused("is an Object Lambda access point, which zcdp does not read");
    if (service == "s3-outposts") return refused("is S3 on Outposts, which zcdp does not read");
    if (service != "s3") return refused("is an ARN of another service than S3");
    const std::string word = "accesspoint";
    if (rest.compare(at, word.size(), word) != 0 || (rest[at + word.size()] != '/' && rest[at + word.size()] != ':'))
        return refused("is an ARN, but of no access point; a bucket's ARN is written as s3://BUCKET/");
    const size_t begin = at + word.size() + 1, end = std::min(rest.find('/', begin), rest.size());
    const std::string name = rest.substr(begin, end - begin);
    if (region.empty()) return refused("is a Multi-Region Access Point, whose signatures (SigV4A) zcdp does not make");
    const bool too_long = region.size() > kRegionBytesMax || !is_label(name + "-" + account);
    if (!is_label(name) || !is_label(region) || !is_label(account) || too_long)
        return refused("is an ARN with a malformed region, account or name");
    if (!partition_has(partition, region))
        return refused("is an ARN whose partition does not have its region, or is not known");
    out.bucket = rest.substr(0, end);
    out.access_point = name + "-" + account;
    out.region = region;
    rest.erase(0, std::min(end + 1, rest.size()));
    return {};
}

/// The zone in a directory bucket's name,
/// docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html.
Result<std::string> zone_of(std::string_view bucket, const std::string& source) {
    std::string_view rest = bucket;
    for (const std::string_view suffix : {"--x-s3", "--xa-s3"})
        if (rest.ends_with(suffix)) rest.remove_suffix(suffix.size());
    if (rest.size() == bucket.size()) return std::string();
    const size_t dashes = rest.rfind("--");
    if (dashes == rest.npos || dashes == 0 || !is_label(bucket) || rest.size() == dashes + 2)
        return Error(ErrorKind::usage, "is a directory bucket's name, but has no zone", source,
                     "such as s3://NAME--usw2-az1--x-s3/PREFIX/");
    return std::string(rest.substr(dashes + 2));
}

/// The bucket and the '/' after it.
Result<> take_bucket(std::string& rest, const std::string& source, Location& out) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    out.bucket = rest.substr(0, slash);
    rest.erase(0, std::min(slash + 1, rest.size()));
    if (!is_bucket(out.bucket)) return Error(ErrorKind::usage, "has no bucket", source, "write s3://BUCKET/PREFIX/");
    ZCDP_TRY(out.zone, zone_of(out.bucket, source));
    return {};
}

}  // namespace

Result<Location> parse_location(const std::string& source) {
    Location out;
    std::string key = source.substr(kScheme.size());
    ZCDP_TRY(out.version, take_version(key, source));
    ZCDP_CHECK(key.starts_with("arn:") ? take_arn(key, source, out) : take_bucket(key, source, out));
    if (out.version.empty()) {
        out.prefix = std::move(key);
        return out;
    }
    if (!out.zone.empty())
        return Error(ErrorKind::usage, "has a versionId, but directory buckets keep no versions", source);
    if (key.empty() || key.back() == '/')
        return Error(ErrorKind::usage, "has a versionId, but is a prefix: versions are those of single objects", source,
                     kVersionForm);
    out.prefix = key.substr(0, key.rfind('/') + 1);
    out.object = std::move(key);
    return out;
}

}  // namespace zcdp::origin::s3
