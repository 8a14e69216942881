// Both sides are origins, and both are listed in the same order: one merge finds what is missing, extra or of another
// size. What is left are pairs of files of one size; workers on loops of their own judge their contents. Of one file
// there is one pair.
#include "zcdp/sync/compare.hpp"

#include <fmt/format.h>

#include <deque>
#include <filesystem>
#include <thread>

#include "src/sync/fetch/claimed_sum.hpp"
#include "src/sync/list/selection.hpp"
#include "src/sync/list/sorter.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/paths.hpp"
#include "zcdp/sync/filter.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kQueueMost = 1000, kReadBytes = 256 << 10, kPairsAtOnce = 8;
constexpr unsigned kLoopsMost = 4;
/// The queue between the loops wakes nobody: a worker without work, and a merge that is far ahead, look again.
constexpr uint64_t kAskAgainMs = 5;
constexpr uint64_t kCountMost = 10'000;

using Kind = Difference::Kind;

/// Two files to be equal, of one size.
struct Pair {
    origin::Entry wanted, have;
};

/// What the merge and the workers share. Thread rule: any thread.
class Board {
  public:
    Board(const CompareOptions& compare_options, const Machine& on,
          const std::function<void(const Difference&)>& on_found, const std::stop_token& stop)
        : options(compare_options), machine(on), found_(on_found), stopped_(stop), on_stop_(stop, Halt{end_}) {}

    void differ(Kind kind, std::string path, std::string what) {
        const MutexLock lock(mutex_);
        ++report_.differences;
        found_({kind, std::move(path), std::move(what)});
    }
    void judged(const Pair& pair, bool by_checksum) {
        const MutexLock lock(mutex_);
        ++report_.files, report_.bytes += pair.wanted.size_bytes;
        ++(by_checksum ? report_.by_checksum : report_.by_reading);
    }
    /// The first one ends the work; what follows from that is not told.
    void fail(Error error) {
        {
            const MutexLock lock(mutex_);
            if (!error_) error_ = std::move(error);
        }
        end_.request_stop();
    }
    bool ended() const { return end_.stop_requested(); }
    /// Stopped by whoever asked for the comparison, or by an error.
    std::stop_token end() const { return end_.get_token(); }
    bool offer(Pair& pair) {
        const MutexLock lock(mutex_);
        if (queue_.size() >= kQueueMost) return false;
        queue_.push_back(std::move(pair));
        return true;
    }
    void close() {
        const MutexLock lock(mutex_);
        closed_ = true;
    }
    /// The next pair; nullopt: none now, or none any more (`over`).
    std::optional<Pair> take(bool& over) {
        const MutexLock lock(mutex_);
        over = queue_.empty() && closed_;
        if (queue_.empty()) return std::nullopt;
        std::optional<Pair> pair = std::move(queue_.front());
        queue_.pop_front();
        return pair;
    }
    Result<CompareReport> outcome(double seconds) {
        const MutexLock lock(mutex_);
        if (stopped_.stop_requested()) return Error(ErrorKind::interrupted, "stopped");
        if (error_) return std::move(*error_);
        report_.seconds = seconds;
        return report_;
    }

    const CompareOptions& options;
    const Machine& machine;

  private:
    struct Halt {
        std::stop_source& end;
        void operator()() const { end.request_stop(); }
    };
    const std::function<void(const Difference&)>& found_;
    std::stop_source end_;
    const std::stop_token stopped_;
    const std::stop_callback<Halt> on_stop_;
    Mutex mutex_;
    CompareReport report_ ZCDP_GUARDED_BY(mutex_);
    std::deque<Pair> queue_ ZCDP_GUARDED_BY(mutex_);
    std::optional<Error> error_ ZCDP_GUARDED_BY(mutex_);
    bool closed_ ZCDP_GUARDED_BY(mutex_) = false;
};

/// Both sides have to come in one order; a folder's does.
std::unique_ptr<origin::Listing> sorted(std::unique_ptr<origin::Listing> listing, const Machine& machine) {
    std::error_code none;
    const auto scratch = std::filesystem::temp_directory_path(none);
    return in_order(std::move(listing), machine.fs, machine.random, none ? "/tmp" : scratch.string());
}

