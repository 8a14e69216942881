#include "src/modes/data_store_flags.hpp"

#include <fmt/core.h>

#include "zcdp/base/ascii.hpp"
#include "zcdp/datastore/wire.hpp"

namespace zcdp::modes {
namespace {

constexpr size_t kTokenBytesMost = 64 << 10, kCaBundleBytesMost = 4 << 20;

std::string given_or(const std::string& flag, const Machine& machine, const char* variable) {
    return flag.empty() ? machine.environment(variable) : flag;
}

Result<std::string> read_file(const Machine& machine, const std::string& path, size_t bytes_most) {
    auto content = read_user_file(machine.fs, path, bytes_most);
    if (!content) return system_error(content.error(), "reading", path);
    return std::move(*content);
}

Result<std::string> read_token(const Machine& machine, const std::string& path) {
    ZCDP_TRY(const std::string content, read_file(machine, path, kTokenBytesMost));
    const std::string token(trimmed(content, " \t\r\n"));
    if (token.empty()) return Error(ErrorKind::usage, "holds no token", path, "write the token into it, as one line");
    return token;
}

}  // namespace

void add_data_store_flags(Command command, DataStoreFlags& flags) {
    command.add_option("--server", flags.server, "the data store, http[s]://HOST[:PORT] (ZCDP_SERVER)")
        .type_name("URL");
    command.add_option("--token-file", flags.token_file, "file with the token that it demands (ZCDP_TOKEN_FILE)")
        .type_name("FILE");
    command.add_option("--ca-bundle", flags.ca_bundle, "PEM file of trusted CA certificates").type_name("FILE");
    command.add_option("-n,--namespace", flags.ns, "the namespace whose data store it is; not beside --server")
        .type_name("NAME");
    command.add_flag("--json", flags.json, "the result as JSON on stdout, and errors, too");
}

Result<datastore::ServerAccess> server_access(const DataStoreFlags& flags, const Machine& machine) {
    datastore::ServerAccess access;
    access.url = given_or(flags.server, machine, "ZCDP_SERVER");
    if (access.url.empty())
        return Error(ErrorKind::usage, "no data store is configured", "",
                     "set ZCDP_SERVER=http://HOST:PORT, or give --server");
    if (!flags.ns.empty())
        return Error(ErrorKind::usage, "a server has the keys of one namespace", access.url, "leave -n away");
    if (const std::string path = given_or(flags.token_file, machine, "ZCDP_TOKEN_FILE"); !path.empty()) {
        ZCDP_TRY(access.token, read_token(machine, path));
    }
    if (!flags.ca_bundle.empty()) {
        ZCDP_TRY(access.ca_pem, read_file(machine, flags.ca_bundle, kCaBundleBytesMost));
    }
    return access;
}

int report(const Error& error, bool json) {
    if (json) fmt::print("{}\n", datastore::error_json(error));
    return report(error);
}

}  // namespace zcdp::modes
