// zcdp sync SOURCE [DEST]
#include <fmt/core.h>
#include <unistd.h>

#include "src/modes/context.hpp"
#include "src/modes/kube_flags.hpp"
#include "src/modes/origin_flags.hpp"
#include "src/modes/progress_view.hpp"
#include "src/modes/signals.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/json.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/services/agent_client.hpp"
#include "zcdp/services/prefetch.hpp"
#include "zcdp/store/store.hpp"
#include "zcdp/sync/place.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    sync::SyncOptions sync;
    origin::OriginOptions origin;
    std::string store, as = "auto", bad_keys = "error", progress = "auto", memory = "32MiB", bandwidth, timeout = "60s",
                       lock_timeout = "10s";
    std::string nodes, ns;  ///< of dataset/NAME
    KubeFlags kube;
    bool json = false;
};

constexpr const char* kFooter = R"(
With no DEST the dataset is put into the store and its path is printed; the path is ready when it is printed.
With DEST the same tree also appears there. A DEST that does not exist appears whole, by one rename. In an existing
one each file is replaced by rename, files that zcdp did not put there stay, and an interrupted run goes on where it was.
A second run into the same DEST waits for the first. SOURCE, DEST and store must lie apart.

Examples:
  zcdp sync s3://models/llama-3/                      into the store; prints the path
  zcdp sync s3://models/llama-3/ ./llama              and as a directory of yours
  zcdp sync --no-store s3://data/set/ ./set           once, straight into ./set: for CI jobs
  zcdp sync /mnt/nas/imagenet                         a directory is an origin, too; so is one file
  zcdp sync --follow-symlinks ~/.cache/huggingface/hub/models--org--model/snapshots/REVISION ./model
  zcdp sync --endpoint http://127.0.0.1:9000 --anonymous s3://data/
  zcdp sync dataset/llama-3 -n team-a --nodes gpu-pool=a100    onto nodes of a cluster, before any pod
  zcdp sync s3://models/llama-3/model.bin ./llama     one object: ./llama/model.bin, if no folder has that name
  zcdp sync 's3://models/llama-3/model.bin?versionId=ID' ./llama    one version of it
  zcdp sync gs://models/llama-3/        zcdp sync az://account/container/llama-3/
  zcdp sync https://host/data/SHA256SUMS               the files that it lists, each checked against it
  zcdp sync hf://org/model@v1.0 ./model                a repository in Hugging Face's layout
  zcdp sync --include '*.safetensors' --dry-run s3://models/llama-3/

Credentials for s3://, in this order: --anonymous; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the profile (--profile,
AWS_PROFILE) in ~/.aws/credentials and ~/.aws/config; web identity (AWS_WEB_IDENTITY_TOKEN_FILE); container
credentials (EKS Pod Identity, ECS); the instance's role (IMDSv2). Those of the other kinds are in docs/origins.md.

Exit codes: 0 done, 1 failed, 2 usage, 3 refused input (bad keys, limits), 4 not found, 5 access denied,
6 no space, 7 the source changed, 130 interrupted (run it again to go on).)";

void print_json(const sync::SyncReport& report) {
    JsonObject out;
    out.add("snapshot", report.snapshot).add("revision", report.revision.str()).add("path", report.path);
    out.add("objects", report.objects).add("bytes", report.bytes);
    out.add("objects_fetched", report.objects_fetched).add("bytes_fetched", report.bytes_fetched);
    out.add("objects_reused", report.objects_reused).add("bytes_reused", report.bytes_reused);
    out.add("skipped", report.skipped).add("skipped_keys", report.skipped_keys);
    out.add("removed", report.removed).add("bytes_removed", report.bytes_removed);
    out.add("requests", report.requests).add("retries", report.retries).add("seconds", report.seconds);
    out.add("dry_run", report.dry_run);
    fmt::print("{}\n", out.str());
}

