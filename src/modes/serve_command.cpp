// zcdp serve DIR, zcdp serve --store
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>

#include "src/modes/context.hpp"
#include "src/modes/server_flags.hpp"
#include "src/modes/signals.hpp"
#include "zcdp/services/serve.hpp"
#include "zcdp/store/store.hpp"

namespace zcdp::modes {
namespace {

constexpr const char* kFooter = R"(
The directory appears as one bucket; its files are the keys. Symlinks and what they point to are not shown, nor sockets and
names that are no keys: how many is in the log and in zcdp_serve_left_out_entries, once they are listed. With --store
each ready snapshot is a bucket, called by the first 32 digits of its id, and a pinned one also by its name.
With ZCDP_SERVE_ACCESS_KEY and ZCDP_SERVE_SECRET_KEY in the environment requests must be signed with them; else
everybody who reaches the address may read. Presigned URLs are taken as well.

Examples:
  zcdp serve ./data --listen 127.0.0.1:9000
  zcdp sync --endpoint http://127.0.0.1:9000 --anonymous s3://data/ ./copy
  aws s3 ls --endpoint-url http://127.0.0.1:9000 --no-sign-request s3://data/
  zcdp serve --store /var/lib/zcdp --listen 0.0.0.0:9000 --tls-cert cert.pem --tls-key key.pem --metrics 127.0.0.1:9090)";

struct Flags {
    services::ServeOptions serve;
    std::string store, metrics;
};

int run_serve(Context& context, Flags flags) {
    services::ServeOptions& options = flags.serve;
    forbid_core_files();
    raise_open_files();
    const StopOnSignal on_signal;
    const auto environment = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value ? value : "");
    };
    options.access_key = environment("ZCDP_SERVE_ACCESS_KEY");
    options.secret_key = environment("ZCDP_SERVE_SECRET_KEY");
    if (options.access_key.empty() != options.secret_key.empty())
        return report(Error(ErrorKind::usage, "only one of ZCDP_SERVE_ACCESS_KEY and ZCDP_SERVE_SECRET_KEY is set"));
    Logger log = context.logger();
    std::unique_ptr<store::Store> store;
    if (!flags.store.empty()) {
        store::StoreOptions wanted;
        wanted.root = flags.store, wanted.mode = store::StoreMode::read;
        auto opened = store::Store::open(wanted, context.fs, context.clock, context.random, log, context.metrics);
        if (!opened) return report(opened.error());
        store = std::move(*opened);
    }
    const std::string what =
        store ? "the snapshots of " + flags.store : options.directory + " as s3://" + options.bucket + "/";
    auto server = services::Server::open(options, context.fs, context.clock, context.metrics, log, std::move(store));
    if (!server) return report(server.error());
    const auto metrics = open_metrics(flags.metrics, context, log);
    if (!metrics) return report(metrics.error());
    fmt::print("serving {} at {}{}\n", what, (*server)->url(), options.access_key.empty() ? " to everybody" : "");
    std::fflush(stdout);
    if (auto done = (*server)->run(on_signal.token()); !done) return report(done.error());
    return 0;
}

}  // namespace

void add_serve(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    services::ServeOptions* options = &flags->serve;
    Command serve = program.add_command("serve", "show a directory, or a store's snapshots, as read-only S3 buckets");
    serve.footer(kFooter);
    const Option directory = serve.add_option("DIR", options->directory, "the directory");
    const Option store = serve.add_option("--store", flags->store, "the store whose snapshots are shown instead")
                             .type_name("DIR")
                             .excludes(directory);
    serve.add_option("--listen", options->listen, "address to listen on; port 0 takes a free one")
        .type_name("ADDRESS:PORT")
        .show_default();
    serve.add_option("--bucket", options->bucket, "the bucket's name, of a DIR")
        .type_name("NAME")
        .show_default()
        .excludes(store);
    add_certificate_flags(serve, options->certificate_file, options->key_file);
    add_metrics_flag(serve, flags->metrics);
    serve.on_parsed([flags, &action] { action = [flags](Context& context) { return run_serve(context, *flags); }; },
                    [flags] {
                        const bool neither = flags->serve.directory.empty() && flags->store.empty();
                        return std::string(neither ? "DIR or --store is required" : "");
                    });
}

}  // namespace zcdp::modes
