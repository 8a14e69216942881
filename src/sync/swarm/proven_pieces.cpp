#include "src/sync/swarm/proven_pieces.hpp"

#include "src/sync/list/file_kind.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::sync {
namespace {

constexpr uint64_t kNumberBytesMost = 10;  ///< of a varint
constexpr uint64_t kAroundBytes = 64;      ///< its first line and its end
constexpr size_t kBufferBytes = 64 << 10;
constexpr const char* kScratch = "scratch file of the store";

uint64_t bytes_most_of(const origin::Entry& entry) {
    uint64_t bytes = 1 + kNumberBytesMost + entry.path.size();
    if (entry.kind == origin::EntryKind::symlink) bytes += kNumberBytesMost + entry.symlink_target.size();
    if (entry.kind == origin::EntryKind::file)
        bytes += kNumberBytesMost + chunk_count(entry.size_bytes) * sizeof(Sha256Bytes);
    return bytes;
}

bool is_same(const store::ManifestEntry& made, const origin::Entry& listed) {
    return made.path == listed.path && made.kind == file_kind(listed.kind) &&
           (made.kind != store::FileKind::file || made.size_bytes == listed.size_bytes);
}

/// Takes a list's entries in their order, and writes what each piece is.
class Writer {
  public:
    Writer(const swarm::PieceTable& table, Fs& fs, int file) : table_(table), fs_(fs), file_(file) {}

    Result<> add(const store::ManifestEntry& entry) {
        const uint64_t number = entries_++;
        if (entry.kind == store::FileKind::file && entry.size_bytes > 0) {
            if (entry.chunks.empty()) run_.push_back(entry.digest);
            for (const Sha256Bytes& chunk : entry.chunks) ZCDP_CHECK(put(chunk));
        }
        if (run_.empty() || table_.at(next_).last_entry != number) return {};
        ZCDP_CHECK(put(swarm::digest_of_run(run_)));
        run_.clear();
        return {};
    }
    Result<> finish() {
        ZCDP_CHECK(flush());
        return next_ == table_.pieces()
                   ? Result<>()
                   : Error(ErrorKind::corrupt, "has other pieces than its entries say", "a snapshot's manifest");
    }

  private:
    Result<> put(const swarm::PieceDigest& digest) {
        buffer_.append(reinterpret_cast<const char*>(digest.data()), digest.size());
        ++next_;
        return buffer_.size() < kBufferBytes ? Result<>() : flush();
    }
    Result<> flush() {
        const auto written = fs_.write(file_, std::as_bytes(std::span(buffer_)), end_bytes_);
        if (!written) return system_error(written.error(), "writing what pieces are", kScratch);
        end_bytes_ += buffer_.size();
        buffer_.clear();
        return {};
    }
    const swarm::PieceTable& table_;
    Fs& fs_;
    const int file_;
    std::vector<Digest> run_;  ///< files of the run that is not at its end
    std::string buffer_;
    uint64_t entries_ = 0, next_ = 0, end_bytes_ = 0;
};

}  // namespace

Result<uint64_t> manifest_bytes_most(const EntryList& plan, Fs& fs) {
    uint64_t bytes = kAroundBytes;
    SpoolReader reader = plan.read(fs);
    SpoolEntry record;
    while (true) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) return bytes;
        bytes += bytes_most_of(record.entry);
    }
}

/// To its end also where it is of another listing: only the end shows whose it is.
Result<std::optional<ProvenPieces>> ProvenPieces::read(int manifest, const store::SnapshotId& snapshot,
                                                       uint64_t bytes_most, const EntryList& plan,
                                                       const swarm::PieceTable& table, Fs& fs, Fd scratch) {
    const auto reader = store::ManifestReader::create(fs, manifest, bytes_most);
    Writer writer(table, fs, scratch.get());
    SpoolReader listing = plan.read(fs);
    SpoolEntry listed;
    bool is_of_plan = true;
    while (true) {
        ZCDP_TRY(const auto entry, reader->next());
        ZCDP_TRY(const bool more, listing.next(listed));
        if (!entry) {
            is_of_plan &= !more;
            break;
        }
        is_of_plan &= more && is_same(*entry, listed.entry);
        if (is_of_plan) ZCDP_CHECK(writer.add(*entry));
    }
    if (reader->id() != snapshot && !faults::broken("manifest-id"))
        return Error(ErrorKind::corrupt, "is not the manifest of snapshot " + snapshot.str(), "a member's answer");
    if (!is_of_plan) return std::nullopt;
    ZCDP_CHECK(writer.finish());
    return ProvenPieces(fs, std::move(scratch));
}

Result<swarm::PieceDigest> ProvenPieces::at(uint64_t piece) const {
    swarm::PieceDigest digest;
    const auto got = fs_->read(file_.get(), std::as_writable_bytes(std::span(digest)), piece * digest.size());
    if (!got) return system_error(got.error(), "reading what pieces are", kScratch);
    if (*got < digest.size()) return Error(ErrorKind::failed, "what pieces are ends early", kScratch);
    return digest;
}

}  // namespace zcdp::sync