void print_plan(const sync::SyncReport& report) {
    fmt::print("would fetch   {} objects, {}\n", format_count(report.objects_fetched),
               format_size(report.bytes_fetched));
    fmt::print("would reuse   {} objects, {}\n", format_count(report.objects_reused), format_size(report.bytes_reused));
    fmt::print("would remove  {} files, {}\n", format_count(report.removed), format_size(report.bytes_removed));
}

void print_summary(const sync::SyncReport& report) {
    const bool has_rate = report.seconds > 0 && report.bytes_fetched > 0;
    const double rate = has_rate ? static_cast<double>(report.bytes_fetched) / report.seconds : 0;
    say("{} objects, {}: fetched {} ({}), reused {} ({}), in {:.1f} s{}, {} requests{}\n", format_count(report.objects),
        format_size(report.bytes), format_count(report.objects_fetched), format_size(report.bytes_fetched),
        format_count(report.objects_reused), format_size(report.bytes_reused), report.seconds,
        has_rate ? fmt::format(" ({}/s)", format_size(static_cast<uint64_t>(rate))) : "", format_count(report.requests),
        report.retries > 0 ? fmt::format(", {} retries", report.retries) : "");
    if (report.removed > 0)
        say("removed {} files, {}\n", format_count(report.removed), format_size(report.bytes_removed));
    if (report.skipped > 0) {
        say("left out {} keys that are no paths:\n", format_count(report.skipped));
        for (const std::string& key : report.skipped_keys) say("  {}\n", key);
    }
}

int show(Context& context, const Flags& flags, const Result<sync::SyncReport>& done) {
    if (!done) return report(done.error());
    if (flags.json) {
        print_json(*done);
        return 0;
    }
    if (!context.flags.quiet) print_summary(*done);
    if (done->dry_run) print_plan(*done);
    else fmt::print("{}\n", done->path);
    return 0;
}

constexpr std::string_view kDatasetPrefix = "dataset/";
constexpr size_t kCaBundleMost = 4 << 20;

/// zcdp sync dataset/NAME --nodes SELECTOR
int run_prefetch(Context& context, Flags& flags, std::stop_token stop, Logger& log) {
    auto cluster = connect_cluster(context, flags.kube, log);
    if (!cluster) return report(cluster.error());
    services::PrefetchOptions options;
    options.ns = flags.ns.empty() ? cluster->default_namespace : flags.ns;
    options.dataset = flags.sync.source.substr(kDatasetPrefix.size());
    options.node_selector = flags.nodes;
    auto done = services::prefetch(*cluster->api, options, context.lines(), stop);
    return done ? 0 : report(done.error());
}

