#include "src/services/agent/transfers.hpp"

#include <malloc.h>

#include <algorithm>

#include "src/services/metrics.hpp"

namespace zcdp::services::agent {
namespace {

MetricLabels labels_of(const api::NodeDataset& wanted) {
    return {{"namespace", wanted.spec.dataset.namespace_},
            {"dataset", wanted.spec.dataset.name},
            {"backend", wanted.spec.source.backend}};
}

}  // namespace

Transfers::Transfers(Parts parts, Resolve resolve, MakeOrigin make_origin, unsigned at_once,
                     std::function<void(const std::string&)> changed)
    : parts_(parts),
      resolve_(std::move(resolve)),
      make_origin_(std::move(make_origin)),
      at_once_(at_once),
      changed_(std::move(changed)) {}

Transfers::~Transfers() {
    {
        const MutexLock lock(mutex_);
        for (auto& [name, transfer] : transfers_) transfer.stop.request_stop();
    }
    for (auto& [name, transfer] : transfers_)
        if (transfer.thread.joinable()) transfer.thread.join();
}

void Transfers::ensure(const api::NodeDataset& wanted) {
    const std::string& name = wanted.metadata.name;
    const MutexLock lock(mutex_);
    Transfer& transfer = transfers_[name];
    const bool elsewhere =
        transfer.wanted.spec.source != wanted.spec.source;  // than where it failed: that pause is over
    transfer.wanted = wanted;
    TransferView& view = transfer.view;
    if (view.phase == TransferPhase::running || view.phase == TransferPhase::ready) return;
    const int64_t now_ns = parts_.machine.clock.monotonic_ns();
    if (view.phase == TransferPhase::failed && now_ns < transfer.retry_at_ns && !elsewhere) return;
    if (running_ >= at_once_) {
        view.phase = TransferPhase::waiting;
        return;
    }
    if (transfer.thread.joinable()) transfer.thread.join();  // it has ended: its last act was to say so
    ++running_;
    view.phase = TransferPhase::running;
    ++view.attempts;
    if (view.started_unix_s == 0) view.started_unix_s = parts_.machine.clock.unix_s();
    transfer.progress = std::make_unique<sync::Progress>();
    transfer.stop = std::stop_source();
    transfer.thread = std::thread([this, name, wanted, progress = transfer.progress.get(),
                                   stop = transfer.stop.get_token()] { run(name, wanted, *progress, stop); });
}

void Transfers::adopt(const std::string& name, const std::string& snapshot, uint64_t size_bytes) {
    const MutexLock lock(mutex_);
    Transfer& transfer = transfers_[name];
    if (transfer.view.phase == TransferPhase::running) return;
    transfer.view.phase = TransferPhase::ready;
    transfer.view.snapshot = snapshot;
    transfer.view.size_bytes = size_bytes;
    ++changes_;
    change_.notify_all();
}

std::string Transfers::forget(const std::string& name) {
    std::thread thread;
    {
        const MutexLock lock(mutex_);
        const auto at = transfers_.find(name);
        if (at == transfers_.end()) return "";
        at->second.stop.request_stop();
        thread = std::move(at->second.thread);
    }
    if (thread.joinable()) thread.join();
    const MutexLock lock(mutex_);
    const auto forgotten = transfers_.extract(name);
    return forgotten && forgotten.mapped().view.phase == TransferPhase::ready ? forgotten.mapped().view.snapshot : "";
}

std::optional<TransferView> Transfers::view(const std::string& name) const {
    const MutexLock lock(mutex_);
    const auto at = transfers_.find(name);
    if (at == transfers_.end()) return std::nullopt;
    TransferView out = at->second.view;
    if (at->second.progress) out.swarm = at->second.progress->swarm();
    if (const auto& progress = at->second.progress; progress && out.phase == TransferPhase::running) {
        out.bytes_total = progress->bytes_total, out.bytes_done = progress->bytes_done;
        out.objects_total = progress->objects_total;
        out.reused_bytes = progress->bytes_reused;
        out.peer_bytes += progress->bytes_received;
        const int64_t seconds = parts_.machine.clock.unix_s() - out.started_unix_s;
        if (seconds > 0) out.bytes_per_second = static_cast<double>(out.bytes_done) / static_cast<double>(seconds);
    }
    if (out.phase == TransferPhase::failed)
        out.retry_in_ms =
            std::max<int64_t>(0, (at->second.retry_at_ns - parts_.machine.clock.monotonic_ns()) / 1'000'000);
    return out;
}

uint64_t Transfers::changes() const {
    const MutexLock lock(mutex_);
    return changes_;
}

void Transfers::wait_for_change(uint64_t seen, uint64_t ms) {
    const MutexLock lock(mutex_);
    change_.wait_for(mutex_, std::chrono::milliseconds(ms),
                     [this, seen]() ZCDP_REQUIRES(mutex_) { return changes_ != seen; });
}

size_t Transfers::active() const {
    const MutexLock lock(mutex_);
    return running_;
}

Result<sync::SyncReport> Transfers::attempt(const api::NodeDataset& wanted, sync::Progress& progress,
                                            std::stop_token stop) {
    ZCDP_TRY(const backend::BackendAccess access, resolve_(wanted));
    Metrics labelled(parts_.metrics, labels_of(wanted));
    const Machine& all = parts_.machine;
    const Machine machine{all.fs, all.clock, all.random, labelled, all.log, all.environment};
    ZCDP_TRY(const auto factory, make_origin_(wanted, access, machine));
    sync::SyncOptions options;
    options.source = access.source;
    options.include = wanted.spec.source.include, options.exclude = wanted.spec.source.exclude;
    options.expected_revision = wanted.spec.revision;
    options.connections = access.options.connections;
    const std::optional<sync::Peers> peers = parts_.peers_of ? parts_.peers_of(wanted) : std::nullopt;
    if (peers) options.peers = &*peers;
    return sync::run(options, &parts_.store, factory, machine, progress, std::move(stop));
}

void Transfers::run(std::string name, api::NodeDataset wanted, sync::Progress& progress, std::stop_token stop) {
    const int64_t began_ns = parts_.machine.clock.monotonic_ns();
    Result<sync::SyncReport> done = Error(ErrorKind::failed, "internal error");
    try {
        done = attempt(wanted, progress, std::move(stop));
    } catch (const std::exception& error) {
        done = Error(ErrorKind::failed, std::string("internal error: ") + error.what());
    }
    finish(name, std::move(done), static_cast<double>(parts_.machine.clock.monotonic_ns() - began_ns) / 1e9);
}

void Transfers::finish(const std::string& name, Result<sync::SyncReport> done, double seconds) {
    const Clock& clock = parts_.machine.clock;
    {
        const MutexLock lock(mutex_);
        --running_;
        Transfer& transfer = transfers_.at(name);  // forget() waits for this thread before it erases
        Metrics(parts_.metrics, {{"direction", "received"}})
            .counter(metric::peer_bytes)
            .add(transfer.progress->bytes_received);
        TransferView& view = transfer.view;
        if (done) {
            view.phase = TransferPhase::ready;
            view.snapshot = done->snapshot;
            view.size_bytes = done->bytes, view.origin_bytes += done->bytes_fetched;
            view.peer_bytes += done->bytes_received, view.reused_bytes = done->bytes_reused;
            view.bytes_total = view.bytes_done = transfer.progress->bytes_total;
            const uint64_t moved = done->bytes_fetched + done->bytes_received;
            view.bytes_per_second = seconds > 0 ? static_cast<double>(moved) / seconds : 0;
            view.finished_unix_s = clock.unix_s();
            view.error.reset();
            parts_.metrics.histogram(metric::sync_seconds).observe_ns(static_cast<int64_t>(seconds * 1e9));
            Metrics(parts_.metrics, labels_of(transfer.wanted)).counter(metric::reused_bytes).add(done->bytes_reused);
            parts_.log.info("ready", {{"nodedataset", name},
                                      {"snapshot", done->snapshot},
                                      {"fetched", done->bytes_fetched},
                                      {"received", done->bytes_received},
                                      {"reused", done->bytes_reused}});
        } else {
            view.phase = TransferPhase::failed;
            const uint64_t received = transfer.progress->bytes_received, all = transfer.progress->bytes_done;
            view.peer_bytes += received, view.origin_bytes += all - std::min(received, all);
            view.error = done.error();
            view.error_unix_s = clock.unix_s();
            transfer.retry_at_ns =
                clock.monotonic_ns() + static_cast<int64_t>(transfer.backoff.next(parts_.machine.random)) * 1'000'000;
            Metrics(parts_.metrics, labels_of(transfer.wanted)).counter(metric::sync_failures).add();
            parts_.log.warn(
                "a sync failed",
                {{"nodedataset", name}, {"error", done.error().line()}, {"attempt", static_cast<int>(view.attempts)}});
        }
        ++changes_;
        change_.notify_all();
    }
    ::malloc_trim(0);  // an agent is small while it rests
    changed_(name);
}

}  // namespace zcdp::services::agent
