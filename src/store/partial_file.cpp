#include "src/store/partial_file.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace zcdp::store {
namespace {

constexpr std::string_view kMagic = "zcdp partial 1\n";
constexpr size_t kRecordBytes = 8 + 32 + 8;  // u64 chunk, its digest, first 8 bytes of the SHA-256 of those 40
constexpr size_t kDirectAlignment = 4096;
constexpr size_t kReadBytes = 1 << 20;

/// Names the object: the same object with the same tag comes back to the same partial file.
std::string name_of(const TagScope& scope, const std::string& key, const std::string& tag, uint64_t size_bytes) {
    Sha256 hash;
    for (const std::string* part : {&scope.endpoint, &scope.bucket, &scope.credentials, &key, &tag}) {
        hash.update(std::to_string(part->size()) + ":");
        hash.update(*part);
    }
    hash.update(std::to_string(size_bytes));
    return "p-" + to_hex(hash.finish()).substr(0, 32);
}

std::string record_of(uint64_t chunk, const Sha256Bytes& digest) {
    std::string record(reinterpret_cast<const char*>(&chunk), sizeof chunk);
    record.append(reinterpret_cast<const char*>(digest.data()), digest.size());
    const Sha256Bytes check = Sha256::of(record);
    return record.append(reinterpret_cast<const char*>(check.data()), 8);
}

}  // namespace

Result<std::unique_ptr<PartialFile>> PartialFileOnDisk::open(Core& core, const TagScope& scope, const std::string& key,
                                                             const std::string& tag, uint64_t size_bytes) {
    auto file = std::unique_ptr<PartialFileOnDisk>(
        new PartialFileOnDisk(core, name_of(scope, key, tag, size_bytes), size_bytes));
    ZCDP_CHECK(file->open_data());
    ZCDP_CHECK(file->open_map());
    return std::unique_ptr<PartialFile>(std::move(file));
}

Result<> PartialFileOnDisk::open_data() {
    const int flags = O_RDWR | O_CREAT;
    auto data = core_.fs.open(core_.partial.get(), name_.c_str(), flags | O_DIRECT, 0644);
    direct_ = data.has_value();
    if (!data) data = core_.fs.open(core_.partial.get(), name_.c_str(), flags, 0644);
    if (!data) return error(data.error(), "opening");
    data_ = std::move(*data);
    auto reading = core_.fs.open(core_.partial.get(), name_.c_str(), O_RDONLY);
    if (!reading) return error(reading.error(), "opening");
    reading_ = std::move(*reading);
    // Blocks up front: a disk that is too small says so now, and the file is not scattered.
    if (auto room = core_.fs.allocate(data_.get(), size_bytes_); !room) {
        if (room.error().value() != EOPNOTSUPP) return error(room.error(), "reserving room for");
        if (auto sized = core_.fs.truncate(data_.get(), size_bytes_); !sized) return error(sized.error(), "sizing");
    }
    return {};
}

Result<> PartialFileOnDisk::open_map() {
    const std::string map_name = name_ + ".map";
    const size_t limit = kMagic.size() + chunks_.size() * kRecordBytes * 2 + 4096;
    auto before = read_file(core_.fs, core_.partial.get(), map_name.c_str(), limit);
    auto map = core_.fs.open(core_.partial.get(), map_name.c_str(), O_RDWR | O_CREAT, 0644);
    if (!map) return error(map.error(), "opening the map of");
    map_ = std::move(*map);
    if (before && before->starts_with(kMagic)) {
        ZCDP_CHECK(recall(before->substr(kMagic.size())));
    }
    // Written anew with what was found to be true: a torn tail goes away.
    std::string text(kMagic);
    for (uint64_t i = 0; i < chunks_.size(); ++i)
        if (present_[i]) text += record_of(i, chunks_[i]);
    if (before && *before == text) {
        map_offset_ = text.size();
        return {};
    }
    if (auto cut = core_.fs.truncate(map_.get(), 0); !cut) return error(cut.error(), "cutting the map of");
    if (auto put = core_.fs.write(map_.get(), std::as_bytes(std::span(text)), 0); !put)
        return error(put.error(), "writing the map of");
    map_offset_ = text.size();
    return {};
}

