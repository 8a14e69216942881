// zcdp put KEY SRC
#include <fmt/core.h>
#include <unistd.h>

#include <charconv>
#include <set>

#include "src/modes/data_store_flags.hpp"
#include "src/modes/progress_view.hpp"
#include "src/modes/signals.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/datastore/key.hpp"
#include "zcdp/datastore/put.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    DataStoreFlags store;
    datastore::PutOptions put;
    std::string key, source, ttl, progress = "auto";
    std::vector<std::string> sources;  ///< of --src
    bool contents = false;             ///< what Kubetorch's command takes; it is always so
};

constexpr const char* kFooter = R"(
KEY becomes what SRC is:
  zcdp put a/b ./f        the file a/b, whatever f is called
  zcdp put a/b ./d        the directory a/b: d/x is a/b's x; the same with ./d/
  zcdp put a/b/ ./f       the file a/b/f: a KEY that ends in '/' means inside it
  zcdp put a/b -          what standard input gives, as the file a/b
  zcdp put a/b -s x -s y  several go inside a/b: a/b/x and a/b/y

What is put is a new version of KEY: readers see the old one or the new one, never a mix. Only what the store does not
have is sent; a put that was interrupted is gone on with by the next one. When nothing changed, no version is made.
What globs in the file .zcdpignore at SRC's top match is left out, as with --exclude, and nothing else is. Symlinks
that stay inside SRC are kept. Times are not, the executable bit is.

Exit codes: 0 done, 1 failed, 2 usage, 3 refused (a symlink that leaves SRC, a FIFO, a name that is no path), 4 no such
SRC, 5 denied, 6 no space or over a quota, 7 a file changed while it was read, or another wrote KEY since --if-version,
130 interrupted (run it again to go on).)";

/// Every key that is put, with its source.
struct Target {
    std::string key, source;
};

Result<std::vector<Target>> targets_of(const Flags& flags) {
    ZCDP_TRY(datastore::KeyArgument key, datastore::parse_key(flags.key));
    if (key.version > 0)
        return Error(ErrorKind::usage, "names a version, and a put makes a new one", flags.key,
                     "to be sure of what is replaced write --if-version");
    std::vector<std::string> sources = flags.sources;
    if (!flags.source.empty()) sources.push_back(flags.source);
    key.inside = key.inside || sources.size() > 1;
    std::vector<Target> targets;
    std::set<std::string> keys;
    for (const std::string& source : sources) {
        ZCDP_TRY(std::string to, datastore::key_to_put(key, source));
        if (!keys.insert(to).second)
            return Error(ErrorKind::usage, "is what two of the sources would become", to, "give them other names");
        targets.push_back({std::move(to), source});
    }
    return targets;
}

void print_summary(const datastore::PutReport& report) {
    say("{} version {}{}: {} files, {}: {} {} chunks ({}), in {:.1f} s\n", printable(report.key), report.version,
        report.unchanged ? ", unchanged" : "", format_count(report.files), format_size(report.bytes),
        report.dry_run ? "would send" : "sent", format_count(report.chunks_sent), format_size(report.bytes_sent),
        report.seconds);
}

void show(const Context& context, const Flags& flags, const std::vector<datastore::PutReport>& reports) {
    if (!flags.store.json) {
        for (const datastore::PutReport& report : reports) {
            if (!context.flags.quiet) print_summary(report);
            if (!report.dry_run) fmt::print("{}@{}\n", report.key, report.version);
        }
        return;
    }
    std::string keys;
    for (const datastore::PutReport& report : reports) keys += (keys.empty() ? "" : ",") + report.json();
    fmt::print("{}\n", reports.size() == 1 ? keys : "{\"keys\":[" + keys + "]}");
}

int run_put(Context& context, Flags& flags) {
    forbid_core_files();
    raise_open_files();
    const StopOnSignal on_signal;
    Logger log = context.logger();
    const Machine machine = context.machine(log);
    const auto targets = targets_of(flags);
    if (!targets) return report(targets.error(), flags.store.json);
    const auto access = server_access(flags.store, machine);
    if (!access) return report(access.error(), flags.store.json);
    if (!flags.ttl.empty()) flags.put.ttl_s = std::max<uint64_t>(1, *parse_duration_ms(flags.ttl) / 1000);
    flags.put.input = STDIN_FILENO;
    std::vector<datastore::PutReport> reports;
    for (const Target& target : *targets) {
        flags.put.key = target.key, flags.put.source = target.source;
        sync::Progress progress;
        Result<datastore::PutReport> done = Error();
        {
            ProgressView view(progress, shown_progress(flags.progress, context.flags.quiet, flags.store.json),
                              context.clock);
            done = datastore::put(*access, flags.put, machine, progress, on_signal.token());
        }
        if (!done) return report(done.error(), flags.store.json);
        reports.push_back(std::move(*done));
    }
    show(context, flags, reports);
    return 0;
}

/// "" when it is one.
std::string take_version(const std::string& text, std::optional<uint64_t>& version) {
    uint64_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (wrong != std::errc() || end != text.data() + text.size()) return "--if-version: is no version: " + text;
    version = number;
    return "";
}

/// What no single flag can see; "" when all is well.
std::string wrong_together(const Flags& flags) {
    const size_t given = flags.sources.size() + (flags.source.empty() ? 0 : 1);
    if (given == 0) return "SRC is required: a directory, a file, or - for standard input";
    if (!flags.source.empty() && !flags.sources.empty()) return "--src: SRC is given already";
    if (flags.put.if_version && given > 1) return "--if-version: is for one key, and several sources make several";
    return "";
}

}  // namespace

void add_put(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command put = program.add_command("put", "put a directory, a file or standard input under a key of the data store");
    put.footer(kFooter);
    put.add_option("KEY", flags->key, "the key; with a '/' at its end: inside it, under SRC's own name").required();
    put.add_option("SRC", flags->source, "a directory or a file; - is standard input, which is kept in $TMPDIR first");
    put.add_option("-s,--src", flags->sources, "the same as SRC; may be given again").type_name("SRC").one_at_a_time();
    put.add_option("--include", flags->put.include, "only paths that match (*, **, ?, [set]); may be given again")
        .type_name("GLOB")
        .one_at_a_time();
    put.add_option("--exclude", flags->put.exclude, "no paths that match; wins over --include")
        .type_name("GLOB")
        .one_at_a_time();
    put.add_flag("--dry-run", flags->put.dry_run, "only say what would be sent");
    put.add_option(
           "--if-version", [flags](const std::string& text) { return take_version(text, flags->put.if_version); },
           "only when KEY's version is this one; 0: only when there is no KEY")
        .type_name("N");
    put.add_duration("--ttl", flags->ttl, "KEY goes so long after this put (6h, 7d)");
    put.add_flag("-f,--force", flags->put.force, "read every file again, and make a version also when nothing changed");
    put.add_flag("-c,--contents", flags->contents, "is always so: KEY is SRC, not a folder around it");
    add_progress_flag(put, flags->progress);
    add_data_store_flags(put, flags->store);
    put.on_parsed([flags, &action] { action = [flags](Context& context) { return run_put(context, *flags); }; },
                  [flags] { return wrong_together(*flags); });
}

}  // namespace zcdp::modes
