#include "src/modes/origin_flags.hpp"

#include <boost/asio/ip/address.hpp>

#include <fstream>
#include <sstream>

namespace zcdp::modes {
namespace {

std::string file_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    if (!file || content.str().empty()) throw CLI::ValidationError(path, "cannot be read");
    return content.str();
}

std::string check_address(std::string& text) {
    boost::system::error_code code;
    boost::asio::ip::make_address(text, code);
    return code ? "is no IP address" : "";
}

}  // namespace

void add_origin_flags(CLI::App& command, origin::OriginOptions& origin) {
    command.add_option("--endpoint", origin.endpoint, "the service's address, http[s]://HOST[:PORT] (AWS_ENDPOINT_URL_S3, STORAGE_EMULATOR_HOST, HF_ENDPOINT)")->type_name("URL");
    command.add_option("--region", origin.region, "S3 region (AWS_REGION); found by itself on AWS")->type_name("NAME");
    command.add_option("--profile", origin.profile, "profile of the AWS config files (AWS_PROFILE)")->type_name("NAME");
    command.add_flag("--path-style", origin.path_style, "address the bucket in the path, not in the host name");
    command.add_flag("--request-payer", origin.request_payer, "S3: you pay for the requests");
    command.add_flag("--dualstack", origin.dual_stack, "S3: AWS's hosts with IPv6 (AWS_USE_DUALSTACK_ENDPOINT)");
    command.add_option_function<std::string>("--sse-c-key", [&origin](const std::string& path) { origin.sse_c_key = file_of(path); }, "S3: file with the 32 bytes that objects were encrypted with")->type_name("FILE");
    command.add_option_function<std::string>("--client-cert", [&origin](const std::string& path) { origin.client_cert_pem = file_of(path); }, "PEM file: who we are, for servers that ask")->type_name("FILE");
    command.add_option_function<std::string>("--client-key", [&origin](const std::string& path) { origin.client_key_pem = file_of(path); }, "PEM file: its private key")->type_name("FILE");
    command.add_option("--source-address", origin.source_address, "the local IP address that connections come from")->check(CLI::Validator(check_address, "ADDRESS"))->type_name("ADDRESS");
    command.add_flag("--anonymous", origin.anonymous, "send no credentials");
    command.add_option("--sha256", origin.sha256, "digest that the one file of an https:// SOURCE must have")->type_name("HEX");
    command.add_option("--ca-bundle", origin.ca_bundle, "PEM file of trusted CA certificates")->type_name("FILE");
    command.add_option("--retries", origin.retries, "attempts after the first, per request")->capture_default_str();
}

}  // namespace zcdp::modes
