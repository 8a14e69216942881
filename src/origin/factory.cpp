// From a SOURCE as a person writes it to the kind of origin.
#include <algorithm>
#include <set>

#include "src/origin/azure/azure_protocol.hpp"
#include "src/origin/gcs/gcs_protocol.hpp"
#include "src/origin/http/http_origin.hpp"
#include "src/origin/local/local_origin.hpp"
#include "src/origin/oss/oss_protocol.hpp"
#include "src/origin/remote/given.hpp"
#include "src/origin/remote/object_origin.hpp"
#include "src/origin/s3/s3_protocol.hpp"
#include "zcdp/base/ascii.hpp"

namespace zcdp::origin {
namespace {

/// SCHEME://BUCKET/PREFIX by `Bucket` (what its loops share) and `make_protocol`.
template <class Bucket>
Result<OriginFactory> make_bucket_factory(const std::string& source, const OriginOptions& options, Machine machine,
                                          std::unique_ptr<Protocol> (*make_protocol)(std::shared_ptr<Bucket>)) {
    const size_t begin = source.find("://") + 3;
    const std::string scheme = source.substr(0, begin), rest = source.substr(begin);
    const size_t slash = rest.find('/');
    const std::string bucket = rest.substr(0, slash);
    const std::string key = slash == std::string::npos ? "" : rest.substr(slash + 1);
    if (!is_bucket(bucket))
        return Error(ErrorKind::usage, "has no bucket", source, "write " + scheme + "BUCKET/PREFIX/");
    auto shared = std::make_shared<Bucket>(bucket, key, options, machine);
    ZCDP_CHECK(shared->configure());
    return OriginFactory([shared, make_protocol](asio::any_io_executor executor) -> Result<std::unique_ptr<Origin>> {
        return make_object_origin(shared, make_protocol(shared), executor);
    });
}

Result<OriginFactory> make_s3_factory(const std::string& source, OriginOptions options, Machine machine) {
    ZCDP_TRY(auto where, s3::parse_location(source));
    ZCDP_TRY(const auto settings, s3::AwsSettings::read(options, machine));
    if (options.ca_bundle.empty() && options.ca_pem.empty())
        options.ca_bundle = settings->value("AWS_CA_BUNDLE", "ca_bundle");
    ZCDP_TRY(const auto attempts, settings->max_attempts());
    if (attempts && !options.retries_are_given) options.retries = *attempts - 1;
    auto shared = std::make_shared<s3::S3Bucket>(std::move(where), std::move(options), machine, settings);
    ZCDP_CHECK(shared->configure());
    return OriginFactory([shared](asio::any_io_executor executor) -> Result<std::unique_ptr<Origin>> {
        return make_object_origin(shared, s3::make_s3_protocol(shared), executor);
    });
}

Result<OriginFactory> make_azure_factory(const std::string& source, OriginOptions options, Machine machine) {
    ZCDP_TRY(auto where, azure::parse_location(source));
    if (options.endpoint.empty()) options.endpoint = where.endpoint;
    if (!where.sas.empty()) options.credentials = {{"AZURE_STORAGE_SAS_TOKEN", where.sas}};
    auto shared =
        std::make_shared<azure::AzureContainer>(where.account, where.container, where.prefix, options, machine);
    ZCDP_CHECK(shared->configure());
    return OriginFactory([shared](asio::any_io_executor executor) -> Result<std::unique_ptr<Origin>> {
        return make_object_origin(shared, azure::make_azure_protocol(shared), executor);
    });
}

/// A flag that says nothing about this kind of source would be passed over in silence.
Result<> check_flags(const std::string& source, const OriginOptions& options) {
    const auto only = [&](const char* flag, const char* kind) {
        return Error(ErrorKind::usage, std::string(flag) + " is for " + kind + " alone", shown_source(source));
    };
    const bool web = (source.starts_with("https://") || source.starts_with("http://")) && !azure::is_blob_url(source);
    const bool local = source.starts_with("file://") || source.find("://") == std::string::npos;
    if (options.follow_symlinks && !local) return only("--follow-symlinks", "a local directory");
    if (!options.sha256.empty() && !web) return only("--sha256", "a file of a web server (https://)");
    if (!options.billing_project.empty() && !source.starts_with("gs://")) return only("--billing-project", "gs://");
    if (source.starts_with("s3://")) return {};
    if (options.virtual_host) return only("--virtual-host", "s3://");
    if (options.request_payer) return only("--request-payer", "s3://");
    if (options.dual_stack) return only("--dualstack", "s3://");
    if (!options.sse_c_key.empty()) return only("--sse-c-key", "s3://");
    if (!options.profile.empty()) return only("--profile", "s3://");
    return {};
}

/// "HTTP://host" as "http://host" (RFC 3986 3.1); what is no URL stays as it is.
std::string with_plain_scheme(std::string source) {
    const size_t end = std::min(source.find("://"), source.find('/'));
    if (end == std::string::npos || source.find("://") != end) return source;
    return to_lower(source.substr(0, end)) + source.substr(end);
}

}  // namespace

const std::vector<std::string>& credential_names() {
    static const std::vector<std::string> names{"AWS_ACCESS_KEY_ID",
                                                "AWS_SECRET_ACCESS_KEY",
                                                "AWS_SESSION_TOKEN",
                                                "GOOGLE_APPLICATION_CREDENTIALS_JSON",
                                                "AZURE_STORAGE_KEY",
                                                "AZURE_STORAGE_SAS_TOKEN",
                                                "AZURE_STORAGE_CONNECTION_STRING",
                                                "OSS_ACCESS_KEY_ID",
                                                "OSS_ACCESS_KEY_SECRET",
                                                "OSS_SESSION_TOKEN",
                                                "ZCDP_HTTP_TOKEN",
                                                "ZCDP_HTTP_USER",
                                                "ZCDP_HTTP_PASSWORD",
                                                "HF_TOKEN",
                                                "HUGGING_FACE_HUB_TOKEN"};
    return names;
}

Result<std::string> credential(const OriginOptions& options, const Machine& machine, const std::string& name) {
    const auto given = options.credentials.find(name);
    const std::string text = options.credentials.empty()          ? machine.environment(name.c_str())
                             : given == options.credentials.end() ? ""
                                                                  : given->second;
    if (name == "GOOGLE_APPLICATION_CREDENTIALS_JSON")
        return std::string(without_space_around(text));  // a document, of several lines
    static const std::set<std::string_view> in_headers{"AWS_ACCESS_KEY_ID",
                                                       "AWS_SESSION_TOKEN",
                                                       "OSS_ACCESS_KEY_ID",
                                                       "OSS_SESSION_TOKEN",
                                                       "ALIBABA_CLOUD_ACCESS_KEY_ID",
                                                       "ALIBABA_CLOUD_SECURITY_TOKEN",
                                                       "ZCDP_HTTP_TOKEN",
                                                       "HF_TOKEN"};
    return in_headers.contains(name) ? clean_header_secret(text, name) : clean_secret(text, name);
}

std::string shown_source(const std::string& given) {
    const std::string source = with_plain_scheme(given);
    const bool web = source.starts_with("https://") || source.starts_with("http://");
    return web ? source.substr(0, source.find_first_of("?#")) : source;
}

Result<OriginFactory> make_origin_factory(const std::string& given, const OriginOptions& options, Machine machine) {
    const std::string source = with_plain_scheme(given);
    ZCDP_CHECK(check_flags(source, options));
    if (source.starts_with("s3://")) return make_s3_factory(source, options, machine);
    if (source.starts_with("gs://"))
        return make_bucket_factory<gcs::GcsBucket>(source, options, machine, gcs::make_gcs_protocol);
    if (source.starts_with("oss://"))
        return make_bucket_factory<oss::OssBucket>(source, options, machine, oss::make_oss_protocol);
    if (azure::is_blob_url(source)) return make_azure_factory(source, options, machine);
    if (source.starts_with("https://") || source.starts_with("http://"))
        return http::make_url_factory(source, options, machine);
    if (source.starts_with("hf://")) return http::make_repository_factory(source, options, machine);
    if (source.starts_with("file://")) {
        ZCDP_TRY(const std::string path, local::path_of_url(source));
        return local::make_local_factory(path, options, machine);
    }
    if (const size_t scheme = source.find("://"); scheme != std::string::npos)
        return Error(ErrorKind::usage, "is of a kind that zcdp does not know", source,
                     "s3://BUCKET/PREFIX/, gs://BUCKET/PREFIX/, az://ACCOUNT/CONTAINER/PREFIX/, oss://BUCKET/PREFIX/, "
                     "https://HOST/PATH, hf://ORG/NAME, file:///DIR or DIR");
    if (source.empty()) return Error(ErrorKind::usage, "no source is given");
    return local::make_local_factory(source, options, machine);
}

}  // namespace zcdp::origin