/// One listing, entry by entry, of files and symlinks alone, and of keys that end in '/' and have content, which no
/// folder can hold.
class Walk {
  public:
    /// `filter` must outlive it.
    Walk(origin::Origin& origin, const Filter& filter, bool is_folder, const Machine& machine)
        : filter_(filter),
          selection_(filter, /*refuse_bad_keys=*/false),
          listing_(sorted(origin.list(selection_), machine)),
          is_folder_(is_folder) {}
    /// The next entry; nullptr at the end. It holds until the next call.
    Task<Result<origin::Entry*>> next() {
        while (true) {
            if (at_ == page_.size()) {
                at_ = 0;
                ZCDP_CO_TRY(page_, co_await listing_->next());
                if (page_.empty()) co_return nullptr;
                anything_ = true;
            }
            origin::Entry& entry = page_[at_++];
            const bool own = is_folder_ && entry.path.starts_with(".zcdp/");
            const bool plain_folder = entry.kind == origin::EntryKind::directory && entry.size_bytes == 0;
            if (!plain_folder && !own && filter_.wants(entry.path)) co_return &entry;
        }
    }

    /// Whether something was listed so far, wanted or not.
    bool anything() const { return anything_; }

  private:
    const Filter& filter_;
    const FilterSelection selection_;
    const std::unique_ptr<origin::Listing> listing_;
    bool is_folder_, anything_ = false;
    std::vector<origin::Entry> page_;
    size_t at_ = 0;
};

/// Whether two entries of one path can have equal contents; says so if not.
bool may_be_equal(Board& board, const origin::Entry& wanted, const origin::Entry& have) {
    if (wanted.kind != have.kind) {
        board.differ(Kind::type, wanted.path, "one is a file, the other a symlink");
    } else if (wanted.kind == origin::EntryKind::symlink) {
        if (wanted.symlink_target != have.symlink_target)
            board.differ(Kind::content, wanted.path,
                         "leads to " + have.symlink_target + ", not to " + wanted.symlink_target);
    } else if (wanted.size_bytes != have.size_bytes) {
        board.differ(Kind::size, wanted.path, fmt::format("has {} bytes, not {}", have.size_bytes, wanted.size_bytes));
    } else {
        return true;
    }
    return false;
}

/// As for a sync: a prefix below which there is nothing is mistyped. With one_way it would be equal to everything.
Result<> check_anything(const Walk& walk, const origin::Origin& source) {
    if (walk.anything() || source.identity().is_local) return {};
    return Error(ErrorKind::not_found, "there is no object to compare with", "",
                 "look for a typing error; a prefix ends at a '/'");
}

std::string why_missing(const origin::Entry& wanted) {
    if (wanted.kind == origin::EntryKind::directory) return "cannot be there: the key ends in '/' but has content";
    const PathProblem problem = check_path(wanted.path);
    return problem == PathProblem::none ? "is not there" : "cannot be there: the key " + std::string(describe(problem));
}

Task<Result<>> merge(origin::Origin& source, origin::Origin& folder, Board& board) {
    const Filter filter(board.options.include, board.options.exclude);
    Walk wanted_walk(source, filter, false, board.machine), have_walk(folder, filter, true, board.machine);
    ZCDP_CO_TRY(origin::Entry * wanted, co_await wanted_walk.next());
    if (!wanted) ZCDP_CO_CHECK(check_anything(wanted_walk, source));
    ZCDP_CO_TRY(origin::Entry * have, co_await have_walk.next());
    while ((wanted || have) && !board.ended()) {
        const int order = !wanted ? 1 : !have ? -1 : wanted->path.compare(have->path);
        if (order < 0) {
            board.differ(Kind::missing, wanted->path, why_missing(*wanted));
        } else if (order > 0) {
            if (!board.options.one_way) board.differ(Kind::extra, have->path, "is not in the source");
        } else if (may_be_equal(board, *wanted, *have)) {
            Pair pair{*wanted, *have};
            while (!board.offer(pair) && !board.ended()) co_await sleep_ms(kAskAgainMs);
        }
        if (order <= 0) {
            ZCDP_CO_TRY(wanted, co_await wanted_walk.next());
        }
        if (order >= 0) {
            ZCDP_CO_TRY(have, co_await have_walk.next());
        }
    }
    co_return Result<>();
}

