#include "src/origin/http/http_origin.hpp"

#include "src/origin/http/http_protocol.hpp"
#include "src/origin/http/listing.hpp"
#include "src/origin/remote/object_origin.hpp"

namespace zcdp::origin::http {
namespace {

/// Reads are those of any object; what lists or digests state is known before the first of them.
class HttpOrigin final : public Origin {
  public:
    HttpOrigin(std::shared_ptr<WebSource> shared, asio::any_io_executor executor)
        : shared_(shared),
          requester_(std::make_shared<Requester>(shared, make_http_protocol(shared), executor)),
          files_(make_object_origin(requester_)) {}

    OriginIdentity identity() const override { return files_->identity(); }
    std::unique_ptr<Listing> list(const Selection& selection) override { return make_listing(around(), selection); }
    Task<Result<ObjectInfo>> head(std::string path) override {
        ZCDP_CO_CHECK(co_await load_claims(around()));
        ZCDP_CO_TRY(Looked looked, co_await look(around(), std::move(path), false));
        looked.info.has_ranges = shared_->has_ranges(looked.info.has_ranges);
        co_return std::move(looked.info);
    }
    Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) override {
        ZCDP_CO_CHECK(co_await load_claims(around()));
        co_return co_await files_->read(std::move(spec));
    }
    Task<bool> retry_after(const Error& error, uint32_t attempt) override {
        return files_->retry_after(error, attempt);
    }
    uint32_t concurrency() const override { return files_->concurrency(); }

  private:
    Surroundings around() const { return {shared_, requester_}; }
    std::shared_ptr<WebSource> shared_;
    std::shared_ptr<Requester> requester_;
    std::shared_ptr<Origin> files_;
};

OriginFactory factory_of(std::shared_ptr<WebSource> shared) {
    return [shared](asio::any_io_executor executor) -> Result<std::unique_ptr<Origin>> {
        return std::unique_ptr<Origin>(std::make_unique<HttpOrigin>(shared, executor));
    };
}

}  // namespace

Result<OriginFactory> make_url_factory(const std::string& source, const OriginOptions& options, Machine machine) {
    auto shared = std::make_shared<WebSource>(options, machine);
    ZCDP_CHECK(shared->configure_url(source));
    return factory_of(std::move(shared));
}

Result<OriginFactory> make_repository_factory(const std::string& source, const OriginOptions& options,
                                              Machine machine) {
    auto shared = std::make_shared<WebSource>(options, machine);
    ZCDP_CHECK(shared->configure_repository(source));
    return factory_of(std::move(shared));
}

}  // namespace zcdp::origin::http