/// An agent owns the store: it does the work, this shows it.
int run_by_agent(Context& context, Flags& flags, const std::string& socket, std::stop_token stop,
                 const Machine& machine) {
    if (!flags.origin.ca_bundle.empty()) {  // the agent sees other files
        auto file = read_user_file(context.fs, flags.origin.ca_bundle, kCaBundleMost);
        if (!file) return report(system_error(file.error(), "reading", flags.origin.ca_bundle));
        flags.origin.ca_pem = std::move(*file);
        flags.origin.ca_bundle.clear();
    }
    if (flags.origin.profile.empty() && !flags.origin.anonymous) {
        for (const std::string& name : origin::credential_names())
            if (std::string value = machine.environment(name.c_str()); !value.empty())
                flags.origin.credentials[name] = std::move(value);
        if (const std::string path = machine.environment("GOOGLE_APPLICATION_CREDENTIALS"); !path.empty()) {
            auto file = read_user_file(context.fs, path, 1 << 20);
            if (file) flags.origin.credentials["GOOGLE_APPLICATION_CREDENTIALS_JSON"] = std::move(*file);
            else if (flags.sync.source.starts_with("gs://"))
                return report(system_error(file.error(), "reading GOOGLE_APPLICATION_CREDENTIALS", path));
        }
        // A profile that is named is the agent's to find, or to refuse by name.
        if (flags.sync.source.starts_with("s3://") && !flags.origin.credentials.contains("AWS_ACCESS_KEY_ID"))
            for (const char* name : {"AWS_DEFAULT_PROFILE", "AWS_PROFILE"})
                if (flags.origin.profile.empty()) flags.origin.profile = machine.environment(name);
    }
    const bool local = flags.sync.source.find("://") == std::string::npos || flags.sync.source.starts_with("file://");
    const auto factory = origin::make_origin_factory(flags.sync.source, flags.origin, machine);
    if (local && factory && !flags.sync.dest.empty()) {
        auto apart = sync::check_places(flags.sync, store_folder(flags.store), *factory, machine);
        if (!apart && apart.error().kind() == ErrorKind::usage) return report(apart.error());
    }
    sync::Progress progress;
    ProgressView view(progress, shown_progress(flags.progress, context.flags.quiet, flags.json), context.clock);
    services::WithTree into_dest;
    if (!flags.sync.dest.empty() && !flags.sync.dry_run)
        into_dest = [&](sync::SyncReport& report) {
            return sync::place_ready_tree(flags.sync, machine, report, progress, stop);
        };
    auto done = services::sync_by_agent(socket, flags.sync, flags.origin, progress, stop, into_dest);
    // The agent knows nothing of DEST, and its listing is its own.
    if (done && flags.sync.dry_run && flags.sync.delete_extra) {
        const auto counted = factory ? sync::count_removals(flags.sync, *factory, machine, *done, progress, stop)
                                     : Result<>(factory.error());
        if (!counted) done = counted.error();
    }
    return show(context, flags, done);
}

int run_sync(Context& context, Flags& flags) {
    forbid_core_files();
    raise_open_files();
    const StopOnSignal on_signal;
    const std::stop_token stop = on_signal.token();
    Logger log = context.logger();
    if (flags.sync.source.starts_with(kDatasetPrefix)) return run_prefetch(context, flags, stop, log);
    const Machine machine = context.machine(log);
    flags.sync.memory_bytes = *parse_size(flags.memory);
    flags.sync.placement = flags.as == "copy"   ? sync::Placement::copy
                           : flags.as == "link" ? sync::Placement::link
                                                : sync::Placement::automatic;
    flags.sync.skip_bad_keys = flags.bad_keys == "skip";
    if (!flags.bandwidth.empty()) flags.origin.bytes_per_second = *parse_rate(flags.bandwidth);
    flags.origin.timeout_ms = *parse_duration_ms(flags.timeout);
    flags.origin.connections = flags.sync.connections;
    flags.sync.lock_timeout_ms = *parse_duration_ms(flags.lock_timeout);

    if (!flags.sync.no_store)
        if (const auto socket = services::agent_socket(store_folder(flags.store), context.fs))
            return run_by_agent(context, flags, *socket, stop, machine);
    auto factory = origin::make_origin_factory(flags.sync.source, flags.origin, machine);
    if (!factory) return report(factory.error());
    const std::string store_root = flags.sync.no_store ? "" : store_folder(flags.store);
    if (auto apart = sync::check_places(flags.sync, store_root, *factory, machine); !apart)
        return report(apart.error());
    std::unique_ptr<store::Store> store;
    if (!flags.sync.no_store) {
        store::StoreOptions options;
        options.root = store_root;
        options.lock_timeout_ms = flags.sync.lock_timeout_ms;
        options.holder = fmt::format("zcdp sync, pid {}", ::getpid());
        auto opened = store::Store::open(options, context.fs, context.clock, context.random, log, context.metrics);
        if (!opened) return report(opened.error());
        store = std::move(*opened);
        for (const std::string& note : store->recovery_notes()) log.info(note);
    }
    sync::Progress progress;
    Result<sync::SyncReport> done = Error();
    {
        ProgressView view(progress, shown_progress(flags.progress, context.flags.quiet, flags.json), context.clock);
        done = sync::run(flags.sync, store.get(), *factory, machine, progress, stop);
    }
    return show(context, flags, done);
}

