#include "src/services/controller/listings.hpp"

#include <condition_variable>

#include "zcdp/sync/sync.hpp"

namespace zcdp::services {
namespace {

constexpr unsigned kAtOnce = 4;

class OriginLister final : public Lister {
  public:
    OriginLister(kube::Api& api, origin::Machine machine, AccessRules rules, std::string scratch, std::function<void(const std::string&)> changed)
        : api_(api), machine_(machine), rules_(std::move(rules)), scratch_(std::move(scratch)), changed_(std::move(changed)) {}
    ~OriginLister() override {
        {
            const std::scoped_lock lock(mutex_);
            ending_ = true;
            for (auto& [uid, one] : listings_) *one.stop = true;
        }
        free_.notify_all();
        for (auto& [uid, one] : listings_)
            if (one.thread.joinable()) one.thread.join();
    }

    void start(const api::Dataset& dataset, const ResolvedSource& source) override {
        const std::scoped_lock lock(mutex_);
        Running& one = listings_[dataset.metadata.uid];
        if (one.outcome.running || ending_ || !source.backend) return;
        if (one.thread.joinable()) one.thread.join();  // ended: its last act was to say so
        one.outcome.running = true;
        one.stop = std::make_shared<sync::Stop>(false);
        one.thread = std::thread([this, dataset, source, stop = one.stop] { run(dataset, source, *stop); });
    }

    ListingOutcome outcome(const std::string& dataset_uid) const override {
        const std::scoped_lock lock(mutex_);
        const auto at = listings_.find(dataset_uid);
        return at == listings_.end() ? ListingOutcome() : at->second.outcome;
    }

    void forget(const std::string& dataset_uid) override {
        std::unique_lock lock(mutex_);
        const auto at = listings_.find(dataset_uid);
        if (at == listings_.end()) return;
        *at->second.stop = true;
        if (at->second.outcome.running) return;  // it goes with the next one
        std::thread thread = std::move(at->second.thread);
        listings_.erase(at);
        lock.unlock();
        if (thread.joinable()) thread.join();
    }

    void forget_outcomes() override {
        const std::scoped_lock lock(mutex_);
        for (auto& [uid, one] : listings_)
            if (!one.outcome.running) one.outcome = {};
    }

  private:
    struct Running {
        ListingOutcome outcome;
        std::shared_ptr<sync::Stop> stop = std::make_shared<sync::Stop>(false);
        std::thread thread;
    };

    Result<sync::ListingSummary> list(const api::Dataset& dataset, const ResolvedSource& source, sync::Stop& stop) {
        ZCDP_TRY(const BackendAccess access, backend_access(api_, *source.backend, source.prefix, rules_));
        ZCDP_TRY(const auto factory, origin::make_origin_factory(access.source, access.options, machine_));
        sync::SyncOptions options;
        options.source = access.source;
        options.include = dataset.spec.source.include, options.exclude = dataset.spec.source.exclude;
        sync::Progress progress;
        return sync::list_source(options, factory, machine_, scratch_, progress, stop, {});
    }

    void run(const api::Dataset& dataset, const ResolvedSource& source, sync::Stop& stop) {
        {
            std::unique_lock lock(mutex_);
            free_.wait(lock, [this] { return running_ < kAtOnce || ending_; });
            ++running_;
        }
        Result<sync::ListingSummary> done = Error(ErrorKind::failed, "internal error");
        try {
            done = list(dataset, source, stop);
        } catch (const std::exception& error) {
            done = Error(ErrorKind::failed, std::string("internal error: ") + error.what());
        }
        {
            const std::scoped_lock lock(mutex_);
            --running_;
            ListingOutcome& outcome = listings_[dataset.metadata.uid].outcome;
            outcome = {};
            outcome.source = source_key(dataset, source);
            outcome.ended_unix_s = machine_.clock.unix_s();
            if (done) outcome.revision = done->revision, outcome.objects = done->objects, outcome.bytes = done->bytes;
            else outcome.error = done.error();
            machine_.log.info(done ? "listed" : "a listing failed", {{"dataset", dataset.metadata.key()}, {"why", done ? "" : done.error().line()}});
        }
        free_.notify_one();
        changed_(dataset.metadata.key());
    }

    kube::Api& api_;
    origin::Machine machine_;
    const AccessRules rules_;
    const std::string scratch_;
    const std::function<void(const std::string&)> changed_;
    mutable std::mutex mutex_;
    std::condition_variable free_;
    std::map<std::string, Running> listings_;
    unsigned running_ = 0;
    bool ending_ = false;
};

}  // namespace

std::unique_ptr<Lister> make_lister(kube::Api& api, origin::Machine machine, AccessRules rules, std::string scratch_folder,
                                    std::function<void(const std::string&)> changed) {
    return std::make_unique<OriginLister>(api, machine, std::move(rules), std::move(scratch_folder), std::move(changed));
}

}  // namespace zcdp::services
