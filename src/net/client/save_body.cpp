#include "zcdp/net/save_body.hpp"

#include <vector>

namespace zcdp::net {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

Task<Result<>> save_body(Response& answer, Fs& fs, int file, uint64_t limit_bytes) {
    std::vector<std::byte> buffer(kReadBytes);
    for (uint64_t offset = 0;;) {
        ZCDP_CO_TRY(const size_t got, co_await answer.read_some(buffer));
        if (got == 0) co_return Result<>();
        if (got > limit_bytes - offset) co_return Error(ErrorKind::refused, "the answer is over the limit");
        if (auto put = fs.write(file, std::span(buffer).first(got), offset); !put)
            co_return system_error(put.error(), "writing", "a scratch file");
        offset += got;
    }
}

}  // namespace zcdp::net
