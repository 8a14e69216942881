#include "src/datastore/client/put_pack.hpp"

#include <cstring>

namespace zcdp::datastore {

ChunkHeader Piece::header() const {
    const store::ManifestEntry& entry = file->entry;
    const Sha256Bytes& digest = entry.chunks.empty() ? entry.digest.bytes : entry.chunks[chunk];
    return {entry.digest, entry.size_bytes, entry.executable, chunk, digest};
}

std::optional<Pieces> Packer::add(Piece piece) {
    std::optional<Pieces> full;
    const uint64_t length = piece.length_bytes();
    if (!pieces_.empty() && (bytes_ + length > kBytesMost || pieces_.size() == kPiecesMost)) {
        full = finish();
    }
    bytes_ += length;
    pieces_.push_back(std::move(piece));
    return full;
}

ContentRecord record_of(const PutEntry& file) {
    return {file.entry.digest, file.entry.size_bytes, file.entry.executable, file.entry.chunks};
}

size_t MetContents::Hash::operator()(const Id& id) const {
    size_t value = 0;
    std::memcpy(&value, id.first.bytes.data(), sizeof value);  // a digest's bits are as good as any hash's
    return value ^ static_cast<size_t>(id.second);
}

bool MetContents::meet(const PutEntry& file) {
    const Id id(file.entry.digest, file.entry.executable);
    return !before_.contains(id) && now_.insert(id).second;
}

Result<MissingBits> MissingBits::read(std::string bytes, uint64_t chunks) {
    if (bytes.size() != (chunks + 7) / 8)
        return Error(ErrorKind::corrupt, "does not say of each chunk whether it is missing", "the server's answer");
    return MissingBits(std::move(bytes));
}

}  // namespace zcdp::datastore
