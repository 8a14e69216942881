// Bytes on their way into the CAS: staged in partial/, then made visible in batches by the recipe of docs/design.md
// section 4: contents durable -> rename -> folders durable -> one index transaction.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <unordered_set>

#include "src/store/core.hpp"
#include "src/store/partial_file.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::store {
namespace {

constexpr unsigned kSyncFoldersOneByOne = 16;  ///< beyond it one syncfs is cheaper where it may be used
constexpr size_t kHeldOpenMax = 4096;          ///< staged files kept open until the barrier

class IncomingFiles final : public Incoming {
  public:
    IncomingFiles(Core& core, std::shared_ptr<HoldOnStore> hold)
        : core_(core),
          hold_(std::move(hold)),
          name_prefix_("in-" + core.random.hex(24)),
          held_open_max_(core.barrier == BarrierKind::syncfs ? 0
                                                             : std::min(core.fs.open_files_max() / 4, kHeldOpenMax)) {}
    ~IncomingFiles() override;

    Result<> stage(const BlobRef& blob, std::span<const std::byte> content) override;
    Result<std::unique_ptr<PartialFile>> open_partial(const PartialKey& key, uint64_t size_bytes) override {
        return PartialFileOnDisk::open(core_, hold_, key, size_bytes);
    }
    Result<> stage_partial(std::unique_ptr<PartialFile> file, const BlobRef& blob) override;
    Result<> commit() override { return commit_with(nullptr, {}); }
    Result<> commit(const TagScope& scope, std::span<const TagRow> tags) override { return commit_with(&scope, tags); }
    uint64_t staged_files() const override;
    uint64_t staged_bytes() const override;

  private:
    struct Staged {
        BlobRef blob;
        std::string name;  ///< below partial/
        std::vector<Sha256Bytes> chunks;
        bool large = false;
        Fd file;  ///< open until the barrier, if few enough are
    };
    Result<> commit_with(const TagScope* scope, std::span<const TagRow> tags);
    bool already(const BlobRef& blob);
    Result<> fill(int fd, const BlobRef& blob, const std::string& name, std::span<const std::byte> content);
    Result<> seal(int fd, const BlobRef& blob, const std::string& name);
    Result<> barrier(std::vector<Staged>& batch);
    Result<> make_durable(Staged& staged);
    Result<> into_cas(const Staged& staged, std::set<std::string>& folders);
    Result<> sync_folders(const std::set<std::string>& folders);
    Result<> record(const std::vector<Staged>& batch, const TagScope* scope, std::span<const TagRow> tags);
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& name) const {
        return core_.error(code, action, "partial/" + name);
    }

    Core& core_;
    const std::shared_ptr<HoldOnStore> hold_;
    const std::string name_prefix_;
    const size_t held_open_max_;
    std::atomic<uint64_t> names_made_{0};
    mutable Mutex mutex_;
    std::vector<Staged> staged_ ZCDP_GUARDED_BY(mutex_);
    size_t held_open_ ZCDP_GUARDED_BY(mutex_) = 0;                   ///< of staged_
    std::unordered_set<std::string> names_ ZCDP_GUARDED_BY(mutex_);  ///< of blobs staged or being committed
    uint64_t bytes_ ZCDP_GUARDED_BY(mutex_) = 0;
};

/// What was staged and never committed is nobody's. Partial files stay: they are resumed.
IncomingFiles::~IncomingFiles() {
    const MutexLock lock(mutex_);
    for (const Staged& staged : staged_)
        if (!staged.large && !staged.name.empty()) (void)core_.fs.unlink(core_.partial.get(), staged.name.c_str());
}

/// Whether the blob is in the CAS, or somebody stages it; else it is the caller's to stage. Kept from here on.
bool IncomingFiles::already(const BlobRef& blob) {
    hold_->keep_blob(blob.digest);
    {
        const MutexLock lock(mutex_);
        if (!names_.insert(blob_name(blob.digest, blob.executable)).second) return true;
    }
    if (!blob_on_disk(core_, blob)) return false;
    // On disk is verified: nothing gets there otherwise. The index may have lost it; commit() writes it down again.
    const MutexLock lock(mutex_);
    names_.erase(blob_name(blob.digest, blob.executable));
    return true;
}

