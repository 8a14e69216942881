#include "src/services/backend/listed_origin.hpp"

#include <utility>

#include "src/services/peers/controller_client.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/net/save_body.hpp"

namespace zcdp::services::backend {
namespace {

constexpr uint64_t kFetchTimeoutMs = 300'000;
constexpr size_t kPageEntries = 1'000, kReadBytes = 256 << 10;

class FileListing final : public origin::Listing {
  public:
    FileListing(std::shared_ptr<Fd> file, Fs& fs) : file_(std::move(file)), fs_(fs) {}
    Task<Result<std::vector<origin::Entry>>> next() override { co_return read_page(); }

  private:
    Result<std::vector<origin::Entry>> read_page() {
        std::vector<origin::Entry> page;
        while (page.size() < kPageEntries && !ended_) {
            const size_t end = pending_.find('\n', begin_);
            if (end == std::string::npos) {
                ZCDP_CHECK(read_more());
                continue;
            }
            ZCDP_TRY(auto line, api::parse_listing_line(std::string_view(pending_).substr(begin_, end - begin_)));
            begin_ = end + 1;
            if (line.entry) {
                page.push_back(from_listing(std::move(*line.entry)));
                ++count_;
            } else {
                ended_ = true;
                if (line.count != count_) return Error(ErrorKind::refused, "the controller's listing is not whole");
            }
        }
        return page;
    }
    Result<> read_more() {
        pending_.erase(0, begin_);
        begin_ = 0;
        const size_t had = pending_.size();
        pending_.resize(had + kReadBytes);
        const auto got = fs_.read(file_->get(), std::as_writable_bytes(std::span(pending_).subspan(had)), offset_);
        if (!got) return system_error(got.error(), "reading", "the listing");
        pending_.resize(had + *got);
        offset_ += *got;
        if (*got == 0) return Error(ErrorKind::refused, "the controller's listing was cut off");
        return {};
    }
    std::shared_ptr<Fd> file_;
    Fs& fs_;
    std::string pending_;
    size_t begin_ = 0;
    uint64_t offset_ = 0, count_ = 0;
    bool ended_ = false;
};

/// Where the source may be one object, only a listing of the origin's own tells it whether it is: one page and perhaps
/// a HEAD, and asked for only when what was listed is one file that has no folder.
class ObjectOrFile final : public origin::Listing {
  public:
    ObjectOrFile(origin::Origin& origin, const origin::Selection& selection, std::unique_ptr<origin::Listing> listed)
        : origin_(origin), selection_(selection), listing_(std::move(listed)) {}
    Task<Result<std::vector<origin::Entry>>> next() override {
        auto page = co_await listing_->next();
        if (std::exchange(begun_, true) || !page || page->size() != 1 ||
            page->front().path.find('/') != std::string::npos)
            co_return page;
        listing_ = origin_.list(selection_);
        co_return co_await listing_->next();
    }
    uint32_t restarts() const override { return listing_->restarts(); }

  private:
    origin::Origin& origin_;
    const origin::Selection& selection_;
    std::unique_ptr<origin::Listing> listing_;
    bool begun_ = false;
};

class ListedOrigin final : public origin::Origin {
  public:
    ListedOrigin(std::unique_ptr<origin::Origin> inner, std::shared_ptr<Fd> file, Fs& fs, bool may_be_object)
        : inner_(std::move(inner)), file_(std::move(file)), fs_(fs), may_be_object_(may_be_object) {}
    origin::OriginIdentity identity() const override { return inner_->identity(); }
    std::unique_ptr<origin::Listing> list(const origin::Selection& selection) override {
        auto listed = std::make_unique<FileListing>(file_, fs_);
        if (!may_be_object_) return listed;
        return std::make_unique<ObjectOrFile>(*inner_, selection, std::move(listed));
    }
    Task<Result<origin::ObjectInfo>> head(std::string path) override { return inner_->head(std::move(path)); }
    Task<Result<std::unique_ptr<origin::Body>>> read(origin::ReadSpec spec) override {
        return inner_->read(std::move(spec));
    }
    Task<Result<uint64_t>> part_bytes(std::string path, Tag tag, uint32_t number) override {
        return inner_->part_bytes(std::move(path), std::move(tag), number);
    }
    Task<bool> retry_after(const Error& error, uint32_t attempt) override {
        return inner_->retry_after(error, attempt);
    }
    uint32_t concurrency() const override { return inner_->concurrency(); }

  private:
    std::unique_ptr<origin::Origin> inner_;
    std::shared_ptr<Fd> file_;
    Fs& fs_;
    const bool may_be_object_;
};

Task<Result<>> download(net::HttpClient& http, net::Endpoint endpoint, net::Request what, Fs& fs, int file) {
    ZCDP_CO_TRY(const auto answer, co_await http.send(endpoint, std::move(what), Deadline::in_ms(kFetchTimeoutMs)));
    if (answer->status() == 404) co_return Error(ErrorKind::not_found, "the controller has no such listing");
    ZCDP_CO_CHECK(peers::check_answer(answer->status(), ""));
    co_return co_await net::save_body(*answer, fs, file, UINT64_MAX);
}

}  // namespace

api::ListingEntry to_listing(const origin::Entry& entry) {
    const char* kind = entry.kind == origin::EntryKind::directory ? "dir"
                       : entry.kind == origin::EntryKind::symlink ? "link"
                                                                  : "";
    return {entry.path, entry.tag, kind, entry.symlink_target, entry.size_bytes, entry.executable};
}

origin::Entry from_listing(api::ListingEntry entry) {
    const auto kind = entry.kind == "dir"    ? origin::EntryKind::directory
                      : entry.kind == "link" ? origin::EntryKind::symlink
                                             : origin::EntryKind::file;
    return {std::move(entry.path),       kind, entry.size_bytes, std::move(entry.tag), entry.executable,
            std::move(entry.link_target)};
}

origin::OriginFactory with_listing(origin::OriginFactory inner, std::shared_ptr<Fd> file, Fs& fs, bool may_be_object) {
    return [inner = std::move(inner), file = std::move(file), &fs,
            may_be_object](asio::any_io_executor executor) -> Result<std::unique_ptr<origin::Origin>> {
        ZCDP_TRY(auto origin, inner(executor));
        return std::unique_ptr<origin::Origin>(
            std::make_unique<ListedOrigin>(std::move(origin), file, fs, may_be_object));
    };
}

Result<std::shared_ptr<Fd>> fetch_listing(const ListingRequest& request, Machine machine) {
    ZCDP_TRY(const auto endpoint, net::Endpoint::parse(request.url));
    ZCDP_TRY(Fd scratch, open_scratch(machine.fs, request.scratch_folder, machine.random));
    auto file = std::make_shared<Fd>(std::move(scratch));
    auto options = peers::controller_client_options(request.ca_pem);
    options.limits.header_timeout_ms = static_cast<uint32_t>(kFetchTimeoutMs);  // it may have to be listed first
    net::Request what;
    what.target = "/v1/listings/" + request.revision.str() + "?dataset=" + request.dataset.text();
    what.headers = {{"Authorization", "Bearer " + request.token}};
    const auto ask = [&](net::HttpClient& http) {
        return download(http, endpoint, std::move(what), machine.fs, file->get());
    };
    ZCDP_CHECK(peers::with_client(std::move(options), machine, ask));
    return file;
}

}  // namespace zcdp::services::backend
