// zcdp metadata-server
#include <fmt/core.h>

#include <cstdio>

#include "src/modes/context.hpp"
#include "src/modes/server_flags.hpp"
#include "src/modes/signals.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/datastore/server.hpp"

namespace zcdp::modes {
namespace {

constexpr const char* kFooter = R"(
The server of a data store: what `zcdp put` brings, `zcdp get`, `ls` and `rm` find. Everything is below --root, on a local
file system (ext4, XFS): NFS and its like are refused. It is read and written by this process alone.
Each line of the --token-file is a token that counts; clients send one (ZCDP_TOKEN_FILE). The file is read again when it
changes, and so are the certificate and its key. Without a token only addresses of this machine are listened on.
A version that fell out of --keep-versions, or was removed, goes ten minutes after it was read last.

Examples:
  zcdp metadata-server --root ./store --token-file token
  ZCDP_SERVER=http://127.0.0.1:7480 ZCDP_TOKEN_FILE=token zcdp put team/model ./model/
  zcdp metadata-server --root /srv/zcdp --listen 0.0.0.0:7480 --token-file token --tls-cert cert.pem --tls-key key.pem \
    --quota 200G --quota-keys 1000000 --metrics 127.0.0.1:9090)";

struct Flags {
    datastore::ServerOptions server;
    std::string quota, metrics;
    unsigned keep_versions = 10, quota_keys = 0;
};

int run_server(Context& context, Flags flags) {
    datastore::ServerOptions& options = flags.server;
    forbid_core_files();
    raise_open_files();
    const StopOnSignal on_signal;
    options.keep_versions = flags.keep_versions, options.quota_keys = flags.quota_keys;
    if (!flags.quota.empty()) options.quota_bytes = parse_size(flags.quota).value_or(0);
    const bool open_to_all = options.token_file.empty();
    const std::string root = options.root;
    Logger log = context.logger();
    auto server = datastore::Server::open(std::move(options), context.machine(log));
    if (!server) return report(server.error());
    const auto metrics = open_metrics(flags.metrics, context, log);
    if (!metrics) return report(metrics.error());
    fmt::print("serving the data store {} at {}{}\n", root, (*server)->url(),
               open_to_all ? " to everybody on this machine" : "");
    std::fflush(stdout);
    if (auto done = (*server)->run(on_signal.token()); !done) return report(done.error());
    return 0;
}

}  // namespace

void add_metadata_server(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    datastore::ServerOptions* options = &flags->server;
    Command command = program.add_command("metadata-server", "keep keys and their versions for put, get, ls and rm");
    command.footer(kFooter);
    command.add_option("--root", options->root, "where keys and contents are kept").type_name("DIR").required();
    command.add_option("--listen", options->listen, "address to listen on; port 0 takes a free one")
        .type_name("ADDRESS:PORT")
        .show_default();
    command.add_option("--token-file", options->token_file, "tokens that count, one a line").type_name("FILE");
    add_certificate_flags(command, options->certificate_file, options->key_file);
    command.add_option("--keep-versions", flags->keep_versions, "of each key, the present one among them")
        .range(1, 1'000'000)
        .show_default();
    command.add_size("--quota", flags->quota, "contents may have so many bytes, each counted once");
    command.add_option("--quota-keys", flags->quota_keys, "there may be so many keys").type_name("N");
    add_metrics_flag(command, flags->metrics);
    command.on_parsed([flags, &action] { action = [flags](Context& context) { return run_server(context, *flags); }; });
}

}  // namespace zcdp::modes
