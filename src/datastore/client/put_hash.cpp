#include "src/datastore/client/put_hash.hpp"

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "zcdp/base/guarded.hpp"
#include "zcdp/origin/local.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kPieceBytes = 256 << 10;  ///< of each chunk at a time
constexpr unsigned kThreadsMost = 4;
constexpr size_t kLanesMost = 16;
constexpr uint64_t kFileBytesMost = uint64_t{16} << 40;  ///< two million chunks: what one record can hold

/// A file that is being hashed: by as many threads as it has chunks under way.
struct FileWork {
    explicit FileWork(PutEntry& of) : entry(of), chunks(chunk_count(of.entry.size_bytes)), left(chunks.size()) {}
    PutEntry& entry;
    std::vector<Sha256Bytes> chunks;
    std::atomic<uint64_t> left;         ///< chunks that are not through
    std::atomic<bool> is_over = false;  ///< it changed, or an error is known: no further chunk of it counts
    std::once_flag opened;
    std::shared_ptr<const Fd> file;
    struct stat before = {};

    void change() { is_over = true; }
    void fail(Error error) {
        const MutexLock lock(mutex);
        if (error.kind() != ErrorKind::source_changed) failed = std::move(error);
        is_over = true;
    }
    /// Once all is through: whether it was hashed, or changed.
    Result<bool> hashed() {
        const MutexLock lock(mutex);
        ZCDP_CHECK(std::move(failed));
        return !is_over;
    }

  private:
    Mutex mutex;
    Result<> failed ZCDP_GUARDED_BY(mutex);
};

bool same_file(const struct stat& a, const struct stat& b) {
    const auto same_time = [](const timespec& x, const timespec& y) {
        return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
    };
    return a.st_size == b.st_size && a.st_ino == b.st_ino && a.st_mode == b.st_mode &&
           same_time(a.st_mtim, b.st_mtim) && same_time(a.st_ctim, b.st_ctim);
}

bool is_as_listed(const PutEntry& listed, const struct stat& st) {
    return S_ISREG(st.st_mode) && static_cast<uint64_t>(st.st_size) == listed.entry.size_bytes &&
           origin::local::tag_of(st) == listed.tag;
}

}  // namespace

/// What the threads take from: chunk by chunk, in the order of the files.
struct FileHasher::Work {
    std::vector<std::unique_ptr<FileWork>> files;
    struct Chunk {
        FileWork* file;
        uint64_t index;
    };
    std::vector<Chunk> chunks;
    std::atomic<size_t> next = 0;

    const Chunk* take() {
        const size_t at = next.fetch_add(1, std::memory_order_relaxed);
        return at < chunks.size() ? &chunks[at] : nullptr;
    }
};

/// One thread's chunks, a piece of each read and then all hashed together.
class FileHasher::Lanes {
  public:
    Lanes(FileHasher& hasher, Work& work, size_t count) : hasher_(hasher), work_(work), lanes_(count) {
        buffer_ = std::make_unique_for_overwrite<std::byte[]>(count * kPieceBytes);
        updates_.reserve(count);
    }
    void run() {
        while (fill() && !hasher_.stop_.stop_requested()) {
            updates_.clear();
            for (size_t i = 0; i < lanes_.size(); ++i)
                if (lanes_[i].file) read(lanes_[i], {buffer_.get() + i * kPieceBytes, kPieceBytes});
            update_together(updates_);
            for (Lane& lane : lanes_)
                if (lane.file && lane.at == lane.end) end(lane, /*good=*/true);
        }
    }

  private:
    struct Lane {
        FileWork* file = nullptr;
        uint64_t index = 0, at = 0, end = 0;
        Sha256 hash;
    };

