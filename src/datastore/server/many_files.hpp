// Many small files of one version in one answer (docs/formats.md, `POST /v1/files/KEY`): of each its size and its
// bytes, read as the peer takes them.
//
// Thread rule: one thread at a time. Memory: kMemoryBytes, and the paths.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::datastore {

/// Whether a path can be a file's below a tree. Pure.
bool is_file_path(std::string_view path);

class ManyFiles {
  public:
    static constexpr size_t kPathsMax = 4'096, kPathsBytesMax = size_t{17} << 20;
    static constexpr uint64_t kFileBytesMax = 8 << 20;  ///< of each
    static constexpr uint64_t kBytesMax = 64 << 20;     ///< of all together, beside the first
    static constexpr size_t kMemoryBytes = 1 << 20;

    /// A body's paths, one a line. Errors: refused: too many, or what is no file's path.
    static Result<std::vector<std::string>> parse_paths(std::string_view body);

    ManyFiles(Fs& fs, Fd tree, std::vector<std::string> paths)
        : fs_(fs), tree_(std::move(tree)), paths_(std::move(paths)) {}

    /// Sends all of it. Errors: refused: a file, or all together, over their limits; corrupt: a file shorter than it
    /// was; the sink's.
    Task<Result<>> send(asio::thread_pool& pool, Counter& sent_bytes, net::server::BodySink& sink);

  private:
    Result<> fill();
    Result<> open_next();
    Result<> read_open(size_t room);
    bool ended() const { return next_ == paths_.size() && !file_; }

    Fs& fs_;
    const Fd tree_;
    const std::vector<std::string> paths_;
    size_t next_ = 0;                   ///< the path that is opened next
    Fd file_;                           ///< of which not all is in the answer
    uint64_t at_ = 0, size_bytes_ = 0;  ///< in it
    uint64_t total_bytes_ = 0;
    std::string piece_;
};

}  // namespace zcdp::datastore
