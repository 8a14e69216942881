#include "src/origin/remote/listing.hpp"

#include <boost/asio/redirect_error.hpp>
#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_set>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin {
namespace {

constexpr size_t kRangesMax = 8;
constexpr size_t kPagesAhead = 4;
constexpr size_t kPageBytesMax = 64 << 20;
constexpr uint64_t kObjectsMax = 100'000'000;
/// Sorts after every key that goes on from where it stands: U+10FFFF.
constexpr std::string_view kAfterAll = "\xf4\x8f\xbf\xbf";

/// A run of keys: greater than `after`, less than `until` ("" for no end).
struct Range {
    std::string after, until;
};

/// What the parser says of a key, as an error of the listing.
Error of_listing(const Error& error, const std::string& name) {
    const std::string key = error.object().empty() ? "" : "key " + printable(error.object()) + ": ";
    return Error(error.kind(), key + error.what(), name, error.hint());
}

Task<Result<ListPage>> fetch_page(Requester& requester, PageRequest page) {
    Protocol& protocol = requester.protocol();
    const std::string name = protocol.name_of(requester.remote().prefix());
    for (uint32_t attempt = 1;; ++attempt) {
        ZCDP_CO_TRY(const auto answer, co_await requester.send(protocol.page_call(page)));
        const auto parser = protocol.page_parser(page);
        std::vector<std::byte> buffer(64 << 10);
        std::optional<Error> broken;
        size_t total = 0;
        while (true) {
            auto got = co_await answer->read_some(buffer);
            if (!got) {
                broken = std::move(got).error().about(name);
                break;
            }
            if (*got == 0) break;
            if ((total += *got) > kPageBytesMax) co_return Error(ErrorKind::refused, "a page of the listing is over the limit", name);
            const std::string_view text(reinterpret_cast<const char*>(buffer.data()), *got);
            if (auto fed = parser->feed(text); !fed) co_return of_listing(fed.error(), name);
        }
        if (!broken) {
            auto parsed = parser->finish();
            if (!parsed) co_return of_listing(parsed.error(), name);
            co_return parsed;
        }
        const bool again = co_await requester.retry_after(*broken, attempt);
        if (!again) co_return std::move(*broken);
    }
}

/// One range, page by page, with the order of its keys and the novelty of its tokens checked.
class RangeReader {
  public:
    RangeReader(std::shared_ptr<Requester> requester, Range range) : requester_(std::move(requester)), range_(std::move(range)), last_(range_.after) {}

    /// Of a page that was fetched already: the first.
    Result<std::vector<Entry>> accept(ListPage page) {
        std::vector<Entry> entries;
        for (Entry& entry : page.entries) {
            if (!entry.path.starts_with(requester_->remote().prefix()))
                return malformed("has a key outside of its prefix: " + printable(entry.path));
            if (any_ ? entry.path <= last_ : entry.path <= range_.after) {
                if (!faults::broken("list-order")) return malformed("is out of order at key " + printable(entry.path));
            }
            any_ = true;
            last_ = entry.path;
            if (!range_.until.empty() && entry.path >= range_.until) {
                ended_ = true;
                return entries;
            }
            entries.push_back(std::move(entry));
        }
        if (!page.truncated) ended_ = true;
        if (page.truncated && (page.next_token.empty() || !tokens_.insert(Sha256::of(page.next_token)).second))
            return malformed("repeats a continuation token");
        token_ = std::move(page.next_token);
        return entries;
    }

    Task<Result<std::vector<Entry>>> next() {
        std::vector<Entry> entries;
        while (!ended_ && entries.empty()) {
            ZCDP_CO_TRY(auto page, co_await fetch_page(*requester_, {"", range_.after, token_}));
            ZCDP_CO_TRY(entries, accept(std::move(page)));
        }
        co_return entries;
    }
    bool ended() const { return ended_; }

