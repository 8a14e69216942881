#include "src/datastore/client/gatherer.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>

#include "src/datastore/client/again.hpp"
#include "zcdp/origin/metrics.hpp"

namespace zcdp::datastore {
namespace {

/// While one answer is read, the server makes the next.
constexpr unsigned kRequestsMost = 2;
constexpr size_t kBatchFiles = 512, kBatchBytes = 2 << 20, kBatchPathBytes = 256 << 10;

}  // namespace

/// A file that somebody waits for.
struct Gatherer::Wanted {
    Wanted(asio::any_io_executor executor, std::string of, uint64_t bytes)
        : path(std::move(of)), size_bytes(bytes), wake(executor, asio::steady_timer::time_point::max()) {}
    void become(Result<BatchFile> outcome) {
        result.emplace(std::move(outcome));
        wake.cancel();
    }
    const std::string path;
    const uint64_t size_bytes;
    asio::steady_timer wake;
    std::optional<Result<BatchFile>> result;
    bool asks = false;  ///< it is the one that asks next
};

/// A reader's place in the queue. A reader that is cancelled leaves it, and lets another ask.
class Gatherer::Place {
  public:
    Place(Gatherer& gatherer, std::shared_ptr<Wanted> wanted) : gatherer_(gatherer), wanted_(std::move(wanted)) {
        ++gatherer_.readers_;
        gatherer_.waiting_.push_back(wanted_);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        --gatherer_.readers_;
        std::erase(gatherer_.waiting_, wanted_);
        if (!wanted_->asks) return;
        --gatherer_.asking_;
        gatherer_.gathering_ = false;
        gatherer_.choose_next();
    }

  private:
    Gatherer& gatherer_;
    std::shared_ptr<Wanted> wanted_;
};

/// The files of one request. What has not come when it ends, for whatever reason, ends with its error.
class Gatherer::Batch {
  public:
    explicit Batch(Gatherer& gatherer) : gatherer_(gatherer) {}
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() {
        for (const auto& one : files) one->become(error);
        --gatherer_.asking_;
        gatherer_.choose_next();
    }
    std::deque<std::shared_ptr<Wanted>> files;  ///< that have not come
    Error error{ErrorKind::interrupted, "stopped"};

  private:
    Gatherer& gatherer_;
};

/// Who has waited longest asks next, when a request more may be under way.
void Gatherer::choose_next() {
    if (gathering_ || asking_ >= kRequestsMost || waiting_.empty()) return;
    gathering_ = true;
    ++asking_;
    waiting_.front()->asks = true;
    waiting_.front()->wake.cancel();
}

Task<Result<BatchFile>> Gatherer::read(std::string path, uint64_t size_bytes) {
    const auto wanted = std::make_shared<Wanted>(executor_, std::move(path), size_bytes);
    const Place place(*this, wanted);
    choose_next();
    // Those who come in the same turn of the loop join.
    if (wanted->asks) co_await asio::post(executor_, asio::use_awaitable);
    while (!wanted->result) {
        if (wanted->asks) {
            wanted->asks = false;
            Batch batch(*this);
            take(batch);
            if (auto asked = co_await ask_for(batch); !asked) batch.error = std::move(asked).error();
        } else {
            boost::system::error_code woken;
            co_await wanted->wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }
    }
    co_return std::move(*wanted->result);
}

/// From the front of the queue on, and that is who asks.
void Gatherer::take(Batch& batch) {
    gathering_ = false;
    size_t bytes = 0, path_bytes = 0;
    while (!waiting_.empty() && batch.files.size() < kBatchFiles) {
        const Wanted& next = *waiting_.front();
        bytes += next.size_bytes, path_bytes += next.path.size() + 1;
        if (!batch.files.empty() && (bytes > kBatchBytes || path_bytes > kBatchPathBytes)) break;
        batch.files.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    choose_next();
}

/// Until all have come. What breaks off is asked for again, without what has come.
Task<Result<>> Gatherer::ask_for(Batch& batch) {
    for (uint32_t attempt = 1; !batch.files.empty(); ++attempt) {
        net::Request request;
        request.method = "POST", request.target = target_, request.silence_ms = kReadSilenceMs;
        for (const auto& one : batch.files) request.body.append(one->path).append("\n");
        machine_.metrics.counter(origin::metric::requests).add();
        ZCDP_CO_TRY(const auto answer, co_await client_->send(std::move(request), /*may_repeat=*/true));
        const auto received = co_await receive(batch, *answer);
        if (received) continue;
        const bool again = co_await pause_before_again(machine_, received.error(), attempt);
        if (!again) co_return received;
    }
    co_return Result<>();
}

Task<Result<>> Gatherer::receive(Batch& batch, net::Response& answer) {
    std::vector<uint64_t> sizes;
    for (const auto& one : batch.files) sizes.push_back(one->size_bytes);
    BatchAnswer files(std::move(sizes));
    for (size_t handed_out = 0; !files.is_whole();) {
        ZCDP_CO_TRY(const size_t got, co_await answer.read_some(files.room()));
        if (got == 0) co_return Error(ErrorKind::unreachable, "the answer ended early", batch.files.front()->path);
        auto fits = files.came(got);
        for (; handed_out < files.known(); ++handed_out) {
            const auto wanted = std::move(batch.files.front());
            batch.files.pop_front();
            if (const auto file = files.file(handed_out)) wanted->become(*file);
            else wanted->become(Error(ErrorKind::not_found, "is not there", wanted->path));
        }
        if (!fits) co_return std::move(fits).error().about(batch.files.front()->path);
    }
    // Where no length is stated, the end has to be read for the connection to be of use again.
    std::byte end[1];
    if (!answer.body_bytes()) (void)co_await answer.read_some(end);
    co_return Result<>();
}

}  // namespace zcdp::datastore
