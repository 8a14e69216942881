#include "src/origin/remote/object_origin.hpp"

#include <fmt/format.h>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/listing.hpp"
#include "src/origin/remote/range_check.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin {
namespace {

Error changed(const std::string& what, const std::string& object) {
    return Error(ErrorKind::source_changed, "changed while it was being read: " + what, object);
}

bool is_whole(const ReadSpec& spec) { return spec.offset_bytes == 0 && spec.length_bytes == spec.object_bytes; }

/// An answer that is what was asked for.
struct Opened {
    std::unique_ptr<net::Response> answer;
    uint64_t skip_bytes = 0;  ///< before the range, from a server that sends the whole
    uint64_t end_bytes = 0;   ///< of the range, which is the beginning of what was asked for
    ObjectChecksum checksum;  ///< of the whole object
    ObjectChecksum of_range;
};

/// Opens ranges of objects and asks what objects are. Shared by an Origin and its bodies.
class Reader {
  public:
    explicit Reader(std::shared_ptr<Requester> requester) : requester_(std::move(requester)) {}

    Requester& requester() { return *requester_; }
    std::shared_ptr<Requester> shared_requester() const { return requester_; }
    std::string name_of(const std::string& path) const { return requester_->protocol().name_of(requester_->remote().prefix() + path); }

    Task<Result<ObjectInfo>> head(const std::string& path) { return requester_->head(requester_->remote().prefix() + path); }

    /// As much of it as one request can ask for.
    Task<Result<Opened>> open(ReadSpec spec) {
        const uint64_t checked_bytes = requester_->protocol().checked_range_bytes();
        const bool whole = is_whole(spec) && checked_bytes == 0;
        spec.length_bytes = request_end(spec.offset_bytes, spec.offset_bytes + spec.length_bytes, checked_bytes) - spec.offset_bytes;
        Call call = requester_->protocol().read_call(requester_->remote().prefix() + spec.path, spec, whole);
        call.body_bytes = spec.length_bytes;
        if (!whole) call.headers.emplace_back("Range", fmt::format("bytes={}-{}", spec.offset_bytes, spec.offset_bytes + spec.length_bytes - 1));
        for (uint32_t attempt = 1;; ++attempt) {
            auto sent = co_await requester_->send(call);
            if (!sent) co_return co_await changed_or_gone(std::move(sent).error(), std::move(spec.path));
            auto opened = accept(std::move(*sent), spec, call.key);
            if (opened) co_return opened;
            // A wrong answer may come from one broken server of many.
            const bool again = co_await requester_->retry_after(opened.error(), attempt);
            if (!again) co_return opened;
        }
    }

  private:
    /// Some services judge the condition before they look whether the object is there at all.
    Task<Error> changed_or_gone(Error error, std::string path) {
        if (error.kind() == ErrorKind::source_changed)
            if (auto now = co_await head(path); !now && now.error().kind() == ErrorKind::not_found) co_return std::move(now).error();
        co_return error;
    }

    Result<Opened> accept(std::unique_ptr<net::Response> answer, const ReadSpec& spec, const std::string& key) const {
        ZCDP_CHECK(check(*answer, spec));
        Protocol& protocol = requester_->protocol();
        auto of_range = protocol.range_checksum_of(*answer);
        if (!of_range) return std::move(of_range).error().about(protocol.name_of(key));
        const uint64_t skip = answer->status() == 200 ? spec.offset_bytes : 0;
        auto checksum = protocol.checksum_of(*answer, key);
        return Opened{std::move(answer), skip, spec.offset_bytes + spec.length_bytes, std::move(checksum), std::move(*of_range)};
    }

