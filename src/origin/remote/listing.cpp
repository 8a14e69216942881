#include "src/origin/remote/listing.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <cstring>
#include <deque>
#include <unordered_set>

#include "src/origin/remote/points.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin {
namespace {

constexpr size_t kRangesMax = 8;
constexpr size_t kPagesAhead = 4;
constexpr size_t kLevelsMax = 64;
constexpr size_t kPageBytesMax = 64 << 20;
constexpr uint64_t kObjectsMax = 100'000'000;
/// Some services scan what was deleted and hand out a page of nothing; but not for ever.
constexpr uint32_t kEmptyPagesMax = 10'000;

/// What the parser says of a key, as an error of the listing.
Error of_listing(const Error& error, const std::string& name) {
    const std::string key = error.object().empty() ? "" : "key " + printable(error.object()) + ": ";
    return Error(error.kind(), key + error.what(), name, error.hint());
}

/// Feeds the whole body. Errors: those of the parser, as they are; of the connection, in `broken`.
Task<Result<>> feed_all(net::Response& answer, PageParser& parser, std::optional<Error>& broken) {
    std::vector<std::byte> buffer(64 << 10);
    for (size_t total = 0;;) {
        auto got = co_await answer.read_some(buffer);
        if (!got) {
            broken = std::move(got).error();
            co_return Result<>();
        }
        if (*got == 0) co_return Result<>();
        if ((total += *got) > kPageBytesMax)
            co_return Error(ErrorKind::refused, "a page of the listing is over the limit");
        ZCDP_CO_CHECK(parser.feed(std::string_view(reinterpret_cast<const char*>(buffer.data()), *got)));
    }
}

Task<Result<ListPage>> fetch_page(Requester& requester, PageRequest page) {
    Protocol& protocol = requester.protocol();
    const std::string name = protocol.name_of(ObjectKey(requester.remote().prefix()));
    Requester::Refused refusals{protocol.page_call(page), {}};
    for (uint32_t attempt = 1;;) {
        ZCDP_CO_TRY(auto answer, co_await requester.send(refusals.call));
        const auto parser = protocol.page_parser(page);
        std::optional<Error> broken;
        auto parsed = co_await feed_all(*answer, *parser, broken);
        if (broken) {
            broken = std::move(*broken).about(name);
            const bool again = co_await requester.retry_after(*broken, attempt++);
            if (!again) co_return std::move(*broken);
            continue;
        }
        Result<ListPage> whole = parsed ? parser->finish() : std::move(parsed).error();
        if (whole) co_return whole;
        if (parser->refusal().empty()) co_return of_listing(whole.error(), name);
        ZCDP_CO_CHECK(co_await requester.refused(refusals, std::move(answer), std::string(parser->refusal())));
    }
}

/// Pages one after the other, by their tokens, of the keys of a range; what does not belong there is looked for.
class RangeReader {
  public:
    RangeReader(std::shared_ptr<Requester> requester, std::string folder, Range range = {})
        : requester_(std::move(requester)), folder_(std::move(folder)), range_(std::move(range)), last_(range_.after) {}

    /// The next page that is not empty; an empty one at the end. Errors: also those of a listing that does not end.
    Task<Result<std::vector<Entry>>> next() {
        std::vector<Entry> entries;
        while (!ended_ && entries.empty()) {
            ZCDP_CO_TRY(auto page,
                        co_await fetch_page(*requester_, {"", range_.after, token_, token_is_key_, folder_}));
            if (page.entries.empty() && ++empty_pages_ == kEmptyPagesMax)
                co_return malformed("does not end: " + std::to_string(kEmptyPagesMax) +
                                    " pages one after the other are empty, and each says that there is more");
            if (!page.entries.empty()) empty_pages_ = 0;
            ZCDP_CO_TRY(entries, accept(std::move(page)));
        }
        co_return entries;
    }
    bool ended() const { return ended_; }
    /// Of a range that is begun already.
    void end_at(std::string until) { range_.until = std::move(until); }

