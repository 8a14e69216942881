#include "src/datastore/client/put_manifest.hpp"

#include <vector>

#include "zcdp/base/scratch.hpp"
#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

/// So many entries, chunks to be hashed, or digests are held at once: enough that threads rarely wait for each other's
/// last ones.
constexpr size_t kBatchEntries = 2048;
constexpr uint64_t kBatchChunks = 4096, kBatchDigests = 256 << 10;

/// What of a list has no digest yet.
struct Missing {
    uint64_t files = 0, bytes = 0;
};

Result<Missing> count_missing(const PutList& list, Fs& fs) {
    Missing missing;
    ZCDP_CHECK(list.read(fs, [&](const PutEntry& source) -> Result<> {
        if (source.entry.kind != store::FileKind::file || source.hashed) return {};
        ++missing.files, missing.bytes += source.entry.size_bytes;
        return {};
    }));
    return missing;
}

/// Writes the manifest and, where digests are missing in it, the list anew.
class Preparing {
  public:
    Preparing(const PutSource& source, std::string file_name, FileHasher& hasher, Fs& fs, int manifest)
        : file_name_(source.is_file() ? std::move(file_name) : ""),
          hasher_(hasher),
          manifest_(store::ManifestWriter::create(fs, manifest)) {}

    /// What has all digests as it is need not be written again.
    void rewrite_into(Fs& fs, int list) { list_.emplace(fs, list); }

    Result<> take(PutEntry& source) {
        batch_.push_back(std::move(source));
        if (batch_.back().entry.kind == store::FileKind::file) {
            const uint64_t chunks = chunk_count(batch_.back().entry.size_bytes);
            digests_ += chunks;
            if (!batch_.back().hashed) chunks_ += chunks;
        }
        const bool full = batch_.size() >= kBatchEntries || chunks_ >= kBatchChunks || digests_ >= kBatchDigests;
        return full ? flush() : Result<>();
    }
    Result<store::SnapshotId> finish() {
        ZCDP_CHECK(flush());
        if (list_) ZCDP_CHECK(list_->finish());
        return manifest_->finish();
    }
    const store::ManifestTotals& totals() const { return manifest_->totals(); }

  private:
    Result<> flush() {
        std::vector<PutEntry*> missing;
        for (PutEntry& source : batch_)
            if (source.entry.kind == store::FileKind::file && !source.hashed) missing.push_back(&source);
        ZCDP_CHECK(hasher_.hash(missing));
        for (PutEntry& source : batch_) {
            if (list_) ZCDP_CHECK(list_->add(source));
            if (!file_name_.empty()) source.entry.path = file_name_;
            ZCDP_CHECK(manifest_->add(source.entry));
        }
        batch_.clear();
        chunks_ = digests_ = 0;
        return {};
    }

    const std::string file_name_;  ///< of the one file that the source is; else ""
    FileHasher& hasher_;
    std::unique_ptr<store::ManifestWriter> manifest_;
    std::optional<PutListWriter> list_;
    std::vector<PutEntry> batch_;
    uint64_t chunks_ = 0, digests_ = 0;  ///< of the batch: to be hashed; held
};

}  // namespace

Result<Prepared> prepare(const PutSource& source, PutList listed, const std::string& key, FileHasher& hasher,
                         const std::string& scratch, Machine machine, sync::Progress& progress) {
    Fs& fs = machine.fs;
    ZCDP_TRY(const Missing missing, count_missing(listed, fs));
    progress.objects_done = 0, progress.bytes_done = 0;
    progress.objects_total = missing.files, progress.bytes_total = missing.bytes;
    progress.phase = sync::Phase::hashing;
    Prepared prepared;
    ZCDP_TRY(Fd manifest, open_scratch(fs, scratch, machine.random));
    Preparing preparing(source, std::string(last_segment(key)), hasher, fs, manifest.get());
    Fd rewritten;
    if (missing.files > 0) {
        ZCDP_TRY(rewritten, open_scratch(fs, scratch, machine.random));
        preparing.rewrite_into(fs, rewritten.get());
    }
    ZCDP_CHECK(listed.read(fs, [&](PutEntry& entry) { return preparing.take(entry); }));
    ZCDP_TRY(prepared.snapshot, preparing.finish());
    prepared.totals = preparing.totals();
    prepared.list = std::move(listed);
    if (rewritten) prepared.list.file = std::move(rewritten);
    const auto st = fs.stat_fd(manifest.get());
    if (!st) return system_error(st.error(), "looking at the manifest in", scratch);
    prepared.manifest_bytes = static_cast<uint64_t>(st->st_size);
    prepared.manifest = std::make_shared<const Fd>(std::move(manifest));
    return prepared;
}

}  // namespace zcdp::datastore