/// What no single flag can see; "" when all is well.
std::string wrong_together(const Flags& flags) {
    if (flags.sync.no_store && flags.sync.dest.empty()) return "--no-store: needs a DEST";
    if (flags.sync.delete_extra && flags.sync.dest.empty()) return "--delete: needs a DEST";
    if (*parse_size(flags.memory) < (4 << 20)) return "--memory: at least 4MiB";
    return "";
}

}  // namespace

void add_sync(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command sync = program.add_command("sync", "put a dataset from an origin on this machine's disk, verified, once");
    sync.footer(kFooter);
    sync.add_option("SOURCE", flags->sync.source,
                    "s3://, gs:// or oss://BUCKET[/PREFIX/ or /KEY], az://ACCOUNT/CONTAINER[/PREFIX/ or /KEY], "
                    "https://HOST/PATH, hf://ORG/NAME, file:///PATH or PATH (a directory or a file); or dataset/NAME "
                    "with --nodes")
        .required();
    sync.add_option("DEST", flags->sync.dest, "directory in which the tree appears as well");
    const Option store =
        sync.add_option("--store", flags->store, "the store (ZCDP_STORE; else /var/lib/zcdp for root, ~/.cache/zcdp)")
            .type_name("DIR");
    sync.add_option("--as", flags->as,
                    "how files get to DEST: auto is a reflink where the file system can, else a copy; "
                    "link is a hard link into the store: no space, but the files are read-only, and whoever overrides "
                    "that changes the store")
        .one_of({"auto", "copy", "link"})
        .show_default();
    Option no_store =
        sync.add_flag("--no-store", flags->sync.no_store, "write each byte once, into DEST; keep nothing elsewhere");
    no_store.excludes(store);
    sync.add_flag("--delete", flags->sync.delete_extra,
                  "remove from DEST what zcdp put there and the source has no more");
    sync.add_flag("--dry-run", flags->sync.dry_run, "only say what would be fetched, reused and removed");
    sync.add_option("--include", flags->sync.include, "only paths that match (*, **, ?, [set]); may be given again")
        .type_name("GLOB")
        .one_at_a_time();
    sync.add_option("--exclude", flags->sync.exclude, "no paths that match; wins over --include")
        .type_name("GLOB")
        .one_at_a_time();
    sync.add_option("--bad-keys", flags->bad_keys, "keys that cannot be paths: refuse the sync, or leave them out")
        .one_of({"error", "skip"})
        .show_default();
    add_origin_flags(sync, flags->origin);
    sync.add_flag("--verify-parts", flags->sync.verify_parts,
                  "compare SHA-256 and SHA-1 checksums of parts of any size, too: long files are read back for it");
    sync.add_option("--connections", flags->sync.connections,
                    "reads at once (default: 32, and up to 256 of small objects while that brings more)")
        .range(1, 1024);
    sync.add_size("--memory", flags->memory, "transfer buffers").show_default();
    sync.add_rate("--bandwidth", flags->bandwidth, "at most so many bytes a second");
    sync.add_duration("--timeout", flags->timeout, "for a request to be answered").show_default();
    sync.add_duration("--lock-timeout", flags->lock_timeout,
                      "how long to wait for another writer of the store, or of DEST")
        .show_default();
    sync.add_flag("--json", flags->json, "the result as one JSON object on stdout");
    add_progress_flag(sync, flags->progress);
    sync.add_option("--nodes", flags->nodes,
                    "with dataset/NAME: the nodes, by labels, that fetch it now, before any pod")
        .type_name("LABEL=VALUE,…");
    sync.add_option("-n,--namespace", flags->ns, "with dataset/NAME: its namespace (the context's)").type_name("NAME");
    add_kube_flags(sync, flags->kube);
    sync.on_parsed([flags, &action] { action = [flags](Context& context) { return run_sync(context, *flags); }; },
                   [flags] { return wrong_together(*flags); });
}

}  // namespace zcdp::modes