    /// Whether every key came after the one before it, and after the range's beginning.
    bool in_order() const { return in_order_; }
    /// Whether the service has no tokens but keys: one that understands no more of a listing than that is not asked for
    /// ranges.
    bool goes_on_after_key() const { return token_is_key_; }
    /// The first key that came, and the one that ended the range; "" when there was none.
    const std::string& first() const { return first_; }
    const std::string& beyond() const { return beyond_; }

  private:
    Result<std::vector<Entry>> accept(ListPage page) {
        std::vector<Entry> entries;
        for (Entry& entry : page.entries) {
            if (!entry.path.starts_with(requester_->remote().prefix()))
                return malformed("has a key outside of its prefix: " + printable(entry.path));
            const bool after = any_ ? entry.path > last_ : range_.after.empty() || entry.path > range_.after;
            if (!after) in_order_ = false;
            if (!std::exchange(any_, true)) first_ = entry.path;
            last_ = entry.path;
            // The rest of the page is looked at, too: what lies behind the end may show that keys are missing before
            // it.
            if (!range_.until.empty() && entry.path >= range_.until) {
                if (!ended_) beyond_ = entry.path;
                ended_ = true;
            } else {
                entries.push_back(std::move(entry));
            }
        }
        if (!page.truncated) ended_ = true;
        if (ended_) return entries;
        if (page.next_token.empty() || !tokens_.insert(Sha256::of(page.next_token)).second)
            return malformed("repeats a continuation token");
        token_ = std::move(page.next_token);
        token_is_key_ = page.token_is_key;
        return entries;
    }
    Error malformed(const std::string& what) const {
        return Error(ErrorKind::refused, "the listing " + what,
                     requester_->protocol().name_of(ObjectKey(requester_->remote().prefix())));
    }
    struct HashOf {
        size_t operator()(const Sha256Bytes& bytes) const {
            size_t value;
            std::memcpy(&value, bytes.data(), sizeof value);
            return value;
        }
    };
    std::shared_ptr<Requester> requester_;
    const std::string folder_;
    Range range_;
    std::string last_, token_, first_, beyond_;
    std::unordered_set<Sha256Bytes, HashOf> tokens_;
    uint32_t empty_pages_ = 0;
    bool any_ = false, ended_ = false, in_order_ = true, token_is_key_ = false;
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
    /// Whether its first key is known, or that it has none.
    bool begun() const { return done || !reader.first().empty(); }
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
    void begin() { seen_ = 0; }
    Result<std::vector<Entry>> operator()(std::vector<Entry> entries) {
        const Remote& remote = requester_.remote();
        const uint64_t most = remote.options.objects_max > 0 ? remote.options.objects_max : kObjectsMax;
        if ((seen_ += entries.size()) > most)
            return Error(ErrorKind::refused, "has more than " + std::to_string(most) + " objects",
                         requester_.protocol().name_of(ObjectKey(remote.prefix())), "sync a part of it");
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
    RangedListing(std::shared_ptr<Requester> requester, const Selection& selection)
        : requester_(std::move(requester)), selection_(selection), finish_(*requester_) {}
    ~RangedListing() override { abandon(); }

    Task<Result<std::vector<Entry>>> next() override {
        if (!begun_) {
            begun_ = true;
            ZCDP_CO_TRY(auto first, co_await begin());
            if (!first.empty()) co_return finish_(std::move(first));
        }
        while (!lanes_.empty()) {
            const auto lane = lanes_.front();
            if (points_ && !fit_together() && !faults::broken("list-parts")) co_await begin_again();
            else if (!lane->pages.empty()) {
                auto page = std::move(lane->pages.front());
                lane->pages.pop_front();
                lane->notify();
                if (!points_ || points_->pass(page) || faults::broken("list-parts")) co_return finish_(std::move(page));
                co_await begin_again();
            } else if (lane->error) {
                co_return std::move(*lane->error);
            } else if (lane->done && seam_is_known()) {
                lanes_.pop_front();
            } else {
                co_await (lane->done ? lanes_[1] : lane)->wait();
            }
        }
        co_return std::vector<Entry>();
    }
    uint32_t restarts() const override { return restarts_; }

  private:
    void abandon() {
        for (const auto& lane : lanes_) {
            lane->abandoned = true;
            lane->notify();
        }
        lanes_.clear();
        points_.reset();
    }
    void add_lane(RangeReader reader, const asio::any_io_executor& executor) {
        lanes_.push_back(std::make_shared<Lane>(std::move(reader), executor));
        asio::co_spawn(executor, read_ahead(lanes_.back()), [](std::exception_ptr) {});
    }

    /// The first page that has something; if there is more, the lanes for the rest.
    Task<Result<std::vector<Entry>>> begin() {
        folder_ = co_await narrowest();
        RangeReader first(requester_, folder_);
        ZCDP_CO_TRY(auto entries, co_await first.next());
        if (first.ended()) co_return entries;
        const auto executor = co_await asio::this_coro::executor;
        std::vector<Range> ranges;
        const bool can_be_cut = requester_->protocol().can_start_after() && requester_->remote().lists_in_order;
        if (can_be_cut && first.in_order() && !first.goes_on_after_key())
            ranges = co_await ranges_after(entries.back().path);
        if (!ranges.empty()) first.end_at(ranges[0].until);
        add_lane(std::move(first), executor);  // goes on by its token, as every service understands it
        for (size_t i = 1; i < ranges.size(); ++i)
            add_lane(RangeReader(requester_, folder_, std::move(ranges[i])), executor);
        co_return entries;
    }

    /// The folder that all of what is wanted lies in, level by level: one more page each, and only where names are
    /// wanted that begin in one way.
    Task<std::string> narrowest() {
        const std::string root = requester_->remote().prefix();
        std::string folder = root;
        for (size_t level = 0; level < kLevelsMax; ++level) {
            if (selection_.may_hold(folder.substr(root.size()) + "\x01/")) break;  // a name that nobody means
            const auto page = co_await fetch_page(*requester_, {"/", "", "", false, folder});
            if (!page || page->truncated) break;
            const auto is_wanted = [&](const Entry& entry) {
                return entry.path != folder &&
                       selection_.of(std::string_view(entry.path).substr(root.size())) != Selection::Verdict::leave;
            };
            if (std::any_of(page->entries.begin(), page->entries.end(), is_wanted)) break;
            std::vector<std::string> wanted;
            for (const std::string& child : page->prefixes)
                if (child.starts_with(folder) && child.size() > folder.size() &&
                    selection_.may_hold(std::string_view(child).substr(root.size())))
                    wanted.push_back(child);
            if (wanted.size() != 1) break;
            folder = std::move(wanted.front());
        }
        co_return folder;
    }

    /// From the start, by tokens alone: how the service orders keys, or understands where a page is to begin, is not
    /// how they were divided.
    Task<> begin_again() {
        const auto executor = co_await asio::this_coro::executor;
        requester_->remote().lists_in_order = false;
        requester_->remote().machine.log.info(
            "the service lists in an order of its own, it is listed page by page",
            {{"object", requester_->protocol().name_of(ObjectKey(requester_->remote().prefix()))}});
        abandon();
        finish_.begin();
        ++restarts_;
        add_lane(RangeReader(requester_, folder_), executor);
    }

    bool seam_is_known() const { return lanes_.size() == 1 || lanes_[1]->begun(); }
    /// Whether what is known of the lanes so far can be the whole, divided. A service that refuses to begin where it is
    /// told to does not fit, either.
    bool fit_together() const {
        for (size_t i = 0; i < lanes_.size(); ++i) {
            const Lane& lane = *lanes_[i];
            if (!lane.reader.in_order()) return false;
            if (lane.error && (lane.error->kind() == ErrorKind::failed || lane.error->kind() == ErrorKind::refused))
                return false;
            if (lane.error) continue;
            if (i > 0 && lanes_[i - 1]->done && !lanes_[i - 1]->error && lane.begun() &&
                lane.reader.first() != lanes_[i - 1]->reader.beyond())
                return false;
        }
        if (lanes_.size() == 1 && lanes_[0]->done && !lanes_[0]->error && lanes_[0]->pages.empty())
            return points_->all_passed();
        return true;
    }

    /// Ranges that cover everything after `last`; none if the keys give no points to cut at, or the service says
    /// nothing of them.
    Task<std::vector<Range>> ranges_after(std::string last) {
        const auto page = co_await fetch_page(*requester_, {"/", "", "", false, folder_});
        if (!page || page->truncated)
            co_return std::vector<Range>();  // a wide flat prefix: more points than are worth it
        Points points(*page, folder_, last);
        std::vector<Range> ranges = points.ranges(last, kRangesMax);
        if (ranges.size() < 2) co_return std::vector<Range>();
        points_.emplace(std::move(points));
        co_return ranges;
    }

    std::shared_ptr<Requester> requester_;
    const Selection& selection_;
    std::string folder_;  ///< that is listed: the prefix, or what is below it
    Finish finish_;
    std::deque<std::shared_ptr<Lane>> lanes_;
    std::optional<Points> points_;  ///< while the key space is divided
    uint32_t restarts_ = 0;
    bool begun_ = false;
};

/// A source that is one object.
class SingleListing final : public Listing {
  public:
    SingleListing(std::shared_ptr<Requester> requester, ObjectKey key)
        : requester_(std::move(requester)), key_(std::move(key)) {}

