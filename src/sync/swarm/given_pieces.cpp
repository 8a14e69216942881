#include "src/sync/swarm/given_pieces.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "src/sync/swarm/piece_readers.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kDigestBytes = 1 + sizeof(Sha256Bytes);
constexpr size_t kClaimRoomBytes = 1'024;
static_assert(swarm::kClaimBytesMost + 2 <= kClaimRoomBytes);

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
    if (*got < record.size()) return not_here();
    Digest digest;
    digest.kind = static_cast<DigestKind>(record[0]);
    std::memcpy(digest.bytes.data(), record.data() + 1, digest.bytes.size());
    return digest;
}

Result<std::unique_ptr<swarm::PieceReader>> GivenPieces::open(uint64_t piece) const {
    const swarm::Piece what = list_->table().at(piece);
    if (what.is_chunk)
        if (auto source = filling(what.first_entry)) return read_chunk(std::move(source), what);
    ZCDP_TRY(const auto files, list_->files_of(piece));
    if (what.is_chunk) {
        ZCDP_TRY(const Digest digest, digest_of_file(files.front()));
        ZCDP_TRY(auto source, content_.open_chunks(digest));
        return read_chunk(std::move(source), what);
    }
    std::vector<RunFile> parts;
    for (const PieceFile& file : files) {
        ZCDP_TRY(const Digest digest, digest_of_file(file));
        parts.push_back({digest, file.record.entry.size_bytes});
    }
    return read_run(content_, fs_, std::move(parts));
}

/// A chunk of a file that is in the CAS, and a run of one file.
std::optional<net::server::FileRange> GivenPieces::file_of(uint64_t piece) const {
    const swarm::Piece what = list_->table().at(piece);
    if (what.is_chunk ? filling(what.first_entry) != nullptr : what.first_entry != what.last_entry) return std::nullopt;
    const auto files = list_->files_of(piece);
    if (!files) return std::nullopt;
    const auto digest = digest_of_file(files->front());
    return digest ? range_of(content_, *digest, what) : std::nullopt;
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
    if (!digest) return not_here();
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
