#include "zcdp/sync/held_snapshot.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "src/sync/list/spool.hpp"
#include "src/sync/swarm/piece_readers.hpp"
#include "zcdp/base/little_endian.hpp"
#include "zcdp/base/scratch.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kRecordBytes = kU64Bytes + sizeof(Sha256Bytes);  ///< size, digest
constexpr size_t kRecordsAtOnce = 1024;
constexpr const char* kScratch = "scratch file of the store";
constexpr const char* kLeaseOwner = "pieces that are given to others";

/// Of each entry of a list, by its place, what its content is; of what has no content a size of 0.
class EntryContents {
  public:
    EntryContents(Fs& fs, Fd file) : fs_(&fs), file_(std::move(file)) {}

    Result<> add(const store::ManifestEntry& entry) {
        put_u64(buffer_, entry.size_bytes);
        buffer_.append(reinterpret_cast<const char*>(entry.digest.bytes.data()), entry.digest.bytes.size());
        return buffer_.size() < kRecordsAtOnce * kRecordBytes ? Result<>() : flush();
    }
    /// Writes what is buffered; no add() after it.
    Result<> finish() {
        ZCDP_CHECK(flush());
        buffer_.shrink_to_fit();
        return {};
    }
    /// Those with content from `first` to `last`, in order. Blocks.
    Result<std::vector<RunFile>> between(uint64_t first, uint64_t last) const {
        std::vector<RunFile> files;
        std::string records;
        for (uint64_t at = first; at <= last; at += kRecordsAtOnce) {
            records.resize(std::min<uint64_t>(kRecordsAtOnce, last - at + 1) * kRecordBytes);
            const auto got = fs_->read(file_.get(), std::as_writable_bytes(std::span(records)), at * kRecordBytes);
            if (!got) return system_error(got.error(), "reading the digests of pieces", kScratch);
            if (*got < records.size()) return Error(ErrorKind::corrupt, "the digests of pieces end early", kScratch);
            take(records, files);
        }
        return files;
    }

  private:
    Result<> flush() {
        const auto written = fs_->write(file_.get(), std::as_bytes(std::span(buffer_)), end_bytes_);
        if (!written) return system_error(written.error(), "writing the digests of pieces", kScratch);
        end_bytes_ += buffer_.size();
        buffer_.clear();
        return {};
    }
    static void take(std::string_view records, std::vector<RunFile>& files) {
        for (; !records.empty(); records.remove_prefix(kRecordBytes)) {
            RunFile file{{}, get_u64(records)};
            if (file.size_bytes == 0) continue;
            file.digest.kind = file.size_bytes > kChunkBytes ? DigestKind::sha256tree : DigestKind::sha256;
            std::memcpy(file.digest.bytes.data(), records.data() + kU64Bytes, file.digest.bytes.size());
            files.push_back(file);
        }
    }
    Fs* fs_;
    Fd file_;
    std::string buffer_;
    uint64_t end_bytes_ = 0;
};

/// Keeps the snapshot from eviction for as long as it lives, or as this process does.
class Lease {
  public:
    static Result<std::shared_ptr<const Lease>> take(store::Leases& leases, const store::SnapshotId& snapshot) {
        ZCDP_TRY(const uint64_t id, leases.lease(snapshot, kLeaseOwner, ::getpid()));
        return std::make_shared<const Lease>(leases, id);
    }
    Lease(store::Leases& leases, uint64_t id) : leases_(leases), id_(id) {}
    ~Lease() { (void)leases_.release(id_).has_value(); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

  private:
    store::Leases& leases_;
    const uint64_t id_;
};

/// A file from its first to its last byte.
class WholeFile final : public swarm::PieceReader {
  public:
    WholeFile(Fs& fs, Fd file) : fs_(fs), file_(std::move(file)) {}
    Result<size_t> read_some(std::span<std::byte> into) override {
        const auto got = fs_.read(file_.get(), into, at_);
        if (!got) return system_error(got.error(), "reading", "a snapshot's manifest");
        at_ += *got;
        return *got;
    }

