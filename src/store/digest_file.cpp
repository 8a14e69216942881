#include "src/store/digest_file.hpp"

#include <algorithm>
#include <span>

namespace zcdp::store {
namespace {

/// Of each chunk at once: large enough for a disk, while the pieces of sixteen chunks are a small part of the memory.
constexpr size_t kPieceBytes = 1 << 20;

/// A chunk that is being hashed.
struct Lane {
    uint64_t at, end;  ///< offsets in the file: next byte to read, end of the chunk
    Sha256 hash;
};

/// The next piece of each lane, hashed together. The buffer has a place for each.
Result<> hash_pieces(Fs& fs, int fd, std::span<Lane> lanes, std::span<std::byte> buffer,
                     const std::function<void(uint64_t)>& progress) {
    std::vector<HashUpdate> updates;
    for (Lane& lane : lanes) {
        const auto place =
            buffer.subspan(updates.size() * kPieceBytes, std::min<uint64_t>(kPieceBytes, lane.end - lane.at));
        const auto got = fs.read(fd, place, lane.at);
        if (!got) return system_error(got.error(), "reading", "");
        if (*got < place.size()) return Error(ErrorKind::corrupt, "ends early");
        lane.at += *got;
        updates.push_back({&lane.hash, place});
        if (progress && *got > 0) progress(*got);
    }
    update_together(updates);
    return {};
}

}  // namespace

Result<Digest> digest_file(Fs& fs, int fd, uint64_t size_bytes, std::vector<std::byte>& buffer,
                           const std::function<void(uint64_t)>& progress) {
    std::vector<Sha256Bytes> chunks;
    const uint64_t count = chunk_count(size_bytes);
    while (chunks.size() < count) {
        const uint64_t rest = count - chunks.size();
        std::vector<Lane> lanes(std::min<uint64_t>(hashes_at_once(rest), rest));
        for (uint64_t chunk = chunks.size(); Lane & lane : lanes) {
            lane.at = chunk * kChunkBytes;
            lane.end = lane.at + chunk_length(size_bytes, chunk++);
        }
        if (buffer.size() < lanes.size() * kPieceBytes) buffer.resize(lanes.size() * kPieceBytes);
        // The file's last chunk may end before the others, which then go on without it.
        for (size_t left = lanes.size(); left > 0 && lanes[0].at < lanes[0].end;) {
            ZCDP_CHECK(hash_pieces(fs, fd, std::span(lanes).first(left), buffer, progress));
            while (left > 0 && lanes[left - 1].at == lanes[left - 1].end) --left;
        }
        for (Lane& lane : lanes) chunks.push_back(lane.hash.finish());
    }
    return digest_of_chunks(chunks);
}

}  // namespace zcdp::store
