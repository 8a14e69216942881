#include "zcdp/modes/run.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <exception>
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

void add_common_flags(Command command, CommonFlags& flags) {
    for (const Command& below : command.commands()) add_common_flags(below, flags);
    if (!command.commands().empty()) return;
    command.add_option("--log-format", flags.log_format, "of messages on stderr")
        .one_of({"text", "json"})
        .show_default();
    command.add_option("--log-level", flags.log_level, "of messages on stderr")
        .one_of({"debug", "info", "warn", "error"})
        .show_default();
    command.add_flag("-q,--quiet", flags.quiet, "only errors");
    command.add_counted_flag("-v,--verbose", flags.verbose, "say more; twice: each request");
}

/// What std::thread throws when pthread_create fails.
bool is_out_of_threads(const std::exception& error) {
    const auto* failed = dynamic_cast<const std::system_error*>(&error);
    return failed && failed->code() == std::errc::resource_unavailable_try_again;
}

int print_help(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    return finish_stdout(0);
}

/// Commands without anything behind them that would choose one: `zcdp`, `zcdp store`, `zcdp help [COMMAND]`. The exit
/// code; nullopt: there is something to parse.
std::optional<int> help_or_unknown(Command command, int argc, char** argv) {
    const bool asked = argc > 1 && std::string_view(argv[1]) == "help";
    std::string words = "zcdp", before;
    for (int i = asked ? 2 : 1;; ++i) {
        const std::vector<Command> below = command.commands();
        if (i >= argc) {
            if (!asked && below.empty()) return std::nullopt;
            return print_help(command.help(before));
        }
        if (below.empty() || argv[i][0] == '-') {
            if (!asked) return std::nullopt;
            argc = i;
            --i;
            continue;
        }
        const auto named = std::ranges::find(below, argv[i], &Command::name);
        if (named == below.end()) {
            std::vector<std::string> names;
            for (const Command& one : below) names.push_back(one.name());
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
    CommandLine line("zcdp", "zcdp, the Zero Copy Data Plane: datasets on local disk, once, verified");
    Command program = line.program();
    program.footer(kFooter);
    program.require_command();
    Action action;
    add_sync(program, action);
    add_verify(program, action);
    add_store(program, action);
    add_serve(program, action);
    add_put(program, action);
    add_get(program, action);
    add_ls(program, action);
    add_stat(program, action);
    add_history(program, action);
    add_rm(program, action);
    add_metadata_server(program, action);
    add_agent(program, action);
    add_controller(program, action);
    add_install(program, action);
    add_uninstall(program, action);
    add_status(program, action);
    add_explain(program, action);
    add_version(program, action);
    add_completion(program, action);
    for (const Command& command : program.commands()) add_common_flags(command, context.flags);
    if (const auto done = help_or_unknown(program, argc, argv)) return *done;
    const Parsed parsed = line.parse(argc, argv);
    if (parsed.outcome == Parsed::Outcome::help) return print_help(parsed.text);
    if (parsed.outcome == Parsed::Outcome::wrong) {
        say("zcdp: {}; see --help\n", parsed.text);
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
