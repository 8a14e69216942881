#include "src/datastore/client/gatherer.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>

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
        for (const auto& one : files)
            if (one) one->become(error);
        --gatherer_.asking_;
        gatherer_.choose_next();
    }
    std::vector<std::shared_ptr<Wanted>> files;  ///< null once it has come
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

Task<Result<>> Gatherer::ask_for(Batch& batch) {
    std::vector<BatchWish> wishes;
    for (const auto& one : batch.files) wishes.push_back({one->path, one->size_bytes});
    const BatchKnown known = [&batch](size_t index, Result<BatchFile> outcome) {
        std::exchange(batch.files[index], nullptr)->become(std::move(outcome));
    };
    co_return co_await ask_batch(*client_, door_, std::move(wishes), known, machine_);
}

}  // namespace zcdp::datastore