/// One file of the folder with the only one that the source has.
Task<Result<>> pair_up(origin::Origin& source, origin::Origin& folder, Board& board) {
    const std::string& file = board.options.file;
    const Filter filter(board.options.include, board.options.exclude);
    Walk walk(source, filter, false, board.machine);
    origin::Entry wanted;
    uint64_t count = 0;
    for (origin::Entry* entry = nullptr; count < kCountMost && !board.ended(); ++count) {
        ZCDP_CO_TRY(entry, co_await walk.next());
        if (!entry) break;
        if (count == 0) wanted = *entry;
    }
    if (board.ended()) co_return Result<>();
    if (count == 0) ZCDP_CO_CHECK(check_anything(walk, source));
    if (count != 1)
        co_return Error(ErrorKind::usage,
                        fmt::format("has {}{} files, and one file is to be compared with it", count,
                                    count == kCountMost ? " or more" : ""),
                        "", "choose one with --include '/PATH', or name a directory");
    ZCDP_CO_TRY(const auto info, co_await folder.head(file));
    Pair pair{wanted, {file, origin::EntryKind::file, info.size_bytes, info.tag, false, ""}};
    if (may_be_equal(board, pair.wanted, pair.have)) board.offer(pair);
    co_return Result<>();
}

/// Reads whole buffers, so that two sides can be compared piece by piece.
Task<Result<size_t>> fill(origin::Body& body, std::span<std::byte> into) {
    size_t filled = 0;
    while (filled < into.size()) {
        ZCDP_CO_TRY(const size_t got, co_await body.read_some(into.subspan(filled)));
        if (got == 0) break;
        filled += got;
    }
    co_return filled;
}

Task<Result<std::unique_ptr<origin::Body>>> open(origin::Origin& origin, const origin::Entry& entry) {
    return origin.read({entry.path, entry.tag, entry.size_bytes, 0, entry.size_bytes});
}

/// Whether the folder's bytes have the sum that the source states.
Task<Result<bool>> has_sum(origin::Origin& folder, const origin::Entry& have, ClaimedSum sum) {
    if (have.size_bytes > 0) {
        ZCDP_CO_TRY(const auto body, co_await open(folder, have));
        std::vector<std::byte> buffer(kReadBytes);
        while (true) {
            ZCDP_CO_TRY(const size_t got, co_await fill(*body, buffer));
            sum.update(std::span(buffer).first(got));
            if (got < buffer.size()) break;
        }
    }
    co_return sum.matches();
}

Task<Result<bool>> equal_bytes(origin::Origin& source, origin::Origin& folder, const Pair& pair) {
    if (pair.wanted.size_bytes == 0) co_return true;
    ZCDP_CO_TRY(const auto wanted, co_await open(source, pair.wanted));
    ZCDP_CO_TRY(const auto have, co_await open(folder, pair.have));
    std::vector<std::byte> a(kReadBytes), b(kReadBytes);
    while (true) {
        ZCDP_CO_TRY(const size_t got, co_await fill(*wanted, a));
        ZCDP_CO_TRY(const size_t got_have, co_await fill(*have, b));
        if (got != got_have || !std::equal(a.begin(), a.begin() + static_cast<ptrdiff_t>(got), b.begin()))
            co_return false;
        if (got < a.size()) co_return true;
    }
}

