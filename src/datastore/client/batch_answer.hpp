// The answer to a batch of short files (docs/formats.md, `POST /v1/files`), taken apart as it comes: of each file its
// size and its bytes, which stay where they were received. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::datastore {

/// A file's bytes in an answer, which is kept as long as one of them is.
struct BatchFile {
    std::shared_ptr<const std::byte[]> answer;
    size_t offset = 0, length = 0;

    std::span<const std::byte> bytes() const { return {answer.get() + offset, length}; }
};

class BatchAnswer {
  public:
    /// Of files of these sizes, in the order in which they were asked for.
    explicit BatchAnswer(std::vector<uint64_t> sizes);

    /// Where the next bytes belong; empty when no more may come.
    std::span<std::byte> room() { return {buffer_.get() + filled_, size_ - filled_}; }
    /// So many came into room(). Errors: source_changed: a file has another size.
    Result<> came(size_t bytes);

    /// How many files are here, or are known not to be there.
    size_t known() const { return files_.size(); }
    bool is_whole() const { return known() == sizes_.size(); }
    /// Of the known ones; nothing: the server has no such file.
    std::optional<BatchFile> file(size_t index) const;

  private:
    struct Known {
        bool there;
        size_t offset;
    };
    std::vector<uint64_t> sizes_;
    const size_t size_;
    std::shared_ptr<std::byte[]> buffer_;
    std::vector<Known> files_;
    size_t filled_ = 0, begin_ = 0;  ///< begin_: of the next file's size
};

}  // namespace zcdp::datastore