    /// Everything the header says against what was asked for.
    Result<> check(const net::Response& answer, const ReadSpec& spec) const {
        const Protocol& protocol = requester_->protocol();
        const std::string name = name_of(spec.path), tag = requester_->protocol().tag_of(answer);
        if (!spec.tag.empty() && !tag.empty() && tag != spec.tag && !faults::broken("etag"))
            return changed(fmt::format("its {} is {} now", protocol.tag_word(), printable(tag)), name);
        const auto length = answer.body_bytes();
        if (answer.status() == 200 && (is_whole(spec) || protocol.ranges_are_optional())) {
            if (length && *length != spec.object_bytes && !faults::broken("length"))
                return changed(fmt::format("it has {} bytes now, not {}", *length, spec.object_bytes), name);
            return {};
        }
        if (answer.status() != 206)
            return Error(ErrorKind::failed, fmt::format("HTTP {} instead of the range asked for", answer.status()), name);
        const auto range = parse_content_range(answer.header("content-range"));
        if (!range || range->first != spec.offset_bytes || range->last != spec.offset_bytes + spec.length_bytes - 1) {
            if (!faults::broken("range"))
                return Error(ErrorKind::failed, "another range than the one asked for: " + printable(answer.header("content-range")), name);
        }
        if (range && range->total != spec.object_bytes && !faults::broken("range"))
            return changed(fmt::format("it has {} bytes now, not {}", range->total, spec.object_bytes), name);
        if (length && *length != spec.length_bytes && !faults::broken("length"))
            return Error(ErrorKind::failed, fmt::format("{} bytes instead of {}", *length, spec.length_bytes), name);
        return {};
    }

    std::shared_ptr<Requester> requester_;
};

/// A range's bytes, counted and held to the bandwidth: one request, or as many as the service's checksums of ranges make
/// of it, one after the other on one connection. A server that falls silent is given up, and the rest asked for on another.
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
            skip_ -= std::min<uint64_t>(skip_, skipped);
        }
        ZCDP_CO_TRY(const size_t got, co_await receive(into.first(std::min<uint64_t>(into.size(), end_ - rest_.offset_bytes))));
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
        if (never_opened_ || handed_out) co_return broken;  // all attempts went into opening it, or the damage is behind us
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
        answer_ = std::move(opened.answer), skip_ = opened.skip_bytes, end_ = opened.end_bytes;
        if (!check_) check_.emplace(std::move(opened.of_range), rest_.offset_bytes);
    }

    Task<Result<size_t>> receive(std::span<std::byte> into) {
        auto got = co_await answer_->read_some(into);
        if (!got && got.error().kind() == ErrorKind::stalled && skip_ == 0) {
            reader_->requester().give_up(reader_->name_of(rest_.path), got.error());
            ZCDP_CO_CHECK(co_await open_rest());
            if (skip_ > 0) co_return Error(ErrorKind::unreachable, "the body was cut off, and the server has no ranges", reader_->name_of(rest_.path));
            got = co_await answer_->read_some(into);
        }
        if (!got) co_return std::move(got).error().about(reader_->name_of(rest_.path));
        if (*got == 0) co_return Error(ErrorKind::unreachable, fmt::format("the body ended {} bytes early", skip_ + end_ - rest_.offset_bytes), reader_->name_of(rest_.path));
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
    std::optional<RangeCheck> check_;
    bool never_opened_ = false;  ///< the request for the rest has failed for good
    ObjectChecksum checksum_;
    ReadSpec rest_;  ///< what has not been handed out
    std::shared_ptr<Reader> reader_;
};

class ObjectOrigin final : public Origin {
  public:
    explicit ObjectOrigin(std::shared_ptr<Requester> requester) : reader_(std::make_shared<Reader>(std::move(requester))) {}

    OriginIdentity identity() const override {
        const Protocol& protocol = reader_->requester().protocol();
        OriginIdentity out = protocol.identity();
        out.is_object = reader_->requester().remote().is_object || !protocol.single().empty();
        return out;
    }
    std::unique_ptr<Listing> list(const Selection&) override { return make_listing(reader_->shared_requester()); }
    Task<Result<ObjectInfo>> head(std::string path) override { return reader_->head(path); }
    Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) override {
        ZCDP_CO_TRY(Opened opened, co_await reader_->open(spec));
        co_return std::unique_ptr<Body>(std::make_unique<RemoteBody>(std::move(opened), std::move(spec), reader_));
    }
    Task<bool> retry_after(const Error& error, uint32_t attempt) override { return reader_->requester().retry_after(error, attempt); }
    uint32_t concurrency() const override { return reader_->requester().remote().concurrency.now(); }

  private:
    std::shared_ptr<Reader> reader_;
};

}  // namespace

std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Remote> remote, std::unique_ptr<Protocol> protocol, asio::any_io_executor executor) {
    return make_object_origin(std::make_shared<Requester>(std::move(remote), std::move(protocol), executor));
}

std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Requester> requester) { return std::make_unique<ObjectOrigin>(std::move(requester)); }

}  // namespace zcdp::origin
