#include "src/origin/remote/object_origin.hpp"

#include <fmt/format.h>

#include "src/origin/remote/listing.hpp"
#include "src/origin/remote/range_check.hpp"
#include "src/origin/remote/reader.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin {
namespace {

/// A range's bytes, counted and held to the bandwidth: one request, or as many as the service's checksums of ranges
/// make of it, one after the other on one connection. A server that falls silent is given up, and the rest asked for on
/// another.
class RemoteBody final : public Body {
  public:
    RemoteBody(Opened opened, ReadSpec rest, std::shared_ptr<Reader> reader)
        : checksum_(opened.checksum), rest_(std::move(rest)), reader_(std::move(reader)) {
        take(std::move(opened));
    }

    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        if (rest_.length_bytes == 0 || into.empty()) co_return size_t{0};
        if (!answer_) ZCDP_CO_CHECK(co_await open_rest());
        while (skip_ > 0) {
            ZCDP_CO_TRY(const size_t skipped, co_await receive(into.first(std::min<uint64_t>(into.size(), skip_))));
            skip_ -= skipped;
        }
        ZCDP_CO_TRY(const size_t got,
                    co_await receive(into.first(std::min<uint64_t>(into.size(), end_ - rest_.offset_bytes))));
        if (is_last_ && rest_.offset_bytes + got == end_) ZCDP_CO_CHECK(co_await expect_end());
        rest_.offset_bytes += got, rest_.length_bytes -= got;
        check_->update(into.first(got));
        if (rest_.offset_bytes == end_) {
            answer_.reset();
            ZCDP_CO_CHECK(std::exchange(check_, std::nullopt)->finish(reader_->name_of(rest_.path)));
        }
        co_return got;
    }

    Task<Result<>> resume(Error broken, uint32_t attempt) override {
        answer_.reset();
        const bool handed_out = broken.kind() == ErrorKind::corrupt;
        if (never_opened_ || handed_out)
            co_return broken;  // all attempts went into opening it, or the damage is behind us
        const bool again = co_await reader_->requester().retry_after(broken, attempt);
        if (!again) co_return broken;
        co_return co_await open_rest();
    }
    const ObjectChecksum& checksum() const override { return checksum_; }

  private:
    /// What is left of the range whose check goes on, or the next one.
    Task<Result<>> open_rest() {
        answer_.reset();
        ReadSpec next = rest_;
        if (check_) next.length_bytes = end_ - next.offset_bytes;
        auto opened = co_await reader_->open(std::move(next));
        never_opened_ = !opened;
        if (!opened) co_return std::move(opened).error();
        take(std::move(*opened));
        co_return Result<>();
    }

    void take(Opened opened) {
        answer_ = std::move(opened.answer), skip_ = opened.skip_bytes, end_ = opened.end_bytes,
        is_last_ = opened.is_last;
        if (!check_) check_.emplace(std::move(opened.of_range), rest_.offset_bytes);
    }

    /// A body whose length is stated ends there. Of another only one more read tells whether it ends where it should.
    Task<Result<>> expect_end() {
        if (answer_->body_bytes() || faults::broken("body-end")) co_return Result<>();
        std::byte one[1];
        auto more = co_await answer_->read_some(one);
        if (!more) co_return std::move(more).error().about(reader_->name_of(rest_.path));
        if (*more == 0) co_return Result<>();
        Error longer =
            other_bytes(*answer_, fmt::format("more than the {}", rest_.object_bytes), reader_->name_of(rest_.path));
        answer_.reset();
        co_return co_await reader_->explain(std::move(longer), rest_);
    }

    /// What comes next. A server that falls silent is given up, and the rest asked for again.
    Task<Result<size_t>> receive(std::span<std::byte> into) {
        auto got = co_await answer_->read_some(into);
        if (!got && got.error().kind() == ErrorKind::stalled && skip_ == 0) {
            reader_->requester().give_up(reader_->name_of(rest_.path), got.error());
            auto rest = co_await open_rest();
            if ((rest && skip_ > 0) || (!rest && rest.error().kind() == ErrorKind::no_ranges))
                co_return Error(ErrorKind::unreachable, "the body was cut off, and the server has no ranges",
                                reader_->name_of(rest_.path));
            if (!rest) co_return std::move(rest).error();
            got = co_await answer_->read_some(into);
        }
        if (!got) co_return std::move(got).error().about(reader_->name_of(rest_.path));
        if (*got == 0)
            co_return Error(ErrorKind::unreachable,
                            fmt::format("the body ended {} bytes early", skip_ + end_ - rest_.offset_bytes),
                            reader_->name_of(rest_.path));
        Remote& remote = reader_->requester().remote();
        remote.bytes.add(*got);
        if (remote.options.bytes_per_second > 0) {
            const uint64_t rest = remote.limiter.rest_ms(*got, remote.machine.clock.monotonic_ns());
            if (rest > 0) co_await sleep_ms(rest);
        }
        co_return got;
    }

    std::unique_ptr<net::Response> answer_;
    uint64_t skip_ = 0, end_ = 0;  ///< before the range that was asked for last; its end
    bool is_last_ = false;         ///< nothing may follow it in this answer
    std::optional<RangeCheck> check_;
    bool never_opened_ = false;  ///< the request for the rest has failed for good
    ObjectChecksum checksum_;
    ReadSpec rest_;  ///< what has not been handed out
    std::shared_ptr<Reader> reader_;
};

class ObjectOrigin final : public Origin {
  public:
    explicit ObjectOrigin(std::shared_ptr<Requester> requester)
        : reader_(std::make_shared<Reader>(std::move(requester))) {}

    OriginIdentity identity() const override {
        const Protocol& protocol = reader_->requester().protocol();
        OriginIdentity out = protocol.identity();
        out.is_object = reader_->requester().remote().is_object || !protocol.single().empty();
        return out;
    }
    std::unique_ptr<Listing> list(const Selection& selection) override {
        return make_listing(reader_->shared_requester(), selection);
    }
    Task<Result<ObjectInfo>> head(std::string path) override { return reader_->head(path); }
    Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) override {
        ZCDP_CO_TRY(Opened opened, co_await reader_->open(spec));
        co_return std::unique_ptr<Body>(std::make_unique<RemoteBody>(std::move(opened), std::move(spec), reader_));
    }
    Task<Result<uint64_t>> part_bytes(std::string path, Tag tag, uint32_t number) override {
        return reader_->part_bytes(path, tag, number);
    }
    Task<bool> retry_after(const Error& error, uint32_t attempt) override {
        return reader_->requester().retry_after(error, attempt);
    }
    uint32_t concurrency() const override { return reader_->requester().remote().concurrency.now(); }

  private:
    std::shared_ptr<Reader> reader_;
};

}  // namespace

std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Remote> remote, std::unique_ptr<Protocol> protocol,
                                           asio::any_io_executor executor) {
    return make_object_origin(std::make_shared<Requester>(std::move(remote), std::move(protocol), executor));
}

std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Requester> requester) {
    return std::make_unique<ObjectOrigin>(std::move(requester));
}

}  // namespace zcdp::origin
