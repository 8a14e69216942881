#include "zcdp/modes/run.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>

#include "src/modes/context.hpp"
#include "src/modes/nearest.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::modes {
namespace {

constexpr const char* kFooter = R"(
Examples:
  zcdp sync s3://models/llama-3/ ./llama    a dataset onto this machine's disk, verified, only what is missing
  zcdp store ls                             what is here already
  zcdp serve ./data --listen 127.0.0.1:9000 a directory as a read-only S3 bucket

Exit codes: 0 done, 1 failed, 2 usage, 3 refused input, 4 not found, 5 access denied, 6 no space,
7 the source changed, 130 interrupted.
`zcdp COMMAND --help`, or `zcdp help COMMAND`, has the details of a command.)";

constexpr int kUsage = 2;

void add_common_flags(CLI::App& command, CommonFlags& flags) {
    for (CLI::App* below : command.get_subcommands({})) add_common_flags(*below, flags);
    if (!command.get_subcommands({}).empty()) return;
    command.add_option("--log-format", flags.log_format, "of messages on stderr")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    command.add_option("--log-level", flags.log_level, "of messages on stderr")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
        ->capture_default_str();
    command.add_flag("-q,--quiet", flags.quiet, "only errors");
    command.add_flag("-v,--verbose", flags.verbose, "say more; twice: each request");
}

/// What std::thread throws when pthread_create fails.
bool is_out_of_threads(const std::exception& error) {
    const auto* failed = dynamic_cast<const std::system_error*>(&error);
    return failed && failed->code() == std::errc::resource_unavailable_try_again;
}

/// Commands without anything behind them that would choose one: `zcdp`, `zcdp store`, `zcdp help [COMMAND]`. The exit
/// code; nullopt: there is something to parse.
std::optional<int> help_or_unknown(const CLI::App& app, int argc, char** argv) {
    const bool asked = argc > 1 && std::string_view(argv[1]) == "help";
    const CLI::App* command = &app;
    std::string words = "zcdp", before;
    for (int i = asked ? 2 : 1;; ++i) {
        const auto below = command->get_subcommands([](const CLI::App*) { return true; });
        if (i >= argc) {
            if (!asked && below.empty()) return std::nullopt;
            std::cout << command->help(before);  // as CLI11 prints --help
            return finish_stdout(0);
        }
        if (below.empty() || argv[i][0] == '-') {
            if (!asked) return std::nullopt;
            argc = i;
            --i;
            continue;
        }
        const auto named = std::ranges::find(below, argv[i], &CLI::App::get_name);
        if (named == below.end()) {
            std::vector<std::string> names;
            for (const CLI::App* one : below) names.push_back(one->get_name());
            const std::string meant = nearest(argv[i], names);
            say("zcdp: there is no command {} {}; {}see {} --help\n", words, printable(argv[i]),
                meant.empty() ? "" : fmt::format("did you mean {} {}? ", words, meant), words);
            return kUsage;
        }
        command = *named;
        before = words;
        words += std::string(" ") + argv[i];
    }
}

}  // namespace

int run(int argc, char** argv) {
    open_missing_streams();
    ::umask(::umask(0) & 077);  // one that takes our own rights away would keep us out of what we make
    Metrics metrics;
    Context context{system_fs(), system_clock(), system_random(), metrics, {}};
    CLI::App app{"zcdp, the Zero Copy Data Plane: datasets on local disk, once, verified", "zcdp"};
    app.footer(kFooter);
    app.require_subcommand(1);
    Action action;
    add_sync(app, action);
    add_verify(app, action);
    add_store(app, action);
    add_serve(app, action);
    add_agent(app, action);
    add_controller(app, action);
    add_install(app, action);
    add_uninstall(app, action);
    add_status(app, action);
    add_explain(app, action);
    add_version(app, action);
    add_completion(app, action);
    for (CLI::App* command : app.get_subcommands({})) add_common_flags(*command, context.flags);
    if (const auto done = help_or_unknown(app, argc, argv)) return *done;
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return finish_stdout(app.exit(error));  // --help
        say("zcdp: {}; see --help\n", error.what());
        return kUsage;
    }
    try {
        return finish_stdout(action(context));
    } catch (const std::bad_alloc&) {
        say("zcdp: out of memory; give it more, or lower --memory and --connections\n");
    } catch (const std::exception& error) {
        if (std::ferror(stdout)) return finish_stdout(0);
        if (is_out_of_threads(error))
            say("zcdp: no more threads can be started: raise the limit of processes (ulimit -u, a container's pids), "
                "or lower --connections\n");
        else say("zcdp: internal error: {}; please report it\n", error.what());
    }
    return 1;
}

}  // namespace zcdp::modes
