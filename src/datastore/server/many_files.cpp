#include "src/datastore/server/many_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include "zcdp/base/little_endian.hpp"
#include "zcdp/base/paths.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint64_t kNotThere = UINT64_MAX;

}  // namespace

bool is_file_path(std::string_view path) { return !path.ends_with('/') && check_path(path) == PathProblem::none; }

Result<std::vector<std::string>> ManyFiles::parse_paths(std::string_view body) {
    std::vector<std::string> paths;
    while (!body.empty()) {
        const std::string_view line = body.substr(0, body.find('\n'));
        body.remove_prefix(std::min(body.size(), line.size() + 1));
        if (!is_file_path(line)) return Error(ErrorKind::refused, "is no file's path", std::string(line));
        if (paths.size() == kPathsMax)
            return Error(ErrorKind::refused, fmt::format("asks for more than {} files at once", kPathsMax));
        paths.emplace_back(line);
    }
    return paths;
}

Task<Result<>> ManyFiles::send(asio::thread_pool& pool, Counter& sent_bytes, net::server::BodySink& sink) {
    while (!ended()) {
        const auto fill_piece = [this] { return fill(); };
        ZCDP_CO_CHECK(co_await offload(pool, fill_piece));
        sent_bytes.add(piece_.size());
        ZCDP_CO_CHECK(co_await sink.write(piece_));
    }
    co_return Result<>();
}

Result<> ManyFiles::fill() {
    piece_.clear();
    while (!ended() && piece_.size() + kU64Bytes < kMemoryBytes) {
        if (!file_) ZCDP_CHECK(open_next());
        if (file_) ZCDP_CHECK(read_open(kMemoryBytes - piece_.size()));
    }
    return {};
}

/// Puts its size into the piece.
Result<> ManyFiles::open_next() {
    const std::string& path = paths_[next_++];
    auto file = fs_.open_beneath(tree_.get(), path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const auto st = file ? fs_.stat_fd(file->get()) : SysResult<struct stat>(file.error());
    if (!st || !S_ISREG(st->st_mode)) {
        put_u64(piece_, kNotThere);
        return {};
    }
    size_bytes_ = static_cast<uint64_t>(st->st_size), at_ = 0;
    if (size_bytes_ > kFileBytesMax) return Error(ErrorKind::refused, "is too large to be asked for so", path);
    if (next_ > 1) total_bytes_ += size_bytes_;
    if (total_bytes_ > kBytesMax) return Error(ErrorKind::refused, "and those before are too much at once", path);
    put_u64(piece_, size_bytes_);
    if (size_bytes_ > 0) file_ = std::move(*file);
    return {};
}

Result<> ManyFiles::read_open(size_t room) {
    const size_t had = piece_.size();
    const size_t part = std::min<uint64_t>(room, size_bytes_ - at_);
    piece_.resize(had + part);
    const auto got = fs_.read(file_.get(), std::as_writable_bytes(std::span(piece_).subspan(had)), at_);
    if (!got) return system_error(got.error(), "reading", paths_[next_ - 1]);
    if (*got != part) return Error(ErrorKind::corrupt, "is shorter than it was", paths_[next_ - 1]);
    at_ += part;
    if (at_ == size_bytes_) file_.reset();
    return {};
}

}  // namespace zcdp::datastore
