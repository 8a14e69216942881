// The steps of a put: list, hash what is not known, send what is missing, commit.
#include "zcdp/datastore/put.hpp"

#include "src/datastore/client/put_upload.hpp"
#include "zcdp/base/json.hpp"

namespace zcdp::datastore {
namespace {

class Put {
  public:
    Put(const ServerAccess& access, const PutOptions& options, Machine machine, sync::Progress& progress,
        std::stop_token stop)
        : access_(access),
          options_(options),
          machine_(machine),
          progress_(progress),
          stop_(std::move(stop)),
          scratch_(scratch_folder(machine)) {}

    Result<PutReport> run() {
        ZCDP_TRY(const PutSource source, open());
        bool changed = false;
        auto report = attempt(source, changed);
        // A file changed between its hashing and its sending. All others are remembered.
        if (!report && changed) report = attempt(source, changed);
        if (report || !changed) return report;
        return std::move(report).error().advise("put it when nobody writes into it, or leave it out with --exclude");
    }

  private:
    Result<PutSource> open() const {
        if (options_.source == "-") return spool_input(options_.input, scratch_, machine_, progress_, stop_);
        return PutSource::open(options_.source, machine_);
    }
    Result<PutReport> attempt(const PutSource& source, bool& changed) {
        ZCDP_TRY(const Prepared prepared, prepare_all(source));
        const auto make = [this](asio::any_io_executor executor) { return make_client(executor, access_, machine_); };
        ZCDP_TRY(const Uploaded uploaded, run_upload(make, access_.connections, options_, source, prepared, machine_,
                                                     progress_, changed, stop_));
        PutReport report;
        report.key = options_.key;
        report.snapshot = prepared.snapshot.str();
        report.kind = source.is_file() ? KeyKind::file : KeyKind::tree;
        report.version = uploaded.version;
        report.files = prepared.totals.files, report.bytes = prepared.totals.bytes;
        report.bytes_sent = uploaded.bytes_sent, report.chunks_sent = uploaded.chunks_sent;
        report.unchanged = uploaded.unchanged;
        report.dry_run = options_.dry_run;
        return report;
    }
    Result<Prepared> prepare_all(const PutSource& source) {
        const int64_t began_ns = machine_.clock.unix_ns();
        DigestCache cache = source.cache_name().empty()
                                ? DigestCache::none(machine_)
                                : DigestCache::open(machine_, source.cache_name(), source.device(), options_.force);
        ZCDP_TRY(PutList list, source.list({options_.include, options_.exclude}, cache, scratch_, progress_, stop_));
        FileHasher hasher(source, machine_, options_.threads, began_ns, progress_, stop_);
        ZCDP_TRY(Prepared prepared,
                 prepare(source, std::move(list), options_.key, hasher, scratch_, machine_, progress_));
        cache.save(prepared.list);
        return prepared;
    }

    const ServerAccess& access_;
    const PutOptions& options_;
    Machine machine_;
    sync::Progress& progress_;
    const std::stop_token stop_;
    const std::string scratch_;
};

}  // namespace

std::string PutReport::json() const {
    JsonObject out;
    out.add("key", key).add("version", version).add("kind", name_of(kind)).add("snapshot", snapshot);
    out.add("files", files).add("bytes", bytes);
    out.add("bytes_sent", bytes_sent).add("chunks_sent", chunks_sent);
    out.add("unchanged", unchanged).add("dry_run", dry_run).add("seconds", seconds);
    return out.str();
}

Result<PutReport> put(const ServerAccess& access, const PutOptions& options, Machine machine, sync::Progress& progress,
                      std::stop_token stop) {
    const int64_t began_ns = machine.clock.monotonic_ns();
    ZCDP_TRY(PutReport report, Put(access, options, machine, progress, std::move(stop)).run());
    progress.phase = sync::Phase::done;
    report.seconds = static_cast<double>(machine.clock.monotonic_ns() - began_ns) / 1e9;
    return report;
}

}  // namespace zcdp::datastore
