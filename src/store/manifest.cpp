// The manifest codec: one canonical byte stream per tree (docs/formats.md "Manifest"), zstd around it on disk.
#include "zcdp/store/manifest.hpp"

#include <zstd.h>

#include <cstring>
#include <new>

#include "zcdp/base/little_endian.hpp"
#include "zcdp/base/paths.hpp"
#include "zcdp/base/varint.hpp"

namespace zcdp::store {
namespace {

constexpr std::string_view kMagic = "zcdp manifest 1\n";
constexpr uint8_t kTrailer = 0xff;
constexpr uint8_t kKindMask = 3, kExecutable = 4;
constexpr uint64_t kFileBytesMax = 1ull << 50;
constexpr size_t kIoBytes = 128 << 10;
constexpr int kLevel = 3;

Error corrupt(std::string what) { return Error(ErrorKind::corrupt, std::move(what), "manifest"); }

PathProblem check_entry(const ManifestEntry& entry, const std::string& last) {
    if (const auto problem = check_path(entry.path); problem != PathProblem::none) return problem;
    if (!last.empty() && entry.path <= last) return PathProblem::duplicate;
    if ((entry.kind == FileKind::directory) != entry.path.ends_with('/')) return PathProblem::empty_part;
    if (entry.kind == FileKind::symlink) return check_symlink(entry.path, entry.symlink_target);
    return PathProblem::none;
}

void count(ManifestTotals& totals, const ManifestEntry& entry) {
    switch (entry.kind) {
        case FileKind::file: ++totals.files, totals.bytes += entry.size_bytes; break;
        case FileKind::directory: ++totals.directories; break;
        case FileKind::symlink: ++totals.symlinks; break;
    }
}

void encode(std::string& out, const ManifestEntry& entry) {
    out.push_back(static_cast<char>(static_cast<uint8_t>(entry.kind) | (entry.executable ? kExecutable : 0)));
    put_varint(out, entry.path.size());
    out += entry.path;
    if (entry.kind == FileKind::symlink) {
        put_varint(out, entry.symlink_target.size());
        out += entry.symlink_target;
    } else if (entry.kind == FileKind::file) {
        put_varint(out, entry.size_bytes);
        const auto put = [&out](const Sha256Bytes& bytes) {
            out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        };
        if (entry.chunks.empty()) put(entry.digest.bytes);
        for (const auto& chunk : entry.chunks) put(chunk);
    }
}

class Writer final : public ManifestWriter {
  public:
    Writer(Fs& fs, int fd) : fs_(fs), fd_(fd), zstd_(ZSTD_createCCtx()) {
        if (!zstd_) throw std::bad_alloc();
        ZSTD_CCtx_setParameter(zstd_, ZSTD_c_compressionLevel, kLevel);
        ZSTD_CCtx_setParameter(zstd_, ZSTD_c_checksumFlag, 1);
        plain_ = kMagic;
    }
    ~Writer() override { ZSTD_freeCCtx(zstd_); }

    Result<> add(const ManifestEntry& entry) override {
        if (const auto problem = check_entry(entry, last_); problem != PathProblem::none)
            return Error(ErrorKind::refused, "cannot be in a tree: it " + std::string(describe(problem)), entry.path);
        if (const auto problem = order_.next(entry.path); problem != PathProblem::none)
            return Error(ErrorKind::refused, "cannot be in a tree: it " + std::string(describe(problem)), entry.path);
        if (entry.kind == FileKind::file) {
            const uint64_t chunks = chunk_count(entry.size_bytes);
            const bool fits = chunks == 1
                                  ? entry.chunks.empty() && entry.digest.kind == DigestKind::sha256
                                  : entry.chunks.size() == chunks && digest_of_chunks(entry.chunks) == entry.digest;
            if (!fits || entry.size_bytes > kFileBytesMax)
                return Error(ErrorKind::failed, "has digests that do not fit its size", entry.path);
        }
        last_ = entry.path;
        count(totals_, entry);
        encode(plain_, entry);
        return plain_.size() < kIoBytes ? Result<>() : compress(ZSTD_e_continue);
    }