Task<Result<>> judge(origin::Origin& source, origin::Origin& folder, const Pair& pair, Board& board) {
    ZCDP_CO_TRY(auto info, co_await source.head(pair.wanted.path));
    if (!info.has_tag(pair.wanted.tag) || info.size_bytes != pair.wanted.size_bytes)
        co_return Error(ErrorKind::source_changed, "changed while it was being compared", pair.wanted.path);
    ClaimedSum sum(std::move(info.checksum));
    if (sum.answerable()) {
        ZCDP_CO_TRY(const bool same, co_await has_sum(folder, pair.have, std::move(sum)));
        if (!same) board.differ(Kind::content, pair.wanted.path, "has another checksum than the source states");
        board.judged(pair, true);
    } else if (board.options.read) {
        ZCDP_CO_TRY(const bool same, co_await equal_bytes(source, folder, pair));
        if (!same) board.differ(Kind::content, pair.wanted.path, "has other bytes than the source");
        board.judged(pair, false);
    } else {
        board.differ(Kind::unknown, pair.wanted.path, "the source states no checksum");
    }
    co_return Result<>();
}

Task<> work(origin::Origin& source, origin::Origin& folder, Board& board) {
    bool over = false;
    while (!over && !board.ended()) {
        const auto pair = board.take(over);
        if (!pair) {
            if (!over) co_await sleep_ms(kAskAgainMs);
            continue;
        }
        if (auto judged = co_await judge(source, folder, *pair, board); !judged) board.fail(std::move(judged).error());
    }
}

/// Both origins on a loop of this thread, and what `spawn` puts on it, until that has ended or the board has.
template <class Spawn>
void on_a_loop(const origin::OriginFactory& source_factory, const origin::OriginFactory& folder_factory, Board& board,
               Spawn spawn) {
    transfer::Loop loop;
    auto source = source_factory(loop.executor());
    auto folder = folder_factory(loop.executor());
    if (!source || !folder) return board.fail(!source ? std::move(source).error() : std::move(folder).error());
    spawn(loop, **source, **folder);
    try {
        loop.run(board.end());
    } catch (const std::exception& thrown) {
        board.fail(Error(ErrorKind::failed, std::string("internal error while comparing: ") + thrown.what()));
    }
}

Task<> find_pairs(origin::Origin& source, origin::Origin& folder, Board& board) {
    auto found =
        board.options.file.empty() ? co_await merge(source, folder, board) : co_await pair_up(source, folder, board);
    if (!found) board.fail(std::move(found).error());
    board.close();
}

}  // namespace

const char* name_of(Kind kind) {
    switch (kind) {
        case Kind::missing: return "missing";
        case Kind::extra: return "extra";
        case Kind::type: return "type";
        case Kind::size: return "size";
        case Kind::content: return "content";
        case Kind::unknown: return "unknown";
    }
    return "";
}

Result<CompareReport> compare(const CompareOptions& options, const origin::OriginFactory& source, Machine machine,
                              const std::function<void(const Difference&)>& found, std::stop_token stop) {
    const int64_t began_ns = machine.clock.monotonic_ns();
    std::error_code code;
    const std::string path = std::filesystem::canonical(options.folder, code).string();
    if (code) return system_error({code.value(), boost::system::system_category()}, "opening", options.folder);
    ZCDP_TRY(const auto folder, origin::make_origin_factory(path, {}, machine));
    Board board(options, machine, found, stop);
    std::vector<std::thread> threads;
    const unsigned loops = std::clamp(std::thread::hardware_concurrency(), 1u, kLoopsMost);
    for (unsigned i = 0; i < loops; ++i)
        threads.emplace_back([&] {
            on_a_loop(source, folder, board, [&](transfer::Loop& loop, origin::Origin& from, origin::Origin& to) {
                for (size_t j = 0; j < kPairsAtOnce; ++j) loop.spawn(work(from, to, board));
            });
        });
    on_a_loop(source, folder, board, [&](transfer::Loop& loop, origin::Origin& from, origin::Origin& to) {
        loop.spawn(find_pairs(from, to, board));
    });
    board.close();  // also when there was no loop to merge on
    for (std::thread& thread : threads) thread.join();
    return board.outcome(static_cast<double>(machine.clock.monotonic_ns() - began_ns) / 1e9);
}

}  // namespace zcdp::sync
