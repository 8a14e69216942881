#include "src/services/controller/listing/listings.hpp"

#include <fcntl.h>

#include <stop_token>

#include "src/services/backend/listed_origin.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::services::controller {
namespace {

constexpr unsigned kAtOnce = 4;
constexpr size_t kWriteBytes = 256 << 10, kKeptMost = 2;

/// Entries as lines, a piece at a time.
class ListingWriter {
  public:
    ListingWriter(Fs& fs, int file) : fs_(fs), file_(file) {}
    void add(const origin::Entry& entry) {
        buffer_ += api::listing_line(backend::to_listing(entry));
        ++count_;
        if (buffer_.size() >= kWriteBytes) flush();
    }
    Result<> finish() {
        buffer_ += api::listing_end(count_);
        flush();
        if (failed_) return system_error(failed_, "writing", "the listing");
        return {};
    }

  private:
    void flush() {
        if (auto put = fs_.write(file_, std::as_bytes(std::span(buffer_)), offset_); !put && !failed_)
            failed_ = put.error();
        offset_ += buffer_.size();
        buffer_.clear();
    }
    Fs& fs_;
    const int file_;
    std::string buffer_;
    uint64_t offset_ = 0, count_ = 0;
    boost::system::error_code failed_;
};

class OriginLister final : public Lister {
  public:
    OriginLister(kube::Api& api, Machine machine, backend::AccessRules rules, std::string scratch,
                 std::function<void(const api::DatasetKey&)> changed)
        : api_(api),
          machine_(machine),
          rules_(std::move(rules)),
          scratch_(std::move(scratch)),
          changed_(std::move(changed)) {}
    ~OriginLister() override {
        {
            const MutexLock lock(mutex_);
            ending_ = true;
            for (auto& [uid, one] : listings_) one.stop.request_stop();
        }
        free_.notify_all();
        for (auto& [uid, one] : listings_)
            if (one.thread.joinable()) one.thread.join();
    }

    void start(const api::Dataset& dataset, const ResolvedSource& source) override {
        const MutexLock lock(mutex_);
        Running& one = listings_[dataset.metadata.uid];
        if (one.outcome.running || ending_ || !source.backend) return;
        if (one.thread.joinable()) one.thread.join();  // ended: its last act was to say so
        one.outcome.running = true;
        one.stop = std::stop_source();
        one.thread = std::thread([this, dataset, source, stop = one.stop.get_token()] { run(dataset, source, stop); });
    }

    ListingOutcome outcome(const std::string& dataset_uid) const override {
        const MutexLock lock(mutex_);
        const auto at = listings_.find(dataset_uid);
        return at == listings_.end() ? ListingOutcome() : at->second.outcome;
    }

    void forget(const std::string& dataset_uid) override {
        std::thread thread;
        {
            const MutexLock lock(mutex_);
            kept_.erase(dataset_uid);
            const auto at = listings_.find(dataset_uid);
            if (at == listings_.end()) return;
            at->second.stop.request_stop();
            if (at->second.outcome.running) return;  // it goes with the next one
            thread = std::move(at->second.thread);
            listings_.erase(at);
        }
        if (thread.joinable()) thread.join();
    }

    void forget_outcomes() override {
        const MutexLock lock(mutex_);
        for (auto& [uid, one] : listings_)
            if (!one.outcome.running) one.outcome = {};
    }

    Result<std::shared_ptr<Fd>> listing(const api::Dataset& dataset, const ResolvedSource& source,
                                        const Revision& revision) override {
        if (auto file = kept(dataset.metadata.uid, revision)) return file;
        if (!source.backend) return Error(ErrorKind::not_found, source.message);
        const MutexLock one_at_a_time(again_);
        if (auto file = kept(dataset.metadata.uid, revision)) return file;  // somebody else asked for it, too
        ZCDP_TRY(const auto summary, list(dataset, source, {}));
        machine_.log.info("listed again for an agent", {{"dataset", dataset.metadata.key()}});
        auto file = kept(dataset.metadata.uid, revision);
        if (!file)
            return Error(ErrorKind::not_found,
                         "the source has revision " + summary.revision.str().substr(0, 12) + " by now");
        return file;
    }