  private:
    Error malformed(const std::string& what) const {
        return Error(ErrorKind::refused, "the listing " + what, requester_->protocol().name_of(requester_->remote().prefix()));
    }
    struct HashOf {
        size_t operator()(const Sha256Bytes& bytes) const {
            size_t value;
            std::memcpy(&value, bytes.data(), sizeof value);
            return value;
        }
    };
    std::shared_ptr<Requester> requester_;
    Range range_;
    std::string last_, token_;
    std::unordered_set<Sha256Bytes, HashOf> tokens_;
    bool any_ = false, ended_ = false;
};

/// A range that is read ahead by a task of its own. The task holds this; it ends when the listing is gone.
struct Lane {
    Lane(RangeReader from, asio::any_io_executor executor)
        : reader(std::move(from)), changed(executor, asio::steady_timer::time_point::max()) {}
    RangeReader reader;
    std::deque<std::vector<Entry>> pages;
    std::optional<Error> error;
    bool done = false, abandoned = false;
    asio::steady_timer changed;
    void notify() {
        changed.expires_at(asio::steady_timer::time_point::max());  // wakes who waits
    }
    Task<> wait() {
        boost::system::error_code woken;
        co_await changed.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
};

Task<> read_ahead(std::shared_ptr<Lane> lane) {
    while (!lane->abandoned && !lane->done) {
        if (lane->pages.size() >= kPagesAhead) {
            co_await lane->wait();
            continue;
        }
        auto page = co_await lane->reader.next();
        if (!page) lane->error = std::move(page).error();
        else if (!page->empty()) lane->pages.push_back(std::move(*page));
        lane->done = lane->error || lane->reader.ended();
        lane->notify();
    }
}

/// Counts against the limit on objects, and takes the prefix off the keys.
class Finish {
  public:
    explicit Finish(Requester& requester) : requester_(requester) {}
    Result<std::vector<Entry>> operator()(std::vector<Entry> entries) {
        const Remote& remote = requester_.remote();
        const uint64_t most = remote.options.objects_max > 0 ? remote.options.objects_max : kObjectsMax;
        if ((seen_ += entries.size()) > most)
            return Error(ErrorKind::refused, "has more than " + std::to_string(most) + " objects", requester_.protocol().name_of(remote.prefix()), "sync a part of it");
        if (const size_t cut = remote.prefix().size(); cut > 0)
            for (Entry& entry : entries) entry.path.erase(0, cut);
        return entries;
    }

  private:
    Requester& requester_;
    uint64_t seen_ = 0;
};

class RangedListing final : public Listing {
  public:
    explicit RangedListing(std::shared_ptr<Requester> requester) : requester_(std::move(requester)), finish_(*requester_) {}
    ~RangedListing() override {
        for (const auto& lane : lanes_) {
            lane->abandoned = true;
            lane->notify();
        }
    }

    Task<Result<std::vector<Entry>>> next() override {
        if (!begun_) {
            begun_ = true;
            ZCDP_CO_TRY(auto first, co_await begin());
            if (!first.empty()) co_return finish_(std::move(first));
        }
        while (!lanes_.empty()) {
            const auto lane = lanes_.front();
            if (!lane->pages.empty()) {
                auto page = std::move(lane->pages.front());
                lane->pages.pop_front();
                lane->notify();
                co_return finish_(std::move(page));
            }
            if (lane->error) co_return std::move(*lane->error);
            if (lane->done) lanes_.pop_front();
            else co_await lane->wait();
        }
        co_return std::vector<Entry>();
    }

  private:
    /// The first page; if there is more, the lanes for the rest.
    Task<Result<std::vector<Entry>>> begin() {
        RangeReader first(requester_, {});
        ZCDP_CO_TRY(auto page, co_await fetch_page(*requester_, {}));
        const bool more = page.truncated;
        ZCDP_CO_TRY(auto entries, first.accept(std::move(page)));
        if (!more || entries.empty()) co_return entries;
        ZCDP_CO_TRY(auto ranges, co_await ranges_after(entries.back().path));
        const auto executor = co_await asio::this_coro::executor;
        // Nothing to cut at: the first page's token goes on, as every service understands it.
        const bool one = ranges.size() == 1;
        for (Range& range : ranges) {
            lanes_.push_back(std::make_shared<Lane>(one ? std::move(first) : RangeReader(requester_, std::move(range)), executor));
            asio::co_spawn(executor, read_ahead(lanes_.back()), [](std::exception_ptr) {});
        }
        co_return entries;
    }

    /// Ranges that cover everything after `last`; one if the keys give no points to cut at.
    Task<Result<std::vector<Range>>> ranges_after(std::string last) {
        std::vector<Range> ranges{{last, ""}};
        if (!requester_->protocol().can_start_after()) co_return ranges;
        ZCDP_CO_TRY(const auto page, co_await fetch_page(*requester_, {"/", "", ""}));
        if (page.truncated) co_return ranges;  // a wide flat prefix: more points than are worth it
        std::vector<std::pair<std::string, bool>> points;  // name, and whether it is a common prefix
        for (const Entry& entry : page.entries) points.emplace_back(entry.path, false);
        for (const std::string& prefix : page.prefixes) points.emplace_back(prefix, true);
        std::sort(points.begin(), points.end());
        std::erase_if(points, [&](const auto& point) { return point.first + (point.second ? std::string(kAfterAll) : "") <= last; });
        for (const size_t cut : cut_points(points.size(), kRangesMax)) {
            const auto& before = points[cut - 1];
            ranges.back().until = points[cut].first;
            ranges.push_back({before.second ? before.first + std::string(kAfterAll) : before.first, ""});
        }
        co_return ranges;
    }

    std::shared_ptr<Requester> requester_;
    Finish finish_;
    std::deque<std::shared_ptr<Lane>> lanes_;
    bool begun_ = false;
};

/// For a service with an order of its own: everything is held, sorted, and handed out in pages.
class SortedListing final : public Listing {
  public:
    explicit SortedListing(std::shared_ptr<Requester> requester) : requester_(std::move(requester)), finish_(*requester_) {}

