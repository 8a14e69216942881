// zcdp serve DIR
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>

#include "src/modes/context.hpp"
#include "src/modes/signals.hpp"
#include "zcdp/services/serve.hpp"

namespace zcdp::modes {
namespace {

constexpr const char* kFooter = R"(
The directory appears as one bucket; its files are the keys. Symlinks and what they point to are not shown.
With ZCDP_SERVE_ACCESS_KEY and ZCDP_SERVE_SECRET_KEY in the environment requests must be signed with them; else
everybody who reaches the address may read.

Examples:
  zcdp serve ./data --listen 127.0.0.1:9000
  zcdp sync --endpoint http://127.0.0.1:9000 --anonymous s3://data/ ./copy
  aws s3 ls --endpoint-url http://127.0.0.1:9000 --no-sign-request s3://data/)";

int run_serve(Context& context, services::ServeOptions options) {
    forbid_core_files();
    raise_open_files();
    std::atomic<bool> stop{false};
    StopOnSignal on_signal(stop);
    const auto environment = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value ? value : "");
    };
    options.access_key = environment("ZCDP_SERVE_ACCESS_KEY");
    options.secret_key = environment("ZCDP_SERVE_SECRET_KEY");
    if (options.access_key.empty() != options.secret_key.empty())
        return report(Error(ErrorKind::usage, "only one of ZCDP_SERVE_ACCESS_KEY and ZCDP_SERVE_SECRET_KEY is set"));
    Logger log = context.logger();
    auto server = services::Server::open(options, context.fs, context.clock, context.metrics, log);
    if (!server) return report(server.error());
    fmt::print("serving {} as s3://{}/ at {}{}\n", options.directory, options.bucket, (*server)->url(),
               options.access_key.empty() ? " to everybody" : "");
    std::fflush(stdout);
    if (auto done = (*server)->run(stop); !done) return report(done.error());
    return 0;
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
    auto options = std::make_shared<services::ServeOptions>();
    CLI::App& serve = *app.add_subcommand("serve", "show a directory as a read-only S3 bucket");
    serve.footer(kFooter);
    serve.add_option("DIR", options->directory, "the directory")->required();
    serve.add_option("--listen", options->listen, "address to listen on; port 0 takes a free one")->type_name("ADDRESS:PORT")->capture_default_str();
    serve.add_option("--bucket", options->bucket, "the bucket's name")->type_name("NAME")->capture_default_str();
    serve.callback([options, &action] {
        action = [options](Context& context) { return run_serve(context, *options); };
    });
}

}  // namespace zcdp::modes
