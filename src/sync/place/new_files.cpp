// A window of batches is under way. One task forms them in the list's order and adds them to DEST in that order; each
// is read by a task of its own, and hashed and written on a pool.
#include "src/sync/place/new_files.hpp"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <deque>
#include <thread>

#include "zcdp/base/scratch.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kWindow = 6;
constexpr size_t kBatchFiles = 512, kBatchBytes = 2 << 20, kBatchPathBytes = 256 << 10;
constexpr unsigned kThreadsMost = 4;
constexpr int kReadsOfDamaged = 3;

struct File {
    DestRecord record;
    Dest::Slot slot;
    Fd fd;
};

struct Batch {
    std::vector<File> files;
    std::vector<origin::ReadSpec> specs;
    bool is_done = false;
    Result<> outcome;
};

class NewFilesRun {
  public:
    NewFilesRun(const Listed& missing, Dest& dest, Fd rest, Machine machine, Progress& progress)
        : dest_(dest),
          machine_(machine),
          progress_(progress),
          missing_(missing.list.read(machine.fs)),
          rest_file_(std::move(rest)),
          rest_(machine.fs, rest_file_.get()),
          pool_(std::clamp(std::thread::hardware_concurrency(), 1u, kThreadsMost)),
          wake_(loop_.executor()) {
        left_.identity = missing.identity, left_.revision = missing.revision;
        left_.files = missing.files, left_.bytes = missing.bytes;
        progress.phase = Phase::fetching;
        progress.objects_total = missing.files, progress.bytes_total = missing.bytes;
    }
    Result<Listed> run(const origin::OriginFactory& factory, const std::stop_token& stop);

  private:
    Task<> place_all();
    Task<Result<>> place_batches();
    Result<std::shared_ptr<Batch>> form();
    Result<> add_next(Batch& batch, uint64_t& bytes, uint64_t& path_bytes);
    Task<> bring(std::shared_ptr<Batch> batch);
    Task<Result<>> read_and_write(Batch& batch);
    Result<> write(Batch& batch, const origin::ManyFiles& contents);
    Result<> write_one(File& file, std::span<const std::byte> content);
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& path) const {
        return store::target_error(code, action, dest_.path() + "/" + path);
    }
    Result<bool> add(Batch& batch);
    Task<> until_done(const Batch& batch);

    Dest& dest_;
    Machine machine_;
    Progress& progress_;
    SpoolReader missing_;
    bool list_ended_ = false;
    Fd rest_file_;
    SpoolWriter rest_;
    Listed left_;

    transfer::Loop loop_;
    asio::thread_pool pool_;
    std::unique_ptr<origin::Origin> origin_;
    asio::steady_timer wake_;
    std::stop_source ending_;
    std::deque<std::shared_ptr<Batch>> window_;
    Result<> outcome_ = Error(ErrorKind::interrupted, "stopped", "", "run the same command again to go on");
};

Result<Listed> NewFilesRun::run(const origin::OriginFactory& factory, const std::stop_token& stop) {
    ZCDP_TRY(origin_, factory(loop_.executor()));
    loop_.spawn(place_all());
    const std::stop_callback on_stop(stop, [this] { ending_.request_stop(); });
    loop_.run(ending_.get_token());
    ZCDP_CHECK(std::move(outcome_));
    ZCDP_CHECK(rest_.finish());
    left_.list = EntryList{std::move(rest_file_), rest_.count()};
    progress_.objects_done = 0, progress_.bytes_done = 0;  // what is fetched as ever is counted from here
    return std::move(left_);
}

Task<> NewFilesRun::place_all() {
    outcome_ = co_await place_batches();
    ending_.request_stop();
}

Task<Result<>> NewFilesRun::place_batches() {
    while (true) {
        while (window_.size() < kWindow && !list_ended_) {
            ZCDP_CO_TRY(auto batch, form());
            if (batch->files.empty()) continue;
            window_.push_back(batch);
            loop_.spawn(bring(std::move(batch)));
        }
        if (window_.empty()) co_return Result<>();
        const auto batch = window_.front();
        co_await until_done(*batch);
        ZCDP_CO_CHECK(std::move(batch->outcome));
        ZCDP_CO_TRY(const bool is_time, add(*batch));
        window_.pop_front();
        if (is_time) ZCDP_CO_CHECK(co_await offload(pool_, [this] { return dest_.settle(); }));
    }
}

/// The next files of the list that are short and new.
Result<std::shared_ptr<Batch>> NewFilesRun::form() {
    auto batch = std::make_shared<Batch>();
    uint64_t bytes = 0, path_bytes = 0;
    while (!list_ended_ && batch->files.size() < kBatchFiles && bytes < kBatchBytes && path_bytes < kBatchPathBytes)
        ZCDP_CHECK(add_next(*batch, bytes, path_bytes));
    return batch;
}