  private:
    Fs& fs_;
    const Fd file_;
    uint64_t at_ = 0;
};

class HeldPieces final : public swarm::PieceBytes {
  public:
    HeldPieces(swarm::PieceTable table, EntryContents contents, store::Store& store, const store::SnapshotId& snapshot,
               Fs& fs)
        : table_(std::move(table)), contents_(std::move(contents)), store_(store), snapshot_(snapshot), fs_(fs) {}

    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t piece) const override {
        const swarm::Piece what = table_.at(piece);
        ZCDP_TRY(auto files, contents_.between(what.first_entry, what.last_entry));
        if (what.is_chunk) {
            ZCDP_TRY(auto source, store_.open_chunks(files.front().digest));
            return read_chunk(std::move(source), what);
        }
        ZCDP_TRY(auto lease, Lease::take(store_, snapshot_));
        return read_run(store_, fs_, std::move(files), std::move(lease));
    }

    std::optional<net::server::FileRange> file_of(uint64_t piece) const override {
        const swarm::Piece what = table_.at(piece);
        if (what.first_entry != what.last_entry) return std::nullopt;
        const auto files = contents_.between(what.first_entry, what.last_entry);
        return files ? range_of(store_, files->front().digest, what) : std::nullopt;
    }

    Result<swarm::PieceDigest> digest_of(uint64_t piece) const override {
        const swarm::Piece what = table_.at(piece);
        ZCDP_TRY(const auto files, contents_.between(what.first_entry, what.last_entry));
        if (what.is_chunk) {
            ZCDP_TRY(const auto source, store_.open_chunks(files.front().digest));
            const auto digest = source->chunk_digest(what.chunk);
            return digest ? Result<swarm::PieceDigest>(*digest) : not_here();
        }
        std::vector<Digest> digests;
        for (const RunFile& file : files) digests.push_back(file.digest);
        return swarm::digest_of_run(digests);
    }

    Result<std::unique_ptr<swarm::PieceReader>> open_manifest() const override {
        auto file = store_.manifest_file(snapshot_);
        if (!file) return not_here();
        return std::make_unique<WholeFile>(fs_, std::move(*file));
    }

    /// Who holds a snapshot vouches for it: its id has proven every byte.
    Result<std::string> claim_of(uint64_t) const override { return std::string(); }

  private:
    const swarm::PieceTable table_;
    const EntryContents contents_;
    store::Store& store_;
    const store::SnapshotId snapshot_;
    Fs& fs_;
};

Result<> read_manifest(store::Snapshots& snapshots, const store::SnapshotId& id, swarm::PieceTable& table,
                       EntryContents& contents) {
    ZCDP_TRY(const auto manifest, snapshots.manifest(id));
    while (true) {
        ZCDP_TRY(const auto entry, manifest->next());
        if (!entry) break;
        if (entry->kind == store::FileKind::file) table.add_file(entry->size_bytes);
        else table.add_other();
        ZCDP_CHECK(contents.add(*entry));
    }
    table.finish();
    if (manifest->id() != id)
        return Error(ErrorKind::corrupt, "has another manifest than its id says", id.str(), "run: zcdp store verify");
    return contents.finish();
}

}  // namespace

Result<std::shared_ptr<swarm::Share>> share_of_snapshot(store::Store& store, const std::string& snapshot, Fs& fs,
                                                        Random& random) {
    ZCDP_TRY(const store::SnapshotInfo info, store.find(snapshot));
    if (info.state != store::SnapshotState::ready)
        return Error(ErrorKind::not_found, "is no ready snapshot of this store", info.id.str());
    ZCDP_TRY(Fd file, open_scratch(fs, store.root() + "/staging", random));
    EntryContents contents(fs, std::move(file));
    swarm::PieceTable table;
    ZCDP_CHECK(read_manifest(store, info.id, table, contents));
    swarm::HaveMap all(table.pieces());
    all.set_all();
    swarm::News news{random.u64(), all, all, swarm::HaveMap(table.pieces())};
    auto bytes = std::make_shared<const HeldPieces>(table, std::move(contents), store, info.id, fs);
    return std::make_shared<swarm::Share>(std::move(table), std::move(news), std::move(bytes));
}

}  // namespace zcdp::sync
