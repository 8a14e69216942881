// zcdp verify DIR --against SOURCE
#include <fmt/core.h>
#include <sys/stat.h>

#include "src/modes/context.hpp"
#include "src/modes/json.hpp"
#include "src/modes/origin_flags.hpp"
#include "src/modes/signals.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/sync/compare.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    sync::CompareOptions compare;
    origin::OriginOptions origin;
    std::string source;
    bool no_read = false, json = false;
};

constexpr const char* kFooter = R"(
Each file is hashed and compared with the checksum that SOURCE states for it: a line of SHA256SUMS, LFS's SHA-256, S3's,
Google's or Azure's. Where there is none its bytes are fetched and compared. Nothing is written. Differences are printed,
a line each: what, and which path.

Examples:
  zcdp verify ./data --against https://host/data/SHA256SUMS
  zcdp verify ./llama --against s3://models/llama-3/
  zcdp verify --one-way /mnt/set --against ./set         files that only /mnt/set has do not count

Exit codes: 0 all equal, 1 there are differences, 2 usage, 4 not found, 5 access denied, 7 the source changed meanwhile.)";

void print_json(const sync::CompareReport& report, const std::vector<std::string>& lines) {
    JsonObject out;
    out.add("files", report.files).add("bytes", report.bytes).add("by_checksum", report.by_checksum).add("by_reading", report.by_reading);
    out.add("differences", report.differences).add("found", lines).add("seconds", report.seconds);
    fmt::print("{}\n", out.str());
}

int run_verify(Context& context, Flags& flags) {
    sync::Stop stop{false};
    StopOnSignal on_signal(stop);
    Logger log = context.logger();
    const origin::Machine machine = context.machine(log);
    flags.compare.read = !flags.no_read;
    if (struct stat found {}; ::stat(flags.compare.folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode))
        return report(Error(ErrorKind::not_found, "is no directory", flags.compare.folder));
    auto factory = origin::make_origin_factory(flags.source, flags.origin, machine);
    if (!factory) return report(factory.error());
    std::vector<std::string> lines;
    const auto found = [&](const sync::Difference& difference) {
        std::string line = fmt::format("{} {}: {}", sync::name_of(difference.kind), printable(difference.path), printable(difference.what));
        if (flags.json) lines.push_back(std::move(line));
        else fmt::print("{}\n", line);
    };
    auto done = sync::compare(flags.compare, *factory, machine, found, stop);
    if (!done) return report(std::move(done).error().about(origin::shown_source(flags.source)));
    if (flags.json) print_json(*done, lines);
    else if (!context.flags.quiet)
        fmt::print(stderr, "{} files, {}: {} by checksum, {} by reading; {} differences, in {:.1f} s\n", format_count(done->files), format_size(done->bytes),
                   format_count(done->by_checksum), format_count(done->by_reading), format_count(done->differences), done->seconds);
    return done->differences == 0 ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
    auto flags = std::make_shared<Flags>();
    CLI::App& verify = *app.add_subcommand("verify", "compare a directory with a source, byte for byte");
    verify.footer(kFooter);
    verify.add_option("DIR", flags->compare.folder, "what is on disk")->required();
    verify.add_option("--against", flags->source, "what it should be: any SOURCE of zcdp sync")->required()->type_name("SOURCE");
    verify.add_flag("--one-way", flags->compare.one_way, "files that only DIR has are no difference");
    verify.add_flag("--no-read", flags->no_read, "fetch no bytes: files without a checksum at the source count as unknown");
    verify.add_option("--include", flags->compare.include, "only paths that match (*, **, ?, [set]); may be given again")->type_name("GLOB")->allow_extra_args(false);
    verify.add_option("--exclude", flags->compare.exclude, "no paths that match; wins over --include")->type_name("GLOB")->allow_extra_args(false);
    add_origin_flags(verify, flags->origin);
    verify.add_flag("--json", flags->json, "the result as one JSON object on stdout");
    verify.callback([flags, &action] { action = [flags](Context& context) { return run_verify(context, *flags); }; });
}

}  // namespace zcdp::modes