Result<> NewFilesRun::add_next(Batch& batch, uint64_t& bytes, uint64_t& path_bytes) {
    SpoolEntry record;
    ZCDP_TRY(const bool more, missing_.next(record));
    if (!more) {
        list_ended_ = true;
        return {};
    }
    origin::Entry& entry = record.entry;
    if (entry.size_bytes > origin_->many_bytes_most()) return rest_.add(record);
    const auto digest = Digest::parse(entry.tag.str());
    if (!digest) return rest_.add(record);
    ZCDP_TRY(auto slot, dest_.new_slot(entry.path));
    if (!slot) return rest_.add(record);
    bytes += entry.size_bytes, path_bytes += entry.path.size();
    batch.specs.push_back({entry.path, entry.tag, entry.size_bytes, 0, entry.size_bytes});
    File& file = batch.files.emplace_back();
    file.slot = std::move(*slot);
    file.record.entry.path = std::move(entry.path), file.record.entry.size_bytes = entry.size_bytes;
    file.record.entry.executable = entry.executable, file.record.entry.digest = *digest;
    file.record.tag = std::move(entry.tag);
    return {};
}

Task<> NewFilesRun::bring(std::shared_ptr<Batch> batch) {
    batch->outcome = co_await read_and_write(*batch);
    batch->is_done = true;
    wake_.cancel();
}

Task<Result<>> NewFilesRun::read_and_write(Batch& batch) {
    for (int reads = 1;; ++reads) {
        ZCDP_CO_TRY(const auto contents, co_await origin_->read_many(batch.specs));
        auto written = co_await offload(pool_, [&] { return write(batch, contents); });
        if (written || written.error().kind() != ErrorKind::corrupt || reads == kReadsOfDamaged) co_return written;
        machine_.log.warn("damaged on its way, reading it again", {{"object", written.error().object()}});
    }
}

/// On the pool. Nothing is written before all of them are what they should be.
Result<> NewFilesRun::write(Batch& batch, const origin::ManyFiles& contents) {
    const std::vector<Sha256Bytes> sums = hash_each(contents.files);
    for (size_t i = 0; i < batch.files.size(); ++i)
        if (batch.files[i].record.entry.digest != Digest{DigestKind::sha256, sums[i]})
            return Error(ErrorKind::corrupt, "the bytes received do not have the digest that the origin states",
                         batch.files[i].record.entry.path);
    for (size_t i = 0; i < batch.files.size(); ++i) ZCDP_CHECK(write_one(batch.files[i], contents.files[i]));
    return {};
}

Result<> NewFilesRun::write_one(File& file, std::span<const std::byte> content) {
    const std::string& path = file.record.entry.path;
    auto made = machine_.fs.open(dest_.temporary_folder(), file.slot.temporary.c_str(), O_RDWR | O_CREAT | O_EXCL,
                                 file.record.entry.executable ? 0777 : 0666);
    if (!made) return error(made.error(), "making", path);
    file.fd = std::move(*made);
    if (auto put = machine_.fs.write(file.fd.get(), content, 0); !put) return error(put.error(), "writing", path);
    const auto st = machine_.fs.stat_fd(file.fd.get());
    if (!st) return error(st.error(), "looking at", path);
    file.record.mtime_ns = int64_t{st->st_mtim.tv_sec} * 1'000'000'000 + st->st_mtim.tv_nsec;
    file.record.inode = st->st_ino;
    return {};
}

/// Whether it is time to settle.
Result<bool> NewFilesRun::add(Batch& batch) {
    bool is_time = false;
    for (File& file : batch.files) {
        const uint64_t bytes = file.record.entry.size_bytes;
        ZCDP_TRY(is_time, dest_.add_new(std::move(file.record), std::move(file.slot), std::move(file.fd)));
        --left_.files, left_.bytes -= bytes;
        ++progress_.objects_done, progress_.bytes_done += bytes;
    }
    return is_time;
}

Task<> NewFilesRun::until_done(const Batch& batch) {
    while (!batch.is_done) {
        wake_.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code woken;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
}

}  // namespace

Result<Listed> place_new_files(const Listed& missing, Dest& dest, const origin::OriginFactory& factory,
                               const std::string& scratch_folder, Machine machine, Progress& progress,
                               const std::stop_token& stop) {
    ZCDP_TRY(Fd rest, open_scratch(machine.fs, scratch_folder, machine.random));
    return NewFilesRun(missing, dest, std::move(rest), machine, progress).run(factory, stop);
}

}  // namespace zcdp::sync
