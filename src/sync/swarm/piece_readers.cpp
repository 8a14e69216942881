#include "src/sync/swarm/piece_readers.hpp"

#include <algorithm>
#include <utility>

namespace zcdp::sync {
namespace {

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

class RunReader final : public swarm::PieceReader {
  public:
    RunReader(store::Content& content, Fs& fs, std::vector<RunFile> files, std::shared_ptr<const void> held)
        : content_(content), fs_(fs), files_(std::move(files)), held_(std::move(held)) {}

    Result<size_t> read_some(std::span<std::byte> into) override {
        size_t filled = 0;
        while (filled < into.size() && next_ < files_.size()) {
            const RunFile& file = files_[next_];
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
        if (next_ == files_.size()) held_.reset();
        return filled;
    }

  private:
    store::Content& content_;
    Fs& fs_;
    const std::vector<RunFile> files_;
    std::shared_ptr<const void> held_;
    size_t next_ = 0;
    uint64_t at_ = 0;
    Fd open_;
};

}  // namespace

Error not_here() { return Error(ErrorKind::not_found, "is not here"); }

std::unique_ptr<swarm::PieceReader> read_chunk(std::shared_ptr<store::ChunkSource> source, const swarm::Piece& what) {
    return std::make_unique<ChunkReader>(std::move(source), what.chunk * kChunkBytes, what.size_bytes);
}

std::unique_ptr<swarm::PieceReader> read_run(store::Content& content, Fs& fs, std::vector<RunFile> files,
                                             std::shared_ptr<const void> held) {
    return std::make_unique<RunReader>(content, fs, std::move(files), std::move(held));
}

std::optional<net::server::FileRange> range_of(store::Content& content, const Digest& file, const swarm::Piece& what) {
    auto blob = content.open_blob(file);
    if (!blob) return std::nullopt;
    return net::server::FileRange{std::move(*blob), what.chunk * kChunkBytes, what.size_bytes};
}

}  // namespace zcdp::sync