    Task<Result<std::vector<Entry>>> next() override {
        if (!std::exchange(begun_, true)) ZCDP_CO_CHECK(co_await collect());
        const size_t end = std::min(entries_.size(), at_ + kPageEntries);
        std::vector<Entry> page(std::make_move_iterator(entries_.begin() + static_cast<ptrdiff_t>(at_)),
                                std::make_move_iterator(entries_.begin() + static_cast<ptrdiff_t>(end)));
        at_ = end;
        co_return finish_(std::move(page));
    }

  private:
    static constexpr size_t kPageEntries = 5000;
    static constexpr size_t kEntriesMax = 5'000'000;

    Error refused(const std::string& what, const char* hint = "") const {
        return Error(ErrorKind::refused, "the listing " + what, requester_->protocol().name_of(requester_->remote().prefix()), hint);
    }
    Task<Result<>> collect() {
        PageRequest at;
        std::unordered_set<std::string> tokens;
        do {
            ZCDP_CO_TRY(ListPage page, co_await fetch_page(*requester_, at));
            if (page.truncated && (page.next_token.empty() || !tokens.insert(page.next_token).second)) co_return refused("repeats a continuation token");
            at.token = page.truncated ? std::move(page.next_token) : "";
            for (Entry& entry : page.entries) {
                if (!entry.path.starts_with(requester_->remote().prefix())) co_return refused("has a key outside of its prefix: " + printable(entry.path));
                // The folder's own key says nothing, unless it has content: then it is refused by name.
                if (entry.path.size() > requester_->remote().prefix().size() || entry.size_bytes > 0) entries_.push_back(std::move(entry));
            }
            if (entries_.size() > kEntriesMax) co_return refused("has more than 5,000,000 objects, which must be sorted in memory", "sync a part of it");
        } while (!at.token.empty());
        std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
        const auto twice = std::adjacent_find(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.path == b.path; });
        if (twice != entries_.end()) co_return refused("has a key twice: " + printable(twice->path));
        co_return Result<>();
    }

    std::shared_ptr<Requester> requester_;
    Finish finish_;
    std::vector<Entry> entries_;
    size_t at_ = 0;
    bool begun_ = false;
};

/// A source that is one object.
class SingleListing final : public Listing {
  public:
    SingleListing(std::shared_ptr<Requester> requester, std::string key) : requester_(std::move(requester)), key_(std::move(key)) {}

    Task<Result<std::vector<Entry>>> next() override {
        std::vector<Entry> page;
        if (std::exchange(done_, true)) co_return page;
        ZCDP_CO_TRY(ObjectInfo info, co_await requester_->head(key_));
        Entry entry;
        entry.path = key_.substr(key_.rfind('/') + 1);
        entry.size_bytes = info.size_bytes, entry.tag = std::move(info.tag);
        page.push_back(std::move(entry));
        co_return page;
    }

  private:
    std::shared_ptr<Requester> requester_;
    const std::string key_;
    bool done_ = false;
};

/// A source that is a folder, or, where nothing lies below it, the object of that name.
class FolderOrObject final : public Listing {
  public:
    FolderOrObject(std::shared_ptr<Requester> requester, std::unique_ptr<Listing> folder) : requester_(std::move(requester)), listing_(std::move(folder)) {}

    Task<Result<std::vector<Entry>>> next() override {
        if (std::exchange(begun_, true)) co_return co_await listing_->next();
        Remote& remote = requester_->remote();
        remote.is_object = false;
        auto page = co_await listing_->next();
        if (!page || !page->empty()) co_return page;
        listing_ = std::make_unique<SingleListing>(requester_, remote.object);
        auto found = co_await listing_->next();
        // A service may refuse to say that an object is not there.
        if (!found && (found.error().kind() == ErrorKind::not_found || found.error().kind() == ErrorKind::denied)) co_return page;
        remote.is_object = found.has_value();
        co_return found;
    }

  private:
    std::shared_ptr<Requester> requester_;
    std::unique_ptr<Listing> listing_;
    bool begun_ = false;
};

std::unique_ptr<Listing> make_folder_listing(const std::shared_ptr<Requester>& requester) {
    if (!requester->protocol().is_ordered()) return std::make_unique<SortedListing>(requester);
    return std::make_unique<RangedListing>(requester);
}

}  // namespace

std::vector<size_t> cut_points(size_t points, size_t ranges) {
    std::vector<size_t> cuts;
    const size_t runs = std::min(points, ranges);
    for (size_t run = 1; run < runs; ++run) cuts.push_back(run * points / runs);
    return cuts;
}

std::unique_ptr<Listing> make_listing(std::shared_ptr<Requester> requester) {
    if (const std::string one = requester->protocol().single(); !one.empty()) return std::make_unique<SingleListing>(std::move(requester), one);
    auto folder = make_folder_listing(requester);
    if (requester->remote().object.empty()) return folder;
    return std::make_unique<FolderOrObject>(std::move(requester), std::move(folder));
}

}  // namespace zcdp::origin
