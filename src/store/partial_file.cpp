#include "src/store/partial_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace zcdp::store {
namespace {

constexpr std::string_view kMagic = "zcdp partial 2\n";     // a line with the object follows, then the records
constexpr std::string_view kMagicOf1 = "zcdp partial 1\n";  // the records follow
constexpr size_t kRecordBytes = 8 + 32 + 8;  // u64 chunk, its digest, first 8 bytes of the SHA-256 of those 40
constexpr size_t kDirectAlignment = 4096;
constexpr size_t kReadBytes = 1 << 20;

/// For people: what a partial file is of. Never the query of a web address, which may hold a signature.
std::string shown(const ByTag& object) {
    const TagScope& scope = object.scope;
    const size_t scheme = scope.bucket.find("://");
    std::string at =
        scheme == std::string::npos ? scope.endpoint : scope.bucket.substr(0, scope.bucket.find_first_of("?#"));
    if (scheme == std::string::npos) at += (scope.bucket.starts_with('/') ? "" : "/") + scope.bucket;
    return at + (at.ends_with('/') ? "" : "/") + object.key;
}
std::string shown(const ByDigest& content) { return content.digest.str(); }
std::string shown(const ByUpload& upload) { return "upload " + upload.name; }

/// What tells keys apart, as hashed into the file's name (docs/formats.md). No two kinds begin alike.
std::string told_apart(const ByTag& object) {
    std::string text;
    for (const std::string* part :
         {&object.scope.endpoint, &object.scope.bucket, &object.scope.credentials, &object.key, &object.tag.str()})
        text += std::to_string(part->size()) + ":" + *part;
    return text;
}
std::string told_apart(const ByDigest& content) { return "digest " + content.digest.str() + " "; }
std::string told_apart(const ByUpload& upload) {
    return "upload " + std::to_string(upload.name.size()) + ":" + upload.name;
}

/// Where the records begin: 0 when there are none.
size_t records_at(std::string_view map) {
    if (map.starts_with(kMagicOf1)) return kMagicOf1.size();
    if (!map.starts_with(kMagic)) return 0;
    const size_t line = map.find('\n', kMagic.size());
    return line == map.npos ? 0 : line + 1;
}

std::string record_of(uint64_t chunk, const Sha256Bytes& digest) {
    std::string record(reinterpret_cast<const char*>(&chunk), sizeof chunk);
    record.append(reinterpret_cast<const char*>(digest.data()), digest.size());
    const Sha256Bytes check = Sha256::of(record);
    return record.append(reinterpret_cast<const char*>(check.data()), 8);
}

}  // namespace

std::string partial_name(const PartialKey& key, uint64_t size_bytes) {
    const std::string text = std::visit([](const auto& of) { return told_apart(of); }, key);
    return "p-" + to_hex(Sha256::of(text + std::to_string(size_bytes))).substr(0, 32);
}

std::string object_of_map(std::string_view map) {
    const size_t end = map.find('\n', kMagic.size());
    return map.starts_with(kMagic) && end != map.npos ? unquoted(map.substr(kMagic.size(), end - kMagic.size())) : "";
}

Result<std::unique_ptr<PartialFile>> PartialFileOnDisk::open(Core& core, std::shared_ptr<HoldOnStore> hold,
                                                             const PartialKey& key, uint64_t size_bytes) {
    const auto* content = std::get_if<ByDigest>(&key);
    if (content && (content->digest.kind == DigestKind::sha256tree) != (chunk_count(size_bytes) > 1))
        return Error(ErrorKind::refused, "is the digest of no content of that size", content->digest.str());
    const std::string object = std::visit([](const auto& of) { return shown(of); }, key);
    auto file = std::unique_ptr<PartialFileOnDisk>(new PartialFileOnDisk(
        core, std::move(hold), partial_name(key, size_bytes), std::string(kMagic) + quoted(object) + "\n", size_bytes));
    if (content) file->expected_ = content->digest;
    file->hold_->keep_partial(file->name_);
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
    chunks_->read_from(std::move(*reading));
    return allocate();
}

/// Blocks up front: a disk that is too small says so now, and the file is not scattered. What an earlier run allocated
/// is there already and was not promised again.
Result<> PartialFileOnDisk::allocate() {
    if (size_bytes_ == 0) return {};
    const auto before = core_.fs.stat_fd(data_.get());
    const uint64_t had = before ? allocated_bytes(*before) : 0;
    const auto room = core_.fs.allocate(data_.get(), size_bytes_);
    allocated_ = room.has_value();
    if (allocated_) {
        hold_->spend(size_bytes_ - std::min(had, size_bytes_));
        return {};
    }
    if (room.error().value() != EOPNOTSUPP) return error(room.error(), "reserving room for");
    if (auto sized = core_.fs.truncate(data_.get(), size_bytes_); !sized) return error(sized.error(), "sizing");
    return {};
}

