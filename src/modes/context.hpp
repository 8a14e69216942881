// What a command gets from main: the machine, and where its output goes. No command reaches for anything else.
#pragma once

#include <functional>
#include <string>

#include "src/modes/command_line.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::modes {

/// Flags that every command takes.
struct CommonFlags {
    std::string log_format = "text";
    std::string log_level = "warn";
    bool quiet = false;
    int verbose = 0;
};

struct Context {
    Fs& fs;
    Clock& clock;
    Random& random;
    Metrics& metrics;
    CommonFlags flags;

    Logger logger() const;
    /// Says a line on stderr; nothing with --quiet. Of any thread.
    std::function<void(const std::string&)> lines() const;
    Machine machine(Logger& log) const;
};

/// A command: adds itself to the program; `action` is what it does once everything is parsed, and returns the exit
/// code.
using Action = std::function<int(Context&)>;
void add_sync(Command program, Action& action);
void add_verify(Command program, Action& action);
void add_store(Command program, Action& action);
void add_serve(Command program, Action& action);
void add_put(Command program, Action& action);
void add_get(Command program, Action& action);
void add_ls(Command program, Action& action);
void add_stat(Command program, Action& action);
void add_history(Command program, Action& action);
void add_rm(Command program, Action& action);
void add_metadata_server(Command program, Action& action);
void add_agent(Command program, Action& action);
void add_controller(Command program, Action& action);
void add_install(Command program, Action& action);
void add_uninstall(Command program, Action& action);
void add_status(Command program, Action& action);
void add_explain(Command program, Action& action);
void add_version(Command program, Action& action);
void add_completion(Command program, Action& action);

/// --store DIR, $ZCDP_STORE, /var/lib/zcdp for root, else the XDG cache folder.
std::string store_folder(const std::string& flag);

/// "zcdp: OBJECT: WHAT; HINT" on stderr; the exit code of its kind.
int report(const Error& error);

}  // namespace zcdp::modes
