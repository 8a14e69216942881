#include "src/modes/origin_flags.hpp"

namespace zcdp::modes {

void add_origin_flags(CLI::App& command, origin::OriginOptions& origin) {
    command.add_option("--endpoint", origin.endpoint, "the service's address, http[s]://HOST[:PORT] (AWS_ENDPOINT_URL_S3, STORAGE_EMULATOR_HOST, HF_ENDPOINT)")->type_name("URL");
    command.add_option("--region", origin.region, "S3 region (AWS_REGION); found by itself on AWS")->type_name("NAME");
    command.add_option("--profile", origin.profile, "profile of the AWS config files (AWS_PROFILE)")->type_name("NAME");
    command.add_flag("--path-style", origin.path_style, "address the bucket in the path, not in the host name");
    command.add_flag("--anonymous", origin.anonymous, "send no credentials");
    command.add_option("--sha256", origin.sha256, "digest that the one file of an https:// SOURCE must have")->type_name("HEX");
    command.add_option("--ca-bundle", origin.ca_bundle, "PEM file of trusted CA certificates")->type_name("FILE");
    command.add_option("--retries", origin.retries, "attempts after the first, per request")->capture_default_str();
}

}  // namespace zcdp::modes
