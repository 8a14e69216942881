#include "src/origin/remote/object_origin.hpp"

#include <fmt/format.h>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/listing.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin {
namespace {

constexpr size_t kInfoBytesMax = 256 << 10;

Error changed(const std::string& what, const std::string& object) {
    return Error(ErrorKind::source_changed, "changed while it was being read: " + what, object);
}

/// A range's bytes, counted and held to the bandwidth.
class RemoteBody final : public Body {
  public:
    /// `skip`: bytes that come before the range, from a server that sends the whole.
    RemoteBody(std::unique_ptr<net::Response> answer, uint64_t skip, uint64_t bytes, ObjectChecksum checksum, std::shared_ptr<Requester> requester, std::string name)
        : answer_(std::move(answer)), skip_(skip), left_(bytes), checksum_(std::move(checksum)), requester_(std::move(requester)), name_(std::move(name)) {}

    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        if (left_ == 0 || into.empty()) co_return size_t{0};
        while (skip_ > 0) {
            ZCDP_CO_TRY(const size_t skipped, co_await receive(into.first(std::min<uint64_t>(into.size(), skip_))));
            skip_ -= skipped;
        }
        ZCDP_CO_TRY(const size_t got, co_await receive(into.first(std::min<uint64_t>(into.size(), left_))));
        left_ -= got;
        co_return got;
    }
    const ObjectChecksum& checksum() const override { return checksum_; }

  private:
    Task<Result<size_t>> receive(std::span<std::byte> into) {
        auto got = co_await answer_->read_some(into);
        if (!got) co_return std::move(got).error().about(name_);
        if (*got == 0) co_return Error(ErrorKind::unreachable, fmt::format("the body ended {} bytes early", skip_ + left_), name_);
        Remote& remote = requester_->remote();
        remote.bytes.add(*got);
        if (remote.options.bytes_per_second > 0) {
            const uint64_t rest = remote.limiter.rest_ms(*got, remote.machine.clock.monotonic_ns());
            if (rest > 0) co_await sleep_ms(rest);
        }
        co_return got;
    }

    std::unique_ptr<net::Response> answer_;
    uint64_t skip_, left_;
    ObjectChecksum checksum_;
    std::shared_ptr<Requester> requester_;
    std::string name_;
};

class ObjectOrigin final : public Origin {
  public:
    explicit ObjectOrigin(std::shared_ptr<Requester> requester) : requester_(std::move(requester)) {}

    OriginIdentity identity() const override { return requester_->protocol().identity(); }
    std::unique_ptr<Listing> list() override { return make_listing(requester_); }

    Task<Result<ObjectInfo>> head(std::string path) override {
        Call call = requester_->protocol().head_call(requester_->remote().prefix + path);
        const bool bodiless = call.method == "HEAD";
        const std::string name = requester_->protocol().name_of(call.key);
        const std::string key = call.key;
        ZCDP_CO_TRY(const auto answer, co_await requester_->send(std::move(call)));
        std::string body;
        if (!bodiless) {
            auto text = co_await answer->read_all(kInfoBytesMax);
            if (!text) co_return std::move(text).error().about(name);
            body = std::move(*text);
        }
        co_return requester_->protocol().info_of(*answer, body, key);
    }

    Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) override {
        const bool whole = spec.offset_bytes == 0 && spec.length_bytes == spec.object_bytes;
        Call call = requester_->protocol().read_call(requester_->remote().prefix + spec.path, spec, whole);
        call.body_bytes = spec.length_bytes;
        if (!whole) call.headers.emplace_back("Range", fmt::format("bytes={}-{}", spec.offset_bytes, spec.offset_bytes + spec.length_bytes - 1));
        const std::string name = requester_->protocol().name_of(call.key);
        for (uint32_t attempt = 1;; ++attempt) {
            auto sent = co_await requester_->send(call);
            if (!sent) co_return co_await changed_or_gone(std::move(sent).error(), std::move(spec.path));
            auto answer = std::move(*sent);
            auto checked = check(*answer, spec, whole, name);
            if (checked) {
                const uint64_t skip = answer->status() == 200 && !whole ? spec.offset_bytes : 0;
                auto checksum = requester_->protocol().checksum_of(*answer, call.key);
                co_return std::unique_ptr<Body>(std::make_unique<RemoteBody>(std::move(answer), skip, spec.length_bytes, std::move(checksum), requester_, name));
            }
            // A wrong answer may come from one broken server of many.
            const bool again = co_await requester_->retry_after(checked.error(), attempt);
            if (!again) co_return std::move(checked).error();
        }
    }

    Task<bool> retry_after(const Error& error, uint32_t attempt) override { return requester_->retry_after(error, attempt); }
    uint32_t concurrency() const override { return requester_->remote().concurrency.now(); }

  private:
    /// Some services judge the condition before they look whether the object is there at all.
    Task<Error> changed_or_gone(Error error, std::string path) {
        if (error.kind() == ErrorKind::source_changed)
            if (auto now = co_await head(std::move(path)); !now && now.error().kind() == ErrorKind::not_found) co_return std::move(now).error();
        co_return error;
    }

    /// Everything the header says against what was asked for.
    Result<> check(const net::Response& answer, const ReadSpec& spec, bool whole, const std::string& name) const {
        const std::string tag = requester_->protocol().tag_of(answer);
        if (!spec.tag.empty() && !tag.empty() && tag != spec.tag && !faults::broken("etag"))
            return changed(fmt::format("its {} is {} now", requester_->protocol().tag_word(), printable(tag)), name);
        const auto length = answer.body_bytes();
        if (answer.status() == 200 && (whole || requester_->protocol().ranges_are_optional())) {
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

}  // namespace

std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Remote> remote, std::unique_ptr<Protocol> protocol, asio::any_io_executor executor) {
    return make_object_origin(std::make_shared<Requester>(std::move(remote), std::move(protocol), executor));
}

std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Requester> requester) { return std::make_unique<ObjectOrigin>(std::move(requester)); }

}  // namespace zcdp::origin
