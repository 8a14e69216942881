#include "src/origin/s3/s3_origin.hpp"

#include <fmt/format.h>

#include "src/origin/s3/listing.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin::s3 {
namespace {

Error changed(const std::string& what, const std::string& object) {
    return Error(ErrorKind::source_changed, "changed while it was being read: " + what, object);
}

/// A range's bytes, counted and held to the bandwidth.
class S3Body final : public Body {
  public:
    S3Body(std::unique_ptr<net::Response> answer, uint64_t bytes, std::shared_ptr<Client> client, std::string name)
        : answer_(std::move(answer)), left_(bytes), checksum_(checksum_of(*answer_)), client_(std::move(client)), name_(std::move(name)) {}

    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        if (left_ == 0) co_return size_t{0};
        if (into.size() > left_) into = into.first(left_);
        auto got = co_await answer_->read_some(into);
        if (!got) co_return std::move(got).error().about(name_);
        if (*got == 0) co_return Error(ErrorKind::unreachable, fmt::format("the body ended {} bytes early", left_), name_);
        left_ -= *got;
        Shared& shared = client_->shared();
        shared.bytes.add(*got);
        if (shared.options.bytes_per_second > 0) {
            const uint64_t rest = shared.limiter.rest_ms(*got, shared.machine.clock.monotonic_ns());
            if (rest > 0) co_await sleep_ms(rest);
        }
        co_return got;
    }
    const ObjectChecksum& checksum() const override { return checksum_; }

  private:
    std::unique_ptr<net::Response> answer_;
    uint64_t left_;
    ObjectChecksum checksum_;
    std::shared_ptr<Client> client_;
    std::string name_;
};

class S3Origin final : public Origin {
  public:
    S3Origin(std::shared_ptr<Shared> shared, asio::any_io_executor executor)
        : shared_(std::move(shared)), client_(std::make_shared<Client>(shared_, executor)) {}

    OriginIdentity identity() const override {
        const Address address = shared_->address();
        // The region's host of AWS is no part of the identity: bucket names are unique over all of them.
        return {address.aws ? "https://s3.amazonaws.com" : net::Endpoint::parse(endpoint_text()).value().url(),
                shared_->bucket, shared_->prefix, shared_->credentials.identity()};
    }

    std::unique_ptr<Listing> list() override { return make_listing(client_); }

    Task<Result<ObjectInfo>> head(std::string path) override {
        S3Request request;
        request.method = "HEAD";
        request.key = shared_->prefix + path;
        request.headers = {{"x-amz-checksum-mode", "ENABLED"}};
        ZCDP_CO_TRY(const auto answer, co_await client_->send(std::move(request)));
        ObjectInfo info;
        if (const auto size = content_length(*answer)) info.size_bytes = *size;
        info.tag = plain_tag(answer->header("etag"));
        info.checksum = checksum_of(*answer);
        co_return info;
    }

    Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) override {
        const bool whole = spec.offset_bytes == 0 && spec.length_bytes == spec.object_bytes;
        S3Request request;
        request.key = shared_->prefix + spec.path;
        request.body_bytes = spec.length_bytes;
        if (!spec.tag.empty()) request.headers.emplace_back("If-Match", "\"" + spec.tag + "\"");
        if (whole) request.headers.emplace_back("x-amz-checksum-mode", "ENABLED");
        else request.headers.emplace_back("Range", fmt::format("bytes={}-{}", spec.offset_bytes, spec.offset_bytes + spec.length_bytes - 1));
        for (uint32_t attempt = 1;; ++attempt) {
            ZCDP_CO_TRY(auto answer, co_await client_->send(request));
            const std::string name = client_->object_name(request.key);
            auto checked = check(*answer, spec, whole, name);
            if (checked)
                co_return std::unique_ptr<Body>(std::make_unique<S3Body>(std::move(answer), spec.length_bytes, client_, name));
            // A wrong answer may come from one broken server of many.
            const bool again = co_await client_->retry_after(checked.error(), attempt);
            if (!again) co_return std::move(checked).error();
        }
    }

    Task<bool> retry_after(const Error& error, uint32_t attempt) override { return client_->retry_after(error, attempt); }
    uint32_t concurrency() const override { return shared_->concurrency.now(); }

  private:
    std::string endpoint_text() const {
        Address address = shared_->address();
        if (address.path_prefix.empty()) address.endpoint.host.erase(0, shared_->bucket.size() + 1);
        return address.endpoint.url();
    }

    static std::optional<uint64_t> content_length(const net::Response& answer) {
        return answer.body_bytes();
    }

    /// Everything the header says against what was asked for.
    Result<> check(const net::Response& answer, const ReadSpec& spec, bool whole, const std::string& name) const {
        const std::string tag = plain_tag(answer.header("etag"));
        if (!spec.tag.empty() && !tag.empty() && tag != spec.tag && !faults::broken("etag"))
            return changed("its ETag is " + printable(tag) + " now", name);
        const auto length = answer.body_bytes();
        if (whole && answer.status() == 200) {
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

    std::shared_ptr<Shared> shared_;
    std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<Origin> make_s3_origin(std::shared_ptr<Shared> shared, asio::any_io_executor executor) {
    return std::make_unique<S3Origin>(std::move(shared), executor);
}

}  // namespace zcdp::origin::s3
