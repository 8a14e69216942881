#include "src/modes/origin_flags.hpp"

#include <boost/asio/ip/address.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace zcdp::modes {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;

/// Puts the content of the file that `flag` names into `content`; a pipe will do. What is wrong, "" when nothing is.
std::string read_file_of(const char* flag, const std::string& path, std::string& content) {
    const std::string name = std::string(flag) + " " + path + ": ";
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
    if (!file) return name + std::strerror(errno);
    content.assign(kFileBytesMax + 1, 0);
    content.resize(std::fread(content.data(), 1, content.size(), file.get()));
    if (std::ferror(file.get())) return name + std::strerror(errno);
    if (content.empty()) return name + "is empty";
    if (content.size() > kFileBytesMax) return name + "is larger than 1 MiB";
    return "";
}

/// An option whose value is the content of the file it names.
void add_file(Command command, const char* flag, const char* help, std::string& content, std::string* name = nullptr) {
    const auto take = [flag, &content, name](const std::string& path) {
        if (name) *name = path;
        return read_file_of(flag, path, content);
    };
    command.add_option(flag, take, help).type_name("FILE");
}

std::string check_address(const std::string& text) {
    boost::system::error_code code;
    boost::asio::ip::make_address(text, code);
    return code ? "is no IP address" : "";
}

}  // namespace

void add_origin_flags(Command command, origin::OriginOptions& origin) {
    command
        .add_option("--endpoint", origin.endpoint,
                    "the service's address, http[s]://HOST[:PORT][/PATH] (AWS_ENDPOINT_URL_S3, STORAGE_EMULATOR_HOST, "
                    "HF_ENDPOINT)")
        .type_name("URL");
    command.add_option("--region", origin.region, "S3 region (AWS_REGION); found by itself on AWS").type_name("NAME");
    command.add_option("--profile", origin.profile, "profile of the AWS config files (AWS_PROFILE)").type_name("NAME");
    const Option path_style =
        command.add_flag("--path-style", origin.path_style, "address the bucket in the path, not in the host name");
    command.add_flag("--virtual-host", origin.virtual_host, "S3: address the bucket in the host name of any endpoint")
        .excludes(path_style);
    command.add_flag("--request-payer", origin.request_payer, "S3: you pay for the requests");
    command
        .add_option("--billing-project", origin.billing_project,
                    "Google: the project that pays for the requests (requester pays)")
        .type_name("PROJECT");
    command.add_flag("--dualstack", origin.dual_stack, "S3: AWS's hosts with IPv6 (AWS_USE_DUALSTACK_ENDPOINT)");
    add_file(command, "--sse-c-key", "S3: file with the 32 bytes that objects were encrypted with", origin.sse_c_key);
    add_file(command, "--client-cert", "PEM file: who we are, for servers that ask (mutual TLS)",
             origin.client_cert_pem, &origin.client_cert_name);
    add_file(command, "--client-key", "PEM file: its private key, without a passphrase; may be in --client-cert's file",
             origin.client_key_pem, &origin.client_key_name);
    command.add_option("--source-address", origin.source_address, "the local IP address that connections come from")
        .check(check_address, "ADDRESS")
        .type_name("ADDRESS");
    command.add_flag("--anonymous", origin.anonymous, "send no credentials");
    command.add_flag("--follow-symlinks", origin.follow_symlinks,
                     "a local directory: what symlinks lead to, also outside of it, instead of the links");
    command.add_option("--sha256", origin.sha256, "digest that the one file of an https:// SOURCE must have")
        .type_name("HEX");
    command.add_option("--ca-bundle", origin.ca_bundle, "PEM file of trusted CA certificates").type_name("FILE");
    command
        .add_option("--retries", origin.retries,
                    "attempts after the first, per request (S3: AWS_MAX_ATTEMPTS less one)")
        .show_default()
        .tells(origin.retries_are_given);
}

}  // namespace zcdp::modes
