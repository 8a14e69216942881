// zcdp verify DIR|FILE --against SOURCE
#include <fmt/core.h>
#include <sys/stat.h>

#include <filesystem>

#include "src/modes/context.hpp"
#include "src/modes/origin_flags.hpp"
#include "src/modes/signals.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/json.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/sync/compare.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    sync::CompareOptions compare;
    origin::OriginOptions origin;
    std::string what, source;
    bool no_read = false, json = false;
};

constexpr const char* kFooter = R"(
Each file is hashed and compared with the checksum that SOURCE states for it: a line of SHA256SUMS, LFS's SHA-256, S3's,
Google's or Azure's. Where there is none its bytes are fetched and compared. Nothing is written. Differences are printed,
a line each: what, and which path. A file is compared with the one file that SOURCE has, whatever its name.

Examples:
  zcdp verify ./data --against https://host/data/SHA256SUMS
  zcdp verify ./llama --against s3://models/llama-3/
  zcdp verify --one-way /mnt/set --against ./set         files that only /mnt/set has do not count
  zcdp verify model.bin --against s3://models/llama-3/ --include /model.bin

Exit codes: 0 all equal, 1 there are differences, 2 usage, 4 not found, 5 access denied, 7 the source changed meanwhile.)";

void print_json(const sync::CompareReport& report, const std::vector<std::string>& lines) {
    JsonObject out;
    out.add("files", report.files)
        .add("bytes", report.bytes)
        .add("by_checksum", report.by_checksum)
        .add("by_reading", report.by_reading);
    out.add("differences", report.differences).add("found", lines).add("seconds", report.seconds);
    fmt::print("{}\n", out.str());
}

/// A file is found by its own name, where links lead.
Result<> find(const std::string& what, sync::CompareOptions& compare) {
    struct stat found{};
    const bool there = ::stat(what.c_str(), &found) == 0;
    compare.folder = what;
    if (there && S_ISDIR(found.st_mode)) return {};
    if (!there || !S_ISREG(found.st_mode))
        return Error(ErrorKind::not_found, "is neither a directory nor a file", what);
    std::error_code code;
    const auto file = std::filesystem::canonical(what, code);
    if (code) return errno_error(code.value(), "looking at", what);
    compare.folder = file.parent_path().string(), compare.file = file.filename().string();
    return {};
}

int run_verify(Context& context, Flags& flags) {
    const StopOnSignal on_signal;
    Logger log = context.logger();
    const Machine machine = context.machine(log);
    flags.compare.read = !flags.no_read;
    if (auto there = find(flags.what, flags.compare); !there) return report(there.error());
    auto factory = origin::make_origin_factory(flags.source, flags.origin, machine);
    if (!factory) return report(factory.error());
    std::vector<std::string> lines;
    const auto found = [&](const sync::Difference& difference) {
        std::string line = fmt::format("{} {}: {}", sync::name_of(difference.kind), printable(difference.path),
                                       printable(difference.what));
        if (flags.json) lines.push_back(std::move(line));
        else fmt::print("{}\n", line);
    };
    auto done = sync::compare(flags.compare, *factory, machine, found, on_signal.token());
    if (!done) return report(std::move(done).error().about(origin::shown_source(flags.source)));
    if (flags.json) print_json(*done, lines);
    else if (!context.flags.quiet)
        say("{} files, {}: {} by checksum, {} by reading; {} differences, in {:.1f} s\n", format_count(done->files),
            format_size(done->bytes), format_count(done->by_checksum), format_count(done->by_reading),
            format_count(done->differences), done->seconds);
    return done->differences == 0 ? 0 : 1;
}

}  // namespace

void add_verify(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command verify = program.add_command("verify", "compare a directory or a file with a source, byte for byte");
    verify.footer(kFooter);
    verify.add_option("PATH", flags->what, "what is on disk: a directory or a file").required();
    verify.add_option("--against", flags->source, "what it should be: any SOURCE of zcdp sync")
        .required()
        .type_name("SOURCE");
    verify.add_flag("--one-way", flags->compare.one_way, "files that only the directory has are no difference");
    verify.add_flag("--no-read", flags->no_read,
                    "fetch no bytes: files without a checksum at the source count as unknown");
    verify
        .add_option("--include", flags->compare.include, "only paths that match (*, **, ?, [set]); may be given again")
        .type_name("GLOB")
        .one_at_a_time();
    verify.add_option("--exclude", flags->compare.exclude, "no paths that match; wins over --include")
        .type_name("GLOB")
        .one_at_a_time();
    add_origin_flags(verify, flags->origin);
    verify.add_flag("--json", flags->json, "the result as one JSON object on stdout");
    verify.on_parsed([flags, &action] { action = [flags](Context& context) { return run_verify(context, *flags); }; });
}

}  // namespace zcdp::modes