    Result<SnapshotId> finish() override {
        plain_.push_back(static_cast<char>(kTrailer));
        for (const uint64_t value : {totals_.files, totals_.directories, totals_.symlinks, totals_.bytes})
            put_u64(plain_, value);
        ZCDP_CHECK(compress(ZSTD_e_end));
        return SnapshotId{hash_.finish()};
    }
    const ManifestTotals& totals() const override { return totals_; }

  private:
    Result<> compress(ZSTD_EndDirective end) {
        hash_.update(plain_);
        ZSTD_inBuffer in{plain_.data(), plain_.size(), 0};
        std::vector<char> packed(ZSTD_CStreamOutSize());
        for (size_t left = 1; left > 0;) {
            ZSTD_outBuffer out{packed.data(), packed.size(), 0};
            left = ZSTD_compressStream2(zstd_, &out, &in, end);
            if (ZSTD_isError(left)) return Error(ErrorKind::failed, ZSTD_getErrorName(left), "manifest");
            if (end == ZSTD_e_continue) left = in.size - in.pos;
            const auto bytes = std::as_bytes(std::span(packed).first(out.pos));
            if (auto put = fs_.write(fd_, bytes, offset_); !put)
                return system_error(put.error(), "writing", "manifest");
            offset_ += out.pos;
        }
        plain_.clear();
        return {};
    }

    Fs& fs_;
    int fd_;
    ZSTD_CCtx* zstd_;
    Sha256 hash_;
    std::string plain_, last_;
    PathOrder order_;
    uint64_t offset_ = 0;
    ManifestTotals totals_;
};

class Reader final : public ManifestReader {
  public:
    Reader(Fs& fs, int fd, uint64_t bytes_most) : fs_(fs), fd_(fd), bytes_left_(bytes_most), zstd_(ZSTD_createDCtx()) {
        if (!zstd_) throw std::bad_alloc();
        ZSTD_DCtx_setParameter(zstd_, ZSTD_d_windowLogMax, 24);
    }
    ~Reader() override { ZSTD_freeDCtx(zstd_); }

    Result<std::optional<ManifestEntry>> next() override {
        if (ended_) return std::nullopt;
        if (!begun_) {
            ZCDP_TRY(const auto magic, take(kMagic.size()));
            if (magic != kMagic) return corrupt("is none, or of a newer version");
            begun_ = true;
        }
        ZCDP_TRY(const uint8_t flags, take_byte());
        if (flags == kTrailer) {
            ZCDP_CHECK(end());
            return std::nullopt;
        }
        if ((flags & kKindMask) > 2 || (flags & ~(kKindMask | kExecutable)) != 0)
            return corrupt("has an unknown kind of entry");
        ManifestEntry entry;
        entry.kind = static_cast<FileKind>(flags & kKindMask);
        entry.executable = (flags & kExecutable) != 0;
        if (entry.executable && entry.kind != FileKind::file) return corrupt("has an executable that is no file");
        ZCDP_TRY(entry.path, take_text());
        if (entry.kind == FileKind::symlink) {
            ZCDP_TRY(entry.symlink_target, take_text());
        } else if (entry.kind == FileKind::file) {
            ZCDP_CHECK(take_content(entry));
        }
        if (check_entry(entry, last_) != PathProblem::none || order_.next(entry.path) != PathProblem::none)
            return corrupt("has a path out of order, or none: " + printable(entry.path));
        last_ = entry.path;
        count(totals_, entry);
        return entry;
    }
    SnapshotId id() const override { return id_; }
    const ManifestTotals& totals() const override { return totals_; }

  private:
    Result<> take_content(ManifestEntry& entry) {
        ZCDP_TRY(entry.size_bytes, take_varint());
        if (entry.size_bytes > kFileBytesMax) return corrupt("has a file over the limit");
        const uint64_t chunks = chunk_count(entry.size_bytes);
        for (uint64_t i = 0; i < chunks; ++i) {
            ZCDP_TRY(const auto raw, take(sizeof(Sha256Bytes)));
            std::memcpy(entry.chunks.emplace_back().data(), raw.data(), raw.size());
        }
        entry.digest = digest_of_chunks(entry.chunks);
        if (chunks == 1) entry.chunks.clear();
        return {};
    }

