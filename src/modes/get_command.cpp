// zcdp get KEY [DEST]
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "src/modes/data_store_flags.hpp"
#include "src/modes/progress_view.hpp"
#include "src/modes/signals.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/json.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/datastore/get.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    DataStoreFlags store;
    datastore::GetOptions get;
    std::string dest, progress = "auto", lock_timeout = "10s";
    bool force = false, contents = false;  ///< what Kubetorch's command takes; both are always so
};

constexpr const char* kFooter = R"(
DEST becomes what KEY is:
  zcdp get a/b            ./b
  zcdp get a/b d          a/b is a directory: d is one with the same files; what zcdp put there is brought up to date,
                          what it did not put there stays (--delete: what a/b has no more goes)
  zcdp get a/b d/         d/b
  zcdp get a/b d          a/b is a file: d/b where d is a directory, else the file d
  zcdp get a/ d           every key below a: a/b as d/b, a/c/e as d/c/e
  zcdp get a/b@3 d        version 3 of it
  zcdp get a/b - | tar x  onto standard output: a file's bytes, a directory as a tar stream

Every byte is verified. A DEST that does not exist appears whole, by one rename; in an existing one each file is
replaced by rename. Files that are as they were put are not fetched again, and an interrupted run goes on where it was.

Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 no such key or version, 5 denied, 6 no space, 7 the version went
while it was read, 130 interrupted (run it again to go on).)";

std::string json_of(const datastore::GotKey& key) {
    JsonObject out;
    out.add("key", key.key).add("version", key.version).add("kind", datastore::name_of(key.kind));
    out.add("snapshot", key.snapshot).add("path", key.path).add("files", key.files).add("bytes", key.bytes);
    return out.str();
}

std::string json_of(const datastore::GetReport& report) {
    JsonObject out;
    if (report.is_prefix) {
        std::string keys;
        for (const datastore::GotKey& key : report.keys) keys += (keys.empty() ? "" : ",") + json_of(key);
        out.raw("keys", "[" + keys + "]");
    } else {
        const datastore::GotKey& key = report.keys.front();
        out.add("key", key.key).add("version", key.version).add("kind", datastore::name_of(key.kind));
        out.add("snapshot", key.snapshot);
    }
    out.add("path", report.path).add("files", report.files).add("bytes", report.bytes);
    out.add("files_fetched", report.files_fetched).add("bytes_fetched", report.bytes_fetched);
    out.add("removed", report.removed).add("dry_run", report.dry_run).add("seconds", report.seconds);
    return out.str();
}

std::string what_was_got(const datastore::GetReport& report) {
    if (report.is_prefix) return fmt::format("{} keys", format_count(report.keys.size()));
    return fmt::format("{} version {}", printable(report.keys.front().key), report.keys.front().version);
}

void print_summary(const datastore::GetReport& report) {
    say("{}: {} files, {}: {} {} ({}), in {:.1f} s, {} requests{}\n", what_was_got(report), format_count(report.files),
        format_size(report.bytes), report.dry_run ? "would fetch" : "fetched", format_count(report.files_fetched),
        format_size(report.bytes_fetched), report.seconds, format_count(report.requests),
        report.retries > 0 ? fmt::format(", {} retries", report.retries) : "");
    if (report.removed > 0)
        say("{} {} files\n", report.dry_run ? "would remove" : "removed", format_count(report.removed));
}

int show(const Context& context, const Flags& flags, const Result<datastore::GetReport>& done) {
    if (!done) return report(done.error(), flags.store.json);
    if (flags.store.json) {
        fmt::print("{}\n", json_of(*done));
        return 0;
    }
    if (!context.flags.quiet) print_summary(*done);
    if (!done->path.empty() && !done->dry_run) fmt::print("{}\n", done->path);
    return 0;
}

Result<> write_to_stdout(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno_error(errno, "writing", "standard output");
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return {};
}

int run_get(Context& context, Flags& flags) {
    forbid_core_files();
    raise_open_files();
    const StopOnSignal on_signal;
    Logger log = context.logger();
    const Machine machine = context.machine(log);
    const auto access = server_access(flags.store, machine);
    if (!access) return report(access.error(), flags.store.json);
    if (!flags.dest.empty()) flags.get.dest = flags.dest;
    flags.get.lock_timeout_ms = *parse_duration_ms(flags.lock_timeout);
    sync::Progress progress;
    Result<datastore::GetReport> done = Error();
    {
        ProgressView view(progress, shown_progress(flags.progress, context.flags.quiet, flags.store.json),
                          context.clock);
        done = flags.get.dest == "-"
                   ? datastore::get_stream(*access, flags.get, machine, progress, write_to_stdout, on_signal.token())
                   : datastore::get(*access, flags.get, machine, progress, on_signal.token());
    }
    return show(context, flags, done);
}

/// What no single flag can see; "" when all is well.
std::string wrong_together(const Flags& flags) {
    const bool stream = flags.get.dest == "-" || flags.dest == "-";
    if (!flags.get.dest.empty() && !flags.dest.empty()) return "--dest: DEST is given already";
    if (stream && flags.store.json) return "--json: standard output takes the bytes";
    if (stream && (flags.get.delete_extra || flags.get.dry_run)) return "--delete, --dry-run: not onto standard output";
    return "";
}

}  // namespace

void add_get(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command get = program.add_command("get", "get a key of the data store as a file or a directory");
    get.footer(kFooter);
    get.add_option("KEY", flags->get.key, "a key, KEY@VERSION, or PREFIX/ for all keys below it").required();
    get.add_option("DEST", flags->get.dest, "what becomes of it (./LAST-SEGMENT); - is standard output");
    get.add_option("-d,--dest", flags->dest, "the same as DEST").type_name("DEST");
    get.add_option("--include", flags->get.include,
                   "of a directory only paths that match (*, **, ?, [set]); may be given again")
        .type_name("GLOB")
        .one_at_a_time();
    get.add_option("--exclude", flags->get.exclude, "of a directory no paths that match; wins over --include")
        .type_name("GLOB")
        .one_at_a_time();
    get.add_flag("--delete", flags->get.delete_extra,
                 "remove from the directory DEST what zcdp put there and KEY has no more");
    get.add_flag("--dry-run", flags->get.dry_run, "only say what would be fetched and removed");
    get.add_flag("-f,--force", flags->force, "is always so: what differs is replaced");
    get.add_flag("-c,--contents", flags->contents, "is always so: DEST is KEY, not a folder around it");
    add_progress_flag(get, flags->progress);
    get.add_duration("--lock-timeout", flags->lock_timeout, "how long to wait for another run into the same DEST")
        .show_default();
    add_data_store_flags(get, flags->store);
    get.on_parsed([flags, &action] { action = [flags](Context& context) { return run_get(context, *flags); }; },
                  [flags] { return wrong_together(*flags); });
}

}  // namespace zcdp::modes