    /// Gives every lane a chunk, as long as there are any; whether one has some.
    bool fill() {
        bool any = false;
        for (Lane& lane : lanes_) {
            while (!lane.file && begin(lane)) {}
            any = any || lane.file;
        }
        return any;
    }
    /// False when nothing is left to take; the lane may be without a chunk all the same.
    bool begin(Lane& lane) {
        const Work::Chunk* chunk = work_.take();
        if (!chunk) return false;
        FileWork& file = *chunk->file;
        std::call_once(file.opened, [&] { open(file); });
        lane.file = &file;
        if (file.is_over) {
            end(lane, /*good=*/false);
            return true;
        }
        lane.index = chunk->index;
        lane.at = chunk->index * kChunkBytes;
        lane.end = lane.at + chunk_length(file.entry.entry.size_bytes, chunk->index);
        lane.hash.reset();
        return true;
    }
    void open(FileWork& work) {
        auto file = hasher_.source_.open(work.entry.entry.path);
        if (!file) return work.fail(std::move(file).error());
        work.file = std::move(*file);
        const auto st = hasher_.machine_.fs.stat_fd(work.file->get());
        if (!st) return work.fail(system_error(st.error(), "looking at", name_of(work)));
        work.before = *st;
        if (!is_as_listed(work.entry, *st)) work.change();
    }
    void read(Lane& lane, std::span<std::byte> room) {
        room = room.first(std::min<uint64_t>(room.size(), lane.end - lane.at));
        const auto got = hasher_.machine_.fs.read(lane.file->file->get(), room, lane.at);
        if (!got) lane.file->fail(system_error(got.error(), "reading", name_of(*lane.file)));
        else if (*got < room.size()) lane.file->change();
        if (lane.file->is_over) return end(lane, /*good=*/false);
        lane.at += room.size();
        hasher_.progress_.bytes_done += room.size();
        updates_.push_back({&lane.hash, room});
    }
    void end(Lane& lane, bool good) {
        FileWork& work = *std::exchange(lane.file, nullptr);
        if (good) work.chunks[lane.index] = lane.hash.finish();
        if (work.left.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
        if (!work.is_over) {
            const auto st = hasher_.machine_.fs.stat_fd(work.file->get());
            if (!st || !same_file(work.before, *st)) work.change();
        }
        work.file.reset();
        ++hasher_.progress_.objects_done;
    }
    std::string name_of(const FileWork& work) const { return hasher_.source_.name_of(work.entry.entry.path); }

    FileHasher& hasher_;
    Work& work_;
    std::vector<Lane> lanes_;
    std::unique_ptr<std::byte[]> buffer_;
    std::vector<HashUpdate> updates_;
};

FileHasher::FileHasher(const PutSource& source, Machine machine, unsigned threads, int64_t walk_began_ns,
                       sync::Progress& progress, std::stop_token stop)
    : source_(source),
      machine_(machine),
      threads_(threads > 0 ? threads : std::clamp(std::thread::hardware_concurrency(), 1u, kThreadsMost)),
      walk_began_ns_(walk_began_ns),
      progress_(progress),
      stop_(std::move(stop)),
      pool_(threads_) {}

/// So many lanes that every thread has some, and the last chunks are not one thread's alone.
void FileHasher::run(Work& work) {
    const size_t share = std::max<size_t>(1, work.chunks.size() / threads_);
    const size_t lanes = std::clamp<size_t>(hashes_at_once(share), 1, kLanesMost);
    std::latch done(threads_);
    for (unsigned i = 0; i < threads_; ++i)
        asio::post(pool_, [&] {
            Lanes(*this, work, lanes).run();
            done.count_down();
        });
    done.wait();
}

/// Those that were not hashed, because they changed.
Result<std::vector<PutEntry*>> FileHasher::pass(std::span<PutEntry* const> files) {
    Work work;
    for (PutEntry* const entry : files) {
        if (entry->entry.size_bytes > kFileBytesMost)
            return Error(ErrorKind::refused, "is larger than 16 TiB", source_.name_of(entry->entry.path));
        FileWork& file = *work.files.emplace_back(std::make_unique<FileWork>(*entry));
        for (uint64_t i = 0; i < file.chunks.size(); ++i) work.chunks.push_back({&file, i});
    }
    run(work);
    if (stop_.stop_requested())
        return Error(ErrorKind::interrupted, "stopped while hashing", "", "run the same command again");
    std::vector<PutEntry*> changed;
    for (const auto& file : work.files) {
        ZCDP_TRY(const bool hashed, file->hashed());
        if (!hashed) {
            changed.push_back(&file->entry);
            continue;
        }
        PutEntry& entry = file->entry;
        entry.entry.digest = digest_of_chunks(file->chunks);
        if (file->chunks.size() > 1) entry.entry.chunks = std::move(file->chunks);
        entry.hashed = true;
        entry.settled = is_settled(file->before, walk_began_ns_);
    }
    return changed;
}

/// What a file that changed is now.
Result<> FileHasher::look_again(PutEntry& file) {
    ZCDP_TRY(const auto open, source_.open(file.entry.path));
    const auto st = machine_.fs.stat_fd(open->get());
    if (!st) return system_error(st.error(), "looking at", source_.name_of(file.entry.path));
    if (!S_ISREG(st->st_mode))
        return Error(ErrorKind::source_changed, "is no file any more", source_.name_of(file.entry.path));
    file.entry.size_bytes = static_cast<uint64_t>(st->st_size);
    file.entry.executable = (st->st_mode & 0111) != 0;
    file.tag = origin::local::tag_of(*st);
    return {};
}

Result<> FileHasher::hash(std::span<PutEntry* const> files) {
    if (files.empty()) return {};
    ZCDP_TRY(const auto changed, pass(files));
    if (changed.empty()) return {};
    for (PutEntry* const file : changed) {
        ZCDP_CHECK(look_again(*file));
        ++progress_.objects_total, progress_.bytes_total += file->entry.size_bytes;
    }
    ZCDP_TRY(const auto again, pass(changed));
    if (again.empty()) return {};
    return Error(ErrorKind::source_changed, "changes while it is read", source_.name_of(again.front()->entry.path),
                 "put it when nobody writes into it, or leave it out with --exclude");
}

}  // namespace zcdp::datastore