Result<> PartialFileOnDisk::open_map() {
    const std::string map_name = name_ + ".map";
    const size_t limit = kMapHeaderBytesMax + chunk_count(size_bytes_) * kRecordBytes * 2 + 4096;
    auto before = read_file(core_.fs, core_.partial.get(), map_name.c_str(), limit);
    auto map = core_.fs.open(core_.partial.get(), map_name.c_str(), O_RDWR | O_CREAT, 0644);
    if (!map) return error(map.error(), "opening the map of");
    map_ = std::move(*map);
    if (const size_t records = before ? records_at(*before) : 0; records > 0)
        ZCDP_CHECK(recall(before->substr(records)));
    // Written anew with what was found to be true: a torn tail goes away.
    std::string text = header_;
    for (uint64_t i = 0; i < chunk_count(size_bytes_); ++i)
        if (const auto digest = chunks_->chunk_digest(i)) text += record_of(i, *digest);
    {
        const MutexLock lock(map_mutex_);
        map_offset_ = text.size();
    }
    if (before && *before == text) return {};
    if (auto cut = core_.fs.truncate(map_.get(), 0); !cut) return error(cut.error(), "cutting the map of");
    if (auto put = core_.fs.write(map_.get(), std::as_bytes(std::span(text)), 0); !put)
        return error(put.error(), "writing the map of");
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
        if (chunk >= chunk_count(size_bytes_) ||
            record_of(chunk, digest) != std::string_view(map).substr(at, kRecordBytes))
            break;
        if (has(chunk)) continue;
        ZCDP_TRY(const bool right, chunk_has(chunk, digest, buffer));
        if (right) chunks_->add(chunk, digest);
    }
    return {};
}

Result<bool> PartialFileOnDisk::chunk_has(uint64_t chunk, const Sha256Bytes& digest, std::span<std::byte> buffer) {
    Sha256 hash;
    const uint64_t begin = chunk * kChunkBytes, length = chunk_length(size_bytes_, chunk);
    for (uint64_t done = 0; done < length;) {
        const auto piece = buffer.first(std::min<uint64_t>(buffer.size(), length - done));
        const auto got = core_.fs.read(chunks_->file(), piece, begin + done);
        if (!got) return error(got.error(), "reading");
        if (*got != piece.size()) return false;
        hash.update(piece);
        done += piece.size();
    }
    return hash.finish() == digest;
}

Result<> PartialFileOnDisk::write(uint64_t offset_bytes, std::span<const std::byte> bytes) {
    ZCDP_CHECK(chunks_of_range(size_bytes_, offset_bytes, bytes.size(), core_.root + "/partial/" + name_));
    if (bytes.empty() || has(offset_bytes / kChunkBytes)) return {};
    const uint64_t length = bytes.size();
    if (direct_ && length % kDirectAlignment != 0)
        bytes = {bytes.data(), (length / kDirectAlignment + 1) * kDirectAlignment};
    if (auto put = core_.fs.write(data_.get(), bytes, offset_bytes); !put) return error(put.error(), "writing");
    if (!allocated_) hold_->spend(bytes.size());
    return {};
}

Result<> PartialFileOnDisk::chunk_done(uint64_t chunk, const Sha256Bytes& digest) {
    if (chunk >= chunk_count(size_bytes_))
        return Error(ErrorKind::refused, "has no such chunk", core_.root + "/partial/" + name_);
    const std::string record = record_of(chunk, digest);
    const MutexLock lock(map_mutex_);
    if (has(chunk)) return {};
    if (auto put = core_.fs.write(map_.get(), std::as_bytes(std::span(record)), map_offset_); !put)
        return error(put.error(), "writing the map of");
    map_offset_ += record.size();
    chunks_->add(chunk, digest);
    return {};
}

Result<Digest> PartialFileOnDisk::finish() {
    if (chunks_present() != chunk_count(size_bytes_))
        return Error(ErrorKind::failed, "is not complete", core_.root + "/partial/" + name_);
    // Direct writes end at a multiple of 4096.
    if (auto sized = core_.fs.truncate(data_.get(), size_bytes_); !sized) return error(sized.error(), "sizing");
    const Digest digest = digest_of_chunks(chunks_->digests());
    if (expected_ && digest != *expected_) return Error(ErrorKind::corrupt, "has " + digest.str(), expected_->str());
    chunks_->set_digest(digest);
    return digest;
}

Result<> PartialFileOnDisk::discard() {
    chunks_->forget();
    if (auto gone = core_.fs.unlink(core_.partial.get(), (name_ + ".map").c_str()); !gone)
        return error(gone.error(), "removing the map of");
    if (auto gone = core_.fs.unlink(core_.partial.get(), name_.c_str()); !gone) return error(gone.error(), "removing");
    return {};
}

}  // namespace zcdp::store
