#include "src/sync/swarm/given_pieces.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace zcdp::sync {
namespace {

constexpr size_t kDigestBytes = 1 + sizeof(Sha256Bytes);
constexpr size_t kClaimRoomBytes = 1'024;
static_assert(swarm::kClaimBytesMost + 2 <= kClaimRoomBytes);

Error gone() { return Error(ErrorKind::not_found, "is not here"); }

/// A chunk of a file.
class ChunkReader final : public swarm::PieceReader {
  public:
    ChunkReader(std::shared_ptr<store::ChunkSource> source, uint64_t offset_bytes, uint64_t size_bytes)
        : source_(std::move(source)), at_(offset_bytes), left_(size_bytes) {}
    Result<size_t> read_some(std::span<std::byte> into) override {
        const size_t count = std::min<uint64_t>(into.size(), left_);
        if (count == 0) return size_t{0};
        ZCDP_CHECK(source_->read(at_, into.first(count)));
        at_ += count, left_ -= count;
        return count;
    }

  private:
    const std::shared_ptr<store::ChunkSource> source_;
    uint64_t at_, left_;
};

/// The files of a run, one after the other.
class RunReader final : public swarm::PieceReader {
  public:
    struct File {
        Digest digest;
        uint64_t size_bytes;
    };
    RunReader(store::Content& content, Fs& fs, std::vector<File> files)
        : content_(content), fs_(fs), files_(std::move(files)) {}

    Result<size_t> read_some(std::span<std::byte> into) override {
        size_t filled = 0;
        while (filled < into.size() && next_ < files_.size()) {
            const File& file = files_[next_];
            if (at_ == 0) {
                ZCDP_TRY(open_, content_.open_blob(file.digest));
            }
            const auto room = into.subspan(filled, std::min<uint64_t>(into.size() - filled, file.size_bytes - at_));
            const auto got = fs_.read(open_.get(), room, at_);
            if (!got) return system_error(got.error(), "reading", file.digest.str());
            if (*got == 0) return Error(ErrorKind::corrupt, "is shorter than it was", file.digest.str());
            filled += *got, at_ += *got;
            if (at_ == file.size_bytes) ++next_, at_ = 0;
        }
        return filled;
    }

  private:
    store::Content& content_;
    Fs& fs_;
    const std::vector<File> files_;
    size_t next_ = 0;
    uint64_t at_ = 0;
    Fd open_;
};

}  // namespace

Result<> GivenPieces::put(uint64_t entry, const Digest& digest) {
    std::array<std::byte, kDigestBytes> record{};
    record[0] = static_cast<std::byte>(digest.kind);
    std::memcpy(record.data() + 1, digest.bytes.data(), digest.bytes.size());
    if (auto written = fs_.write(digests_.get(), record, entry * kDigestBytes); !written)
        return system_error(written.error(), "writing the digests of pieces", "scratch file of the store");
    const MutexLock lock(mutex_);
    filling_.erase(entry);
    return {};
}

void GivenPieces::fill(uint64_t entry, std::shared_ptr<store::ChunkSource> source) {
    const MutexLock lock(mutex_);
    filling_.insert_or_assign(entry, std::move(source));
}

std::shared_ptr<store::ChunkSource> GivenPieces::filling(uint64_t entry) const {
    const MutexLock lock(mutex_);
    const auto at = filling_.find(entry);
    return at == filling_.end() ? nullptr : at->second;
}

/// As the plan knew it, or as it came since.
Result<Digest> GivenPieces::digest_of_file(const PieceFile& file) const {
    if (file.record.knowledge == Knowledge::present) return file.record.digest;
    std::array<std::byte, kDigestBytes> record{};
    const auto got = fs_.read(digests_.get(), record, file.entry * kDigestBytes);
    if (!got) return system_error(got.error(), "reading the digests of pieces", "scratch file of the store");
    if (*got < record.size()) return gone();
    Digest digest;
    digest.kind = static_cast<DigestKind>(record[0]);
    std::memcpy(digest.bytes.data(), record.data() + 1, digest.bytes.size());
    return digest;
}

Result<std::unique_ptr<swarm::PieceReader>> GivenPieces::open(uint64_t piece) const {
    const swarm::Piece what = list_->table().at(piece);
    if (what.is_chunk)
        if (auto source = filling(what.first_entry))
            return std::make_unique<ChunkReader>(std::move(source), what.chunk * kChunkBytes, what.size_bytes);
    ZCDP_TRY(const auto files, list_->files_of(piece));
    if (what.is_chunk) {
        ZCDP_TRY(const Digest digest, digest_of_file(files.front()));
        ZCDP_TRY(auto source, content_.open_chunks(digest));
        return std::make_unique<ChunkReader>(std::move(source), what.chunk * kChunkBytes, what.size_bytes);
    }
    std::vector<RunReader::File> parts;
    for (const PieceFile& file : files) {
        ZCDP_TRY(const Digest digest, digest_of_file(file));
        parts.push_back({digest, file.record.entry.size_bytes});
    }
    return std::make_unique<RunReader>(content_, fs_, std::move(parts));
}

/// A chunk of a file that is in the CAS, and a run of one file.
std::optional<net::server::FileRange> GivenPieces::file_of(uint64_t piece) const {
    const swarm::Piece what = list_->table().at(piece);
    if (what.is_chunk ? filling(what.first_entry) != nullptr : what.first_entry != what.last_entry) return std::nullopt;
    const auto files = list_->files_of(piece);
    if (!files) return std::nullopt;
    const auto digest = digest_of_file(files->front());
    if (!digest) return std::nullopt;
    auto blob = content_.open_blob(*digest);
    if (!blob) return std::nullopt;
    return net::server::FileRange{std::move(*blob), what.chunk * kChunkBytes, what.size_bytes};
}

Result<swarm::PieceDigest> GivenPieces::digest_of(uint64_t piece) const {
    const swarm::Piece what = list_->table().at(piece);
    ZCDP_TRY(const auto files, list_->files_of(piece));
    if (!what.is_chunk) {
        std::vector<Digest> digests;
        for (const PieceFile& file : files) {
            ZCDP_TRY(digests.emplace_back(), digest_of_file(file));
        }
        return swarm::digest_of_run(digests);
    }
    std::shared_ptr<store::ChunkSource> source = filling(what.first_entry);
    if (!source) {
        ZCDP_TRY(const Digest digest, digest_of_file(files.front()));
        ZCDP_TRY(source, content_.open_chunks(digest));
    }
    const auto digest = source->chunk_digest(what.chunk);
    if (!digest) return gone();
    return *digest;
}

Result<> GivenPieces::put_claim(uint64_t piece, const std::string& claim) {
    std::string record{static_cast<char>(claim.size() & 0xff), static_cast<char>(claim.size() >> 8)};
    record += claim;
    if (auto put = fs_.write(claims_.get(), std::as_bytes(std::span(record)), piece * kClaimRoomBytes); !put)
        return system_error(put.error(), "writing the claims of pieces", "scratch file of the store");
    return {};
}

/// What was never written reads as zeros, or not at all.
Result<std::string> GivenPieces::claim_of(uint64_t piece) const {
    std::string record(kClaimRoomBytes, '\0');
    const auto got = fs_.read(claims_.get(), std::as_writable_bytes(std::span(record)), piece * kClaimRoomBytes);
    if (!got) return system_error(got.error(), "reading the claims of pieces", "scratch file of the store");
    const size_t length = static_cast<unsigned char>(record[0]) | size_t{static_cast<unsigned char>(record[1])} << 8;
    return record.substr(2, length);
}

}  // namespace zcdp::sync