/// The mode and the time that every blob has.
Result<> IncomingFiles::seal(int fd, const BlobRef& blob, const std::string& name) {
    if (auto mode = core_.fs.chmod_fd(fd, blob_mode(blob.executable)); !mode)
        return error(mode.error(), "setting the mode of", name);
    if (auto times = core_.fs.set_times(fd, kFixedMtime); !times)
        return error(times.error(), "setting the times of", name);
    return {};
}

Result<> IncomingFiles::fill(int fd, const BlobRef& blob, const std::string& name, std::span<const std::byte> content) {
    if (auto put = core_.fs.write(fd, content, 0); !put) return error(put.error(), "writing", name);
    return seal(fd, blob, name);
}

Result<> IncomingFiles::stage(const BlobRef& blob, std::span<const std::byte> content) {
    hold_->spend(blob.size_bytes + kBytesPerFile);
    if (already(blob)) {
        const MutexLock lock(mutex_);
        staged_.push_back({blob, "", {}, false, {}});
        return {};
    }
    std::string name = fmt::format("{}-{:x}", name_prefix_, names_made_.fetch_add(1, std::memory_order_relaxed));
    auto file = core_.fs.open(core_.partial.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!file) return error(file.error(), "making", name);
    if (Result<> done = fill(file->get(), blob, name, content); !done) {
        (void)core_.fs.unlink(core_.partial.get(), name.c_str());
        const MutexLock lock(mutex_);
        names_.erase(blob_name(blob.digest, blob.executable));
        return done;
    }
    // Written back in one go at the barrier, the requests reach the device in a row, which costs it one wake-up, not
    // one each.
    const MutexLock lock(mutex_);
    if (held_open_ < held_open_max_) {
        ++held_open_;
    } else {
        if (core_.barrier != BarrierKind::syncfs) (void)core_.fs.start_writeback(file->get());
        file->reset();
    }
    staged_.push_back({blob, std::move(name), {}, false, std::move(*file)});
    bytes_ += blob.size_bytes;
    return {};
}

Result<> IncomingFiles::stage_partial(std::unique_ptr<PartialFile> file, const BlobRef& blob) {
    auto& partial = static_cast<PartialFileOnDisk&>(*file);
    std::vector<Sha256Bytes> chunks = partial.chunks();
    if (chunks.size() == 1) chunks.clear();
    if (already(blob)) {
        ZCDP_CHECK(partial.discard());
        const MutexLock lock(mutex_);
        staged_.push_back({blob, "", std::move(chunks), true, {}});
        return {};
    }
    auto fd = core_.fs.open(core_.partial.get(), partial.name().c_str(), O_RDONLY);
    if (!fd) return error(fd.error(), "opening", partial.name());
    ZCDP_CHECK(seal(fd->get(), blob, partial.name()));
    const MutexLock lock(mutex_);
    staged_.push_back({blob, partial.name(), std::move(chunks), true, {}});
    bytes_ += blob.size_bytes;
    return {};
}

/// The data of one staged file, waited for; with BarrierKind::each its metadata as well.
Result<> IncomingFiles::make_durable(Staged& staged) {
    Fd file = std::move(staged.file);
    if (!file) {
        auto opened = core_.fs.open(core_.partial.get(), staged.name.c_str(), O_RDONLY);
        if (!opened) return error(opened.error(), "opening", staged.name);
        file = std::move(*opened);
    }
    const bool each = core_.barrier == BarrierKind::each;
    if (auto synced = each ? core_.fs.fsync(file.get()) : core_.fs.wait_writeback(file.get()); !synced)
        return error(synced.error(), "making durable", staged.name);
    return {};
}

/// After it, what the batch's files hold survives power loss.
Result<> IncomingFiles::barrier(std::vector<Staged>& batch) {
    if (faults::broken("barrier")) return {};
    if (core_.barrier == BarrierKind::syncfs) return commit_all(core_);
    for (const Staged& staged : batch)
        if (staged.file) (void)core_.fs.start_writeback(staged.file.get());
    for (Staged& staged : batch)
        if (!staged.name.empty()) ZCDP_CHECK(make_durable(staged));
    return core_.barrier == BarrierKind::each ? Result<>() : commit_all(core_);
}

