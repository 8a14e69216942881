#include "src/net/server/connection.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace zcdp::net::server {
namespace {

constexpr size_t kRoomLeast = 4 << 10, kRoomFirst = 16 << 10;
constexpr size_t kPieceBytes = 64 << 10;
constexpr size_t kKeptBytes = 64 << 10;

}  // namespace

void Input::use(size_t count) {
    begin_ += count;
    if (begin_ < end_) return;
    begin_ = end_ = 0;
    if (capacity_ > kKeptBytes) storage_.reset(), capacity_ = 0;
}

std::span<char> Input::room() {
    if (capacity_ - end_ >= kRoomLeast) return {storage_.get() + end_, capacity_ - end_};
    const size_t held = end_ - begin_;
    if (capacity_ - held < kRoomLeast) {
        capacity_ = std::max(kRoomFirst, 2 * capacity_);
        auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
        if (held > 0) std::memcpy(larger.get(), storage_.get() + begin_, held);
        storage_ = std::move(larger);
    } else {
        std::memmove(storage_.get(), storage_.get() + begin_, held);
    }
    begin_ = 0, end_ = held;
    return {storage_.get() + end_, capacity_ - end_};
}

Task<Result<std::string>> RequestBody::all(uint64_t limit_bytes) {
    std::string whole;
    while (true) {
        const auto piece = co_await next();
        if (!piece) co_return piece.error();
        if (piece->empty()) co_return whole;
        if (piece->size() > limit_bytes - whole.size()) co_return too_long();
        whole += *piece;
    }
}

Error InputBody::fail(int status, ErrorKind kind, std::string what) {
    failed_status_ = status;
    return Error(kind, std::move(what));
}

Error InputBody::too_long() { return fail(413, ErrorKind::refused, "the request's body is too long"); }

Error InputBody::cut_off() {
    if (stream_.timed_out()) return fail(408, ErrorKind::timeout, "the request's body does not come");
    return fail(400, ErrorKind::unreachable, "the request's body was cut off");
}

/// Who waits for it is told to send.
Task<bool> InputBody::go_on() {
    if (!expects_continue_ || !input_.unused().empty()) co_return true;
    expects_continue_ = false;
    co_return co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n", false, options_.progress_ms);
}

Task<bool> InputBody::receive() {
    if (!co_await go_on()) co_return false;
    const size_t got = co_await stream_.read_some(input_.room(), Deadline::in_ms(options_.progress_ms));
    input_.received(got);
    co_return got > 0;
}

Task<Result<std::string_view>> InputBody::next() {
    piece_.resize(chunked_ ? kPieceBytes : std::min<uint64_t>(kPieceBytes, left_));
    if (piece_.empty()) co_return std::string_view();
    const auto got = co_await read_some(piece_);
    if (!got) co_return got.error();
    co_return std::string_view(piece_).substr(0, *got);
}

Task<Result<size_t>> InputBody::read_some(std::span<char> into) {
    if (failed_status_ != 0) co_return Error(ErrorKind::refused, "the request's body cannot be read");
    if (ended()) co_return size_t{0};
    if (chunked_) co_return co_await read_chunked(into);
    if (left_ > options_.body_bytes_max - taken_) co_return too_long();
    co_return co_await read_plain(into.first(std::min<uint64_t>(into.size(), left_)));
}

/// What was not received with the header goes straight to where it is wanted.
Task<Result<size_t>> InputBody::read_plain(std::span<char> into) {
    size_t got = std::min(into.size(), input_.unused().size());
    if (got > 0) {
        std::memcpy(into.data(), input_.unused().data(), got);
        input_.use(got);
    } else {
        if (co_await go_on()) got = co_await stream_.read_some(into, Deadline::in_ms(options_.progress_ms));
        if (got == 0) co_return cut_off();
    }
    left_ -= got, taken_ += got;
    co_return got;
}

Task<Result<size_t>> InputBody::read_chunked(std::span<char> into) {
    while (!chunks_.ended()) {
        if (input_.unused().empty() && !co_await receive()) co_return cut_off();
        const auto step = chunks_.decode(input_.unused(), std::as_writable_bytes(into));
        if (!step) co_return fail(400, ErrorKind::refused, step.error().what());
        input_.use(step->consumed);
        if (step->produced == 0) continue;
        taken_ += step->produced;
        if (taken_ > options_.body_bytes_max) co_return too_long();
        co_return step->produced;
    }
    co_return size_t{0};
}

bool InputBody::is_short() const {
    return failed_status_ == 0 && (ended() || (!chunked_ && !expects_continue_ && left_ <= options_.unread_bytes_max));
}

Task<bool> InputBody::skip() {
    while (!ended()) {
        if (input_.unused().empty() && !co_await receive()) co_return false;
        const auto passed = std::min<uint64_t>(left_, input_.unused().size());
        input_.use(passed);
        left_ -= passed;
    }
    co_return true;
}

}  // namespace zcdp::net::server