    Task<Result<std::vector<Entry>>> next() override {
        std::vector<Entry> page;
        if (std::exchange(done_, true)) co_return page;
        ZCDP_CO_TRY(ObjectInfo info, co_await requester_->head(key_));
        Entry entry;
        entry.path = key_.str().substr(key_.str().rfind('/') + 1);
        entry.size_bytes = info.size_bytes, entry.tag = std::move(info.tag);
        if (entry.tag.empty() && info.modified_unix_s >= 0) entry.tag = time_tag(iso8601(info.modified_unix_s));
        if (entry.tag.empty())
            co_return Error(ErrorKind::refused, "has neither an ETag nor a time, so a change could not be noticed",
                            requester_->protocol().name_of(key_));
        page.push_back(std::move(entry));
        co_return page;
    }

  private:
    std::shared_ptr<Requester> requester_;
    const ObjectKey key_;
    bool done_ = false;
};

/// A source that is a folder, or, where nothing lies below it, the object of that name.
class FolderOrObject final : public Listing {
  public:
    FolderOrObject(std::shared_ptr<Requester> requester, std::unique_ptr<Listing> folder)
        : requester_(std::move(requester)), listing_(std::move(folder)) {}

    Task<Result<std::vector<Entry>>> next() override {
        if (std::exchange(begun_, true)) co_return co_await listing_->next();
        Remote& remote = requester_->remote();
        remote.is_object = false;
        auto page = co_await listing_->next();
        if (!page || !page->empty()) co_return page;
        listing_ = std::make_unique<SingleListing>(requester_, remote.object);
        auto found = co_await listing_->next();
        // A service may refuse to say that an object is not there.
        if (!found && (found.error().kind() == ErrorKind::not_found || found.error().kind() == ErrorKind::denied))
            co_return page;
        remote.is_object = found.has_value();
        co_return found;
    }
    uint32_t restarts() const override { return listing_->restarts(); }

  private:
    std::shared_ptr<Requester> requester_;
    std::unique_ptr<Listing> listing_;
    bool begun_ = false;
};

}  // namespace

std::unique_ptr<Listing> make_listing(std::shared_ptr<Requester> requester, const Selection& selection) {
    if (const ObjectKey one = requester->protocol().single(); !one.empty())
        return std::make_unique<SingleListing>(std::move(requester), one);
    auto folder = std::make_unique<RangedListing>(requester, selection);
    if (requester->remote().object.empty()) return folder;
    return std::make_unique<FolderOrObject>(std::move(requester), std::move(folder));
}

}  // namespace zcdp::origin
