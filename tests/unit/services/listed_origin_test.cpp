// The listing that the controller made, and when an agent asks the origin all the same: where the source may be one
// object.
#include "src/services/backend/listed_origin.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "tests/support/doctest.hpp"

namespace zcdp::services {
namespace {

using namespace backend;

using Entries = std::vector<origin::Entry>;

class Pages final : public origin::Listing {
  public:
    explicit Pages(Entries page) : page_(std::move(page)) {}
    Task<Result<Entries>> next() override { co_return std::exchange(page_, {}); }

  private:
    Entries page_;
};

/// Counts how often it is listed; has one object.
class Counting final : public origin::Origin {
  public:
    explicit Counting(int* listed) : listed_(listed) {}
    origin::OriginIdentity identity() const override { return {}; }
    std::unique_ptr<origin::Listing> list(const origin::Selection&) override {
        ++*listed_;
        return std::make_unique<Pages>(Entries{{"x", origin::EntryKind::file, 1, Tag("of the origin")}});
    }
    Task<Result<origin::ObjectInfo>> head(std::string) override {
        co_return Error(ErrorKind::failed, "not asked here");
    }
    Task<Result<std::unique_ptr<origin::Body>>> read(origin::ReadSpec) override {
        co_return Error(ErrorKind::failed, "not asked here");
    }
    Task<bool> retry_after(const Error&, uint32_t) override { co_return false; }
    uint32_t concurrency() const override { return 1; }

  private:
    int* listed_;
};

Task<> read_all(origin::Listing* listing, Entries* out) {
    while (true) {
        auto page = co_await listing->next();
        REQUIRE(page);
        if (page->empty()) co_return;
        for (auto& entry : *page) out->push_back(std::move(entry));
    }
}

/// What comes of a listing of `paths`, and how often the origin was listed for it.
std::pair<Entries, int> listed(const std::vector<std::string>& paths, bool may_be_object) {
    std::string text;
    for (const auto& path : paths) text += api::listing_line({path, Tag("of the controller"), "", "", 1, false});
    text += api::listing_end(paths.size());
    auto file = std::make_shared<Fd>(::memfd_create("listing", MFD_CLOEXEC));
    REQUIRE(::write(file->get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    std::pair<Entries, int> out{{}, 0};
    const auto factory = with_listing(
        [&out](asio::any_io_executor) -> Result<std::unique_ptr<origin::Origin>> {
            return std::make_unique<Counting>(&out.second);
        },
        file, system_fs(), may_be_object);
    asio::io_context loop(1);
    const auto origin = factory(loop.get_executor()).value();
    const auto listing = origin->list(origin::everything());
    asio::co_spawn(loop, read_all(listing.get(), &out.first), [](std::exception_ptr thrown) { CHECK(!thrown); });
    loop.run();
    return out;
}

}  // namespace

TEST_CASE("the origin is not listed again but for one file, where the source may be an object") {
    for (const bool may_be_object : {false, true}) {
        INFO(may_be_object);
        CHECK(listed({"x", "y"}, may_be_object).second == 0);
        CHECK(listed({"x", "y"}, may_be_object).first.size() == 2);
        CHECK(listed({"a/x"}, may_be_object).second == 0);
        CHECK(listed({}, may_be_object).second == 0);
        const auto [entries, times] = listed({"x"}, may_be_object);
        CHECK(times == (may_be_object ? 1 : 0));
        REQUIRE(entries.size() == 1);
        CHECK(entries[0].tag.str() == (may_be_object ? "of the origin" : "of the controller"));
    }
}

}  // namespace zcdp::services
