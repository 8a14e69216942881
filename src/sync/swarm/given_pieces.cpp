#include "src/sync/swarm/given_pieces.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "src/sync/swarm/piece_readers.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kDigestBytes = 1 + sizeof(Sha256Bytes);

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
Result<Digest> GivenPieces::digest_of(const PieceFile& file) const {
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
        ZCDP_TRY(const Digest digest, digest_of(files.front()));
        ZCDP_TRY(auto source, content_.open_chunks(digest));
        return read_chunk(std::move(source), what);
    }
    std::vector<RunFile> parts;
    for (const PieceFile& file : files) {
        ZCDP_TRY(const Digest digest, digest_of(file));
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
    const auto digest = digest_of(files->front());
    return digest ? range_of(content_, *digest, what) : std::nullopt;
}

}  // namespace zcdp::sync
