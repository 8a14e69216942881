// The conformance suite of Origin against each kind, and against one that breaks a rule at a time: those must be found.
#include <sys/stat.h>

#include <thread>

#include "tests/support/origin_conformance.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/origin/options.hpp"
#include "zcdp/services/serve.hpp"

using namespace zcdp;
using namespace zcdp::origin;
using zcdp::test::OriginConformance;
using zcdp::test::OriginFixture;
using zcdp::test::TempFolder;

namespace {

struct Surroundings {
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Machine machine() {
        return {system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
    }
};

/// zcdp's own server on a folder, for as long as this lives.
class ServedFolder {
  public:
    ServedFolder(Surroundings& around, const std::string& folder) {
        services::ServeOptions options;
        options.directory = folder, options.listen = "127.0.0.1:0";
        auto opened = services::Server::open(options, system_fs(), system_clock(), around.metrics, around.log);
        if (!opened) FAIL(opened.error().line());
        server_ = std::move(*opened);
        thread_ = std::thread([this] { (void)server_->run(stop_.get_token()); });
    }
    ~ServedFolder() {
        stop_.request_stop();
        thread_.join();
    }
    const std::string& url() const { return server_->url(); }

  private:
    std::stop_source stop_;
    std::unique_ptr<services::Server> server_;
    std::thread thread_;
};

OriginFactory factory_of(Surroundings& around, const std::string& source, OriginOptions options) {
    auto factory = make_origin_factory(source, options, around.machine());
    if (!factory) FAIL(factory.error().line());
    return std::move(*factory);
}

void conforms(OriginFixture& fixture, OriginFactory factory) {
    for (const std::string& violation : OriginConformance(fixture, std::move(factory)).violations())
        FAIL_CHECK(violation);
}

enum class Breach { order, missing, size, tag_ignored, range, short_body, long_body, not_found };

class LyingBody final : public Body {
  public:
    LyingBody(std::unique_ptr<Body> below, Breach breach) : below_(std::move(below)), breach_(breach) {}
    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        auto got = co_await below_->read_some(into);
        if (breach_ == Breach::short_body && got && *got > 0) --*got;
        if (breach_ == Breach::long_body && got && *got == 0 && !added_) added_ = true, got = size_t{1};
        co_return got;
    }
    Task<Result<>> resume(Error broken, uint32_t attempt) override {
        return below_->resume(std::move(broken), attempt);
    }
    const ObjectChecksum& checksum() const override { return below_->checksum(); }

  private:
    std::unique_ptr<Body> below_;
    Breach breach_;
    bool added_ = false;
};

class LyingListing final : public Listing {
  public:
    LyingListing(std::unique_ptr<Listing> below, Breach breach) : below_(std::move(below)), breach_(breach) {}
    Task<Result<std::vector<Entry>>> next() override {
        auto page = co_await below_->next();
        if (!page || page->size() < 2) co_return page;
        if (breach_ == Breach::order) std::swap((*page)[0], (*page)[1]);
        if (breach_ == Breach::missing) page->erase(page->begin());
        if (breach_ == Breach::size) ++page->front().size_bytes;
        co_return page;
    }

    bool is_ordered() const override { return below_->is_ordered(); }

  private:
    std::unique_ptr<Listing> below_;
    Breach breach_;
};

/// A real origin that breaks one rule.
class LyingOrigin final : public Origin {
  public:
    LyingOrigin(std::unique_ptr<Origin> below, Breach breach) : below_(std::move(below)), breach_(breach) {}
    OriginIdentity identity() const override { return below_->identity(); }
    std::unique_ptr<Listing> list(const Selection& selection) override {
        return std::make_unique<LyingListing>(below_->list(selection), breach_);
    }
    Task<Result<ObjectInfo>> head(std::string path) override {
        auto info = co_await below_->head(path);
        if (breach_ == Breach::not_found && !info) co_return Error(ErrorKind::failed, "something");
        co_return info;
    }
    Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) override {
        if (breach_ == Breach::tag_ignored) {
            auto info = co_await below_->head(spec.path);
            if (info) spec.tag = info->tag, spec.object_bytes = info->size_bytes;
        }
        if (breach_ == Breach::range && spec.offset_bytes > 0) --spec.offset_bytes;
        auto body = co_await below_->read(spec);
        if (!body) co_return body;
        co_return std::make_unique<LyingBody>(std::move(*body), breach_);
    }
    Task<bool> retry_after(const Error& error, uint32_t attempt) override {
        return below_->retry_after(error, attempt);
    }
    uint32_t concurrency() const override { return below_->concurrency(); }

  private:
    std::unique_ptr<Origin> below_;
    Breach breach_;
};

}  // namespace

TEST_CASE("a local folder is an origin") {
    TempFolder folder;
    Surroundings around;
    OriginFixture fixture(folder.path());
    conforms(fixture, factory_of(around, folder.path(), {}));
}

TEST_CASE("S3 is an origin") {
    TempFolder folder;
    Surroundings around;
    OriginFixture fixture(folder.path());
    const ServedFolder served(around, folder.path());
    OriginOptions options;
    options.endpoint = served.url(), options.anonymous = true;
    conforms(fixture, factory_of(around, "s3://data/", options));
}

TEST_CASE("an origin that breaks a rule is found out") {
    Surroundings around;
    for (const Breach breach : {Breach::order, Breach::missing, Breach::size, Breach::tag_ignored, Breach::range,
                                Breach::short_body, Breach::long_body, Breach::not_found}) {
        TempFolder folder;
        OriginFixture fixture(folder.path());
        const auto honest = factory_of(around, folder.path(), {});
        const auto lying = [&](asio::any_io_executor executor) -> Result<std::unique_ptr<Origin>> {
            ZCDP_TRY(auto below, honest(executor));
            return std::unique_ptr<Origin>(std::make_unique<LyingOrigin>(std::move(below), breach));
        };
        INFO("breach ", static_cast<int>(breach));
        CHECK_FALSE(OriginConformance(fixture, lying).violations().empty());
    }
}
