#include "src/datastore/client/batch_answer.hpp"

#include <numeric>

#include "zcdp/base/little_endian.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint64_t kNotThere = UINT64_MAX;

}  // namespace

BatchAnswer::BatchAnswer(std::vector<uint64_t> sizes)
    : sizes_(std::move(sizes)),
      size_(std::accumulate(sizes_.begin(), sizes_.end(), sizes_.size() * kU64Bytes)),
      buffer_(std::make_shared_for_overwrite<std::byte[]>(size_)) {
    files_.reserve(sizes_.size());
}

Result<> BatchAnswer::came(size_t bytes) {
    filled_ += bytes;
    while (!is_whole() && filled_ - begin_ >= kU64Bytes) {
        const uint64_t stated = get_u64(std::span(reinterpret_cast<const uint8_t*>(buffer_.get() + begin_), kU64Bytes));
        const uint64_t wanted = sizes_[files_.size()];
        if (stated != wanted && stated != kNotThere)
            return Error(ErrorKind::source_changed,
                         "comes with " + std::to_string(stated) + " bytes instead of " + std::to_string(wanted));
        const size_t length = stated == kNotThere ? 0 : wanted;
        if (filled_ - begin_ - kU64Bytes < length) break;
        files_.push_back({stated != kNotThere, begin_ + kU64Bytes});
        begin_ += kU64Bytes + length;
    }
    return {};
}

std::optional<BatchFile> BatchAnswer::file(size_t index) const {
    const Known& known = files_[index];
    if (!known.there) return std::nullopt;
    return BatchFile{buffer_, known.offset, sizes_[index]};
}

}  // namespace zcdp::datastore