Result<> IncomingFiles::into_cas(const Staged& staged, std::set<std::string>& folders) {
    const std::string target = blob_name(staged.blob.digest, staged.blob.executable);
    auto moved = core_.fs.rename_new(core_.partial.get(), staged.name.c_str(), core_.cas.get(), target.c_str());
    if (!moved && moved.error().value() == ENOENT) {
        ZCDP_CHECK(make_blob_folder(core_, staged.blob.digest));
        folders.insert(target.substr(0, target.find('/')));
        moved = core_.fs.rename_new(core_.partial.get(), staged.name.c_str(), core_.cas.get(), target.c_str());
    }
    if (!moved && moved.error().value() == EEXIST) {
        // A file of the right size was put there meanwhile; one of another size is what a crash or a bad disk left.
        if (blob_on_disk(core_, staged.blob)) {
            (void)core_.fs.unlink(core_.partial.get(), staged.name.c_str());
            moved = SysResult<>();
        } else {
            ZCDP_CHECK(put_into_quarantine(core_, core_.cas.get(), target, "has the wrong size"));
            moved = core_.fs.rename_new(core_.partial.get(), staged.name.c_str(), core_.cas.get(), target.c_str());
        }
    }
    if (!moved) return error(moved.error(), "renaming into the store", staged.name);
    folders.insert(target.substr(0, target.rfind('/')));
    if (staged.large) (void)core_.fs.unlink(core_.partial.get(), (staged.name + ".map").c_str());
    return {};
}

Result<> IncomingFiles::sync_folders(const std::set<std::string>& folders) {
    if (folders.empty()) return {};
    const bool journal = core_.barrier == BarrierKind::journal;
    if (journal || (core_.barrier == BarrierKind::syncfs && folders.size() > kSyncFoldersOneByOne))
        return commit_all(core_);
    for (const std::string& folder : folders) {
        auto fd = core_.fs.open(core_.cas.get(), folder.c_str(), O_RDONLY | O_DIRECTORY);
        if (!fd) return core_.error(fd.error(), "opening", "cas/" + folder);
        if (auto synced = core_.fs.fsync(fd->get()); !synced)
            return core_.error(synced.error(), "making durable", "cas/" + folder);
    }
    return {};
}

Result<> IncomingFiles::record(const std::vector<Staged>& batch, const TagScope* scope, std::span<const TagRow> tags) {
    const MutexLock lock(core_.mutex);
    ZCDP_TRY(auto transaction, core_.index->transaction());
    for (const Staged& staged : batch)
        ZCDP_CHECK(core_.index->put_blob(staged.blob.digest, staged.blob.size_bytes, staged.chunks));
    if (scope) {
        ZCDP_TRY(const int64_t origin, core_.index->origin_id(*scope));
        for (const TagRow& row : tags) ZCDP_CHECK(core_.index->put_tag(origin, row));
    }
    return transaction.commit();
}

/// `scope` is null when no origin has a part in it.
Result<> IncomingFiles::commit_with(const TagScope* scope, std::span<const TagRow> tags) {
    std::vector<Staged> batch;
    {
        const MutexLock lock(mutex_);
        batch.swap(staged_);
        bytes_ = 0, held_open_ = 0;
    }
    ZCDP_CHECK(barrier(batch));
    std::set<std::string> folders;
    for (const Staged& staged : batch)
        if (!staged.name.empty()) ZCDP_CHECK(into_cas(staged, folders));
    ZCDP_CHECK(sync_folders(folders));
    ZCDP_CHECK(record(batch, scope, tags));
    const MutexLock lock(mutex_);
    for (const Staged& staged : batch)
        if (!staged.name.empty()) names_.erase(blob_name(staged.blob.digest, staged.blob.executable));
    return {};
}

uint64_t IncomingFiles::staged_files() const {
    const MutexLock lock(mutex_);
    return staged_.size();
}

uint64_t IncomingFiles::staged_bytes() const {
    const MutexLock lock(mutex_);
    return bytes_;
}

}  // namespace

std::unique_ptr<Incoming> make_incoming(Core& core, std::shared_ptr<HoldOnStore> hold) {
    return std::make_unique<IncomingFiles>(core, std::move(hold));
}

}  // namespace zcdp::store