    Result<> end() {
        uint64_t values[4];
        for (uint64_t& value : values) {
            ZCDP_TRY(const auto raw, take(kU64Bytes));
            value = get_u64(raw);
        }
        if (values[0] != totals_.files || values[1] != totals_.directories || values[2] != totals_.symlinks ||
            values[3] != totals_.bytes)
            return corrupt("has totals that are not those of its entries");
        if (begin_ != plain_.size()) return corrupt("goes on after its end");
        ZCDP_TRY(const bool more, refill());
        if (more || !frame_ended_) return corrupt("goes on after its end, or is cut off");
        ended_ = true;
        id_ = SnapshotId{hash_.finish()};
        return {};
    }

    /// `bytes` of the plain stream; the view lives until the next call.
    Result<std::string_view> take(size_t bytes) {
        while (plain_.size() - begin_ < bytes) {
            ZCDP_TRY(const bool more, refill());
            if (!more) return corrupt("is cut off");
        }
        const std::string_view taken = std::string_view(plain_).substr(begin_, bytes);
        begin_ += bytes;
        return taken;
    }
    Result<uint8_t> take_byte() {
        ZCDP_TRY(const auto one, take(1));
        return static_cast<uint8_t>(one[0]);
    }
    Result<uint64_t> take_varint() {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 63; shift += 7) {
            ZCDP_TRY(const uint8_t byte, take_byte());
            value |= uint64_t{byte & 0x7fu} << shift;
            if (byte >= 0x80) continue;
            if (byte == 0 && shift > 0) return corrupt("has a number that is not in its shortest form");
            return value;
        }
        return corrupt("has a number over the limit");
    }
    Result<std::string> take_text() {
        ZCDP_TRY(const uint64_t length, take_varint());
        if (length > kPathBytesMax) return corrupt("has a path over the limit");
        ZCDP_TRY(const auto text, take(length));
        return std::string(text);
    }

    /// More of the plain stream; false at its end.
    Result<bool> refill() {
        plain_.erase(0, begin_);
        begin_ = 0;
        const size_t had = plain_.size();
        while (plain_.size() == had) {
            if (in_.pos == in_.size) {
                packed_.resize(kIoBytes);
                const auto got = fs_.read(fd_, std::as_writable_bytes(std::span(packed_)), offset_);
                if (!got) return system_error(got.error(), "reading", "manifest");
                if (*got == 0) return false;
                if (frame_ended_) return corrupt("goes on after its end");
                offset_ += *got;
                in_ = {packed_.data(), *got, 0};
            }
            plain_.resize(had + kIoBytes);
            ZSTD_outBuffer out{plain_.data() + had, kIoBytes, 0};
            const size_t left = ZSTD_decompressStream(zstd_, &out, &in_);
            plain_.resize(had + out.pos);
            if (ZSTD_isError(left)) return corrupt(std::string("does not decompress: ") + ZSTD_getErrorName(left));
            frame_ended_ = left == 0;
            if (frame_ended_ && in_.pos < in_.size) return corrupt("goes on after its end");
        }
        if (plain_.size() - had > bytes_left_) return corrupt("is longer than it may be");
        bytes_left_ -= plain_.size() - had;
        hash_.update(std::string_view(plain_).substr(had));
        return true;
    }

    Fs& fs_;
    int fd_;
    uint64_t bytes_left_;  ///< that the plain stream may still have
    ZSTD_DCtx* zstd_;
    Sha256 hash_;
    std::string packed_, plain_, last_;
    PathOrder order_;
    size_t begin_ = 0;
    uint64_t offset_ = 0;
    ZSTD_inBuffer in_{nullptr, 0, 0};
    bool begun_ = false, ended_ = false, frame_ended_ = false;
    SnapshotId id_;
    ManifestTotals totals_;
};

}  // namespace

std::optional<SnapshotId> SnapshotId::parse(std::string_view hex) {
    const auto bytes = sha256_from_hex(hex);
    if (!bytes) return std::nullopt;
    return SnapshotId{*bytes};
}

std::unique_ptr<ManifestWriter> ManifestWriter::create(Fs& fs, int fd) { return std::make_unique<Writer>(fs, fd); }
std::unique_ptr<ManifestReader> ManifestReader::create(Fs& fs, int fd, uint64_t bytes_most) {
    return std::make_unique<Reader>(fs, fd, bytes_most);
}

}  // namespace zcdp::store