  private:
    struct Kept {
        Revision revision;
        std::shared_ptr<Fd> file;
    };
    std::shared_ptr<Fd> kept(const std::string& uid, const Revision& revision) const {
        const MutexLock lock(mutex_);
        const auto at = kept_.find(uid);
        if (at == kept_.end()) return nullptr;
        for (const Kept& one : at->second)
            if (one.revision == revision) return one.file;
        return nullptr;
    }
    /// While one revision takes over from another, nodes ask for both.
    void keep(const std::string& uid, Kept fresh) {
        const MutexLock lock(mutex_);
        std::vector<Kept>& all = kept_[uid];
        std::erase_if(all, [&](const Kept& one) { return one.revision == fresh.revision; });
        all.insert(all.begin(), std::move(fresh));
        if (all.size() > kKeptMost) all.resize(kKeptMost);
    }
    struct Running {
        ListingOutcome outcome;
        std::stop_source stop{std::nostopstate};
        std::thread thread;
    };

    /// Lists into a file without a name, and keeps that as the newest of its dataset.
    Result<sync::ListingSummary> list(const api::Dataset& dataset, const ResolvedSource& source,
                                      const std::stop_token& stop) {
        auto made = machine_.fs.open(AT_FDCWD, scratch_.c_str(), O_TMPFILE | O_RDWR, 0600);
        if (!made) return system_error(made.error(), "making a file in", scratch_);
        auto file = std::make_shared<Fd>(std::move(*made));
        ListingWriter writer(machine_.fs, file->get());
        ZCDP_TRY(auto summary, list_into(source, stop, writer));
        ZCDP_CHECK(writer.finish());
        keep(dataset.metadata.uid, {summary.revision, std::move(file)});
        return summary;
    }
    Result<sync::ListingSummary> list_into(const ResolvedSource& source, const std::stop_token& stop,
                                           ListingWriter& writer) {
        ZCDP_TRY(const backend::BackendAccess access,
                 backend::backend_access(api_, *source.backend, source.prefix, rules_));
        ZCDP_TRY(const auto factory, origin::make_origin_factory(access.source, access.options, machine_));
        sync::SyncOptions options;
        options.source = access.source;
        options.include = source.include, options.exclude = source.exclude;
        sync::Progress progress;
        return sync::list_source(options, factory, machine_, scratch_, progress, stop,
                                 [&writer](const origin::Entry& entry) -> Result<> {
                                     writer.add(entry);
                                     return {};
                                 });
    }

    void run(const api::Dataset& dataset, const ResolvedSource& source, const std::stop_token& stop) {
        {
            const MutexLock lock(mutex_);
            while (running_ >= kAtOnce && !ending_) free_.wait(mutex_);
            ++running_;
        }
        Result<sync::ListingSummary> done = Error(ErrorKind::failed, "internal error");
        try {
            done = list(dataset, source, stop);
        } catch (const std::exception& error) {
            done = Error(ErrorKind::failed, std::string("internal error: ") + error.what());
        }
        {
            const MutexLock lock(mutex_);
            --running_;
            ListingOutcome& outcome = listings_[dataset.metadata.uid].outcome;
            outcome = {};
            outcome.source = source_key(source);
            outcome.ended_unix_s = machine_.clock.unix_s();
            if (done) outcome.revision = done->revision, outcome.objects = done->objects, outcome.bytes = done->bytes;
            else outcome.error = done.error();
            machine_.log.info(done ? "listed" : "a listing failed",
                              {{"dataset", dataset.metadata.key()}, {"error", done ? "" : done.error().line()}});
        }
        free_.notify_one();
        changed_(api::dataset_key(dataset));
    }

    kube::Api& api_;
    Machine machine_;
    const backend::AccessRules rules_;
    const std::string scratch_;
    const std::function<void(const api::DatasetKey&)> changed_;
    Mutex again_;  ///< of whoever lists again for an agent. Held over that
    mutable Mutex mutex_;
    ConditionVariable free_;
    std::map<std::string, std::vector<Kept>> kept_ ZCDP_GUARDED_BY(mutex_);  ///< by the dataset's uid, newest first
    std::map<std::string, Running> listings_ ZCDP_GUARDED_BY(mutex_);
    unsigned running_ ZCDP_GUARDED_BY(mutex_) = 0;
    bool ending_ ZCDP_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<Lister> make_lister(kube::Api& api, Machine machine, backend::AccessRules rules,
                                    std::string scratch_folder, std::function<void(const api::DatasetKey&)> changed) {
    return std::make_unique<OriginLister>(api, machine, std::move(rules), std::move(scratch_folder),
                                          std::move(changed));
}

}  // namespace zcdp::services::controller