/// Believes the records of chunks whose bytes still have the digest.
Result<> PartialFileOnDisk::recall(const std::string& map) {
    std::vector<std::byte> buffer(kReadBytes);
    for (size_t at = 0; at + kRecordBytes <= map.size(); at += kRecordBytes) {
        uint64_t chunk;
        Sha256Bytes digest;
        std::memcpy(&chunk, map.data() + at, sizeof chunk);
        std::memcpy(digest.data(), map.data() + at + sizeof chunk, digest.size());
        if (chunk >= chunks_.size() || record_of(chunk, digest) != std::string_view(map).substr(at, kRecordBytes)) break;
        if (present_[chunk]) continue;
        ZCDP_TRY(const bool right, chunk_has(chunk, digest, buffer));
        if (!right) continue;
        chunks_[chunk] = digest;
        present_[chunk] = true;
        ++present_count_;
    }
    return {};
}

Result<bool> PartialFileOnDisk::chunk_has(uint64_t chunk, const Sha256Bytes& digest, std::span<std::byte> buffer) {
    Sha256 hash;
    const uint64_t begin = chunk * kChunkBytes, length = chunk_length(size_bytes_, chunk);
    for (uint64_t done = 0; done < length;) {
        const auto piece = buffer.first(std::min<uint64_t>(buffer.size(), length - done));
        const auto got = core_.fs.read(reading_.get(), piece, begin + done);
        if (!got) return error(got.error(), "reading");
        if (*got != piece.size()) return false;
        hash.update(piece);
        done += piece.size();
    }
    return hash.finish() == digest;
}

bool PartialFileOnDisk::has(uint64_t chunk) const {
    const std::scoped_lock lock(mutex_);
    return present_[chunk];
}

uint64_t PartialFileOnDisk::chunks_present() const {
    const std::scoped_lock lock(mutex_);
    return present_count_;
}

Result<> PartialFileOnDisk::write(uint64_t offset_bytes, std::span<const std::byte> bytes) {
    if (direct_ && bytes.size() % kDirectAlignment != 0)
        bytes = {bytes.data(), (bytes.size() / kDirectAlignment + 1) * kDirectAlignment};
    if (auto put = core_.fs.write(data_.get(), bytes, offset_bytes); !put) return error(put.error(), "writing");
    return {};
}

Result<> PartialFileOnDisk::chunk_done(uint64_t chunk, const Sha256Bytes& digest) {
    const std::string record = record_of(chunk, digest);
    const std::scoped_lock lock(mutex_);
    if (present_[chunk]) return {};
    if (auto put = core_.fs.write(map_.get(), std::as_bytes(std::span(record)), map_offset_); !put)
        return error(put.error(), "writing the map of");
    map_offset_ += record.size();
    chunks_[chunk] = digest;
    present_[chunk] = true;
    ++present_count_;
    return {};
}

Result<> PartialFileOnDisk::read(uint64_t offset_bytes, std::span<std::byte> into) {
    const auto got = core_.fs.read(reading_.get(), into, offset_bytes);
    if (!got) return error(got.error(), "reading");
    if (*got != into.size()) return Error(ErrorKind::corrupt, "is shorter than its map says", core_.root + "/partial/" + name_);
    return {};
}

Result<Digest> PartialFileOnDisk::finish() {
    if (chunks_present() != chunks_.size())
        return Error(ErrorKind::failed, "is not complete", core_.root + "/partial/" + name_);
    // Direct writes end at a multiple of 4096.
    if (auto sized = core_.fs.truncate(data_.get(), size_bytes_); !sized) return error(sized.error(), "sizing");
    return digest_of_chunks(chunks_);
}

Result<> PartialFileOnDisk::discard() {
    if (auto gone = core_.fs.unlink(core_.partial.get(), (name_ + ".map").c_str()); !gone)
        return error(gone.error(), "removing the map of");
    if (auto gone = core_.fs.unlink(core_.partial.get(), name_.c_str()); !gone) return error(gone.error(), "removing");
    return {};
}

}  // namespace zcdp::store
