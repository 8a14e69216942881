#include "zcdp/datastore/get.hpp"

#include <fcntl.h>

#include <filesystem>
#include <utility>

#include "src/datastore/client/get_file.hpp"
#include "src/datastore/client/on_a_loop.hpp"
#include "src/datastore/client/questions.hpp"
#include "src/datastore/client/store_origin.hpp"
#include "src/datastore/client/stream.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

DestKind kind_of(Fs& fs, const std::string& path) {
    const auto there = fs.open_following(AT_FDCWD, path.c_str(), O_PATH);
    if (!there) return DestKind::absent;
    const auto seen = fs.stat_fd(there->get());
    return seen && S_ISDIR(seen->st_mode) ? DestKind::directory : DestKind::file;
}

/// Where manifests lie meanwhile: the system's folder for such things, or else the one around DEST.
std::string scratch_folder(const std::string& dest, Machine machine) {
    const std::string folder = machine.environment("TMPDIR");
    for (const std::string& one : {folder, std::string("/tmp")})
        if (!one.empty() && open_scratch(machine.fs, one, machine.random)) return one;
    std::error_code wrong;
    std::filesystem::path around = std::filesystem::absolute(dest.empty() ? "." : dest, wrong);
    while (around.has_relative_path() && kind_of(machine.fs, around.string()) != DestKind::directory)
        around = around.parent_path();
    return around.string();
}

Task<Result<>> pin(Client& client, Source& source) { return source.pin(client); }

Task<Result<>> expect_keys_below(Client& client, std::string prefix) {
    ZCDP_CO_TRY(const ItemPage page, co_await ask_page(client, prefix, false, ""));
    if (!page.items.empty()) co_return Result<>();
    co_return Error(ErrorKind::not_found, "no key lies below it", prefix + "/",
                    prefix.empty() ? "" : "without the slash at the end it is the key " + prefix);
}

class Get {
  public:
    Get(const ServerAccess& access, const GetOptions& options, Machine machine, sync::Progress& progress,
        std::stop_token stop)
        : access_(access), options_(options), machine_(machine), progress_(progress), stop_(std::move(stop)) {}
    Result<GetReport> into_dest();
    Result<GetReport> onto_stream(const ByteSink& take);

  private:
    Result<> begin(const std::string& scratch);
    bool is_file() const { return !source_->is_prefix() && source_->parts().begin()->second.kind == KeyKind::file; }
    Result<std::string> path_of_dest() const;
    sync::SyncOptions sync_options() const;
    GetReport report_of(const sync::SyncReport& done) const;
    std::string path_of(const std::string& at, const std::string& path) const;

    const ServerAccess& access_;
    const GetOptions& options_;
    Machine machine_;
    sync::Progress& progress_;
    const std::stop_token stop_;
    std::shared_ptr<Source> source_;
};

Result<> Get::begin(const std::string& scratch) {
    ZCDP_TRY(const KeyArgument key, parse_key(options_.key));
    source_ = key.inside ? Source::of_prefix(key.key, scratch, machine_)
                         : Source::of_key(key.key, key.version, scratch, machine_);
    return ask_on_a_loop<void>(access_, machine_, stop_, [&](Client& client) {
        return key.inside ? expect_keys_below(client, key.key) : pin(client, *source_);
    });
}

/// All below a prefix goes into DEST itself.
Result<std::string> Get::path_of_dest() const {
    if (source_->is_prefix() && !options_.dest.empty()) return options_.dest;
    if (source_->name().empty())
        return Error(ErrorKind::usage, "all keys go into a directory that has to be named", "", "give DEST");
    return path_to_get(source_->name(), is_file(), options_.dest, kind_of(machine_.fs, options_.dest));
}

sync::SyncOptions Get::sync_options() const {
    sync::SyncOptions sync;
    sync.source = source_->name() + (source_->is_prefix() ? "/" : "");
    sync.no_store = true;
    sync.dry_run = options_.dry_run, sync.lock_timeout_ms = options_.lock_timeout_ms;
    if (is_file()) return sync;
    sync.delete_extra = options_.delete_extra;
    sync.include = options_.include, sync.exclude = options_.exclude;
    return sync;
}

Result<GetReport> Get::into_dest() {
    ZCDP_CHECK(begin(scratch_folder(options_.dest, machine_)));
    ZCDP_TRY(const std::string path, path_of_dest());
    sync::SyncOptions sync = sync_options();
    if (is_file()) {
        ZCDP_TRY(const auto done, get_file(source_, access_, path, std::move(sync), machine_, progress_, stop_));
        return report_of(done);
    }
    sync.dest = path;
    ZCDP_TRY(const auto done, sync::run(sync, nullptr, make_store_origin_factory(source_, access_, machine_), machine_,
                                        progress_, stop_));
    return report_of(done);
}

Result<GetReport> Get::onto_stream(const ByteSink& take) {
    ZCDP_CHECK(begin(scratch_folder("", machine_)));
    const bool bare = is_file();
    const sync::Filter filter(bare ? std::vector<std::string>() : options_.include,
                              bare ? std::vector<std::string>() : options_.exclude);
    sync::SyncReport done;
    ZCDP_TRY(const Streamed streamed, stream_source(source_, access_, filter, bare, machine_, progress_, take, stop_));
    done.objects = done.objects_fetched = streamed.files, done.bytes = done.bytes_fetched = streamed.bytes;
    return report_of(done);
}

std::string Get::path_of(const std::string& at, const std::string& path) const {
    return path.empty() || at.empty() || is_file() ? path : path + "/" + at;
}

GetReport Get::report_of(const sync::SyncReport& done) const {
    GetReport report;
    report.is_prefix = source_->is_prefix(), report.path = done.path;
    for (const auto& [at, part] : source_->parts())
        report.keys.push_back(
            {part.key, part.version, part.kind, part.snapshot, path_of(at, done.path), part.files, part.bytes});
    report.files = done.objects, report.bytes = done.bytes;
    report.files_fetched = done.objects_fetched, report.bytes_fetched = done.bytes_fetched;
    report.removed = done.removed, report.dry_run = done.dry_run;
    report.requests = done.requests, report.retries = done.retries;
    return report;
}

Result<GetReport> timed(Result<GetReport> report, Machine machine, int64_t started_ns) {
    if (report) report->seconds = static_cast<double>(machine.clock.monotonic_ns() - started_ns) / 1e9;
    return report;
}

}  // namespace

Result<GetReport> get(const ServerAccess& access, const GetOptions& options, Machine machine, sync::Progress& progress,
                      std::stop_token stop) {
    const int64_t started_ns = machine.clock.monotonic_ns();
    return timed(Get(access, options, machine, progress, std::move(stop)).into_dest(), machine, started_ns);
}

Result<GetReport> get_stream(const ServerAccess& access, const GetOptions& options, Machine machine,
                             sync::Progress& progress, const ByteSink& take, std::stop_token stop) {
    const int64_t started_ns = machine.clock.monotonic_ns();
    return timed(Get(access, options, machine, progress, std::move(stop)).onto_stream(take), machine, started_ns);
}

}  // namespace zcdp::datastore
