#include "src/origin/http/index_walk.hpp"

#include <algorithm>
#include <deque>

#include "src/origin/http/index.hpp"

namespace zcdp::origin::http {
namespace {

constexpr size_t kDepthMax = 64, kLooksAtOnce = 32;
/// So many folders, one in the other, with the same names: one that leads back into itself.
constexpr size_t kSameMax = 8;

Task<> look_at_some(Surroundings around, std::vector<Entry>& entries, size_t first, bool may_be_folders,
                    std::optional<Error>& error) {
    for (size_t i = first; i < entries.size() && !error; i += kLooksAtOnce) {
        auto looked = co_await look(around, entries[i].path, may_be_folders);
        if (!looked) {
            if (!error) error = std::move(looked).error();
            co_return;
        }
        if (looked->is_folder) {
            entries[i].kind = EntryKind::directory;
            entries[i].path += '/';
        }
        entries[i].size_bytes = looked->info.size_bytes;
        entries[i].tag = std::move(looked->info.tag);
    }
}

struct Folder {
    std::string path;  ///< "" or ends in '/'
    std::vector<std::string> names;
    size_t at = 0;
};

/// How a server writes folders' names, as far as is known.
struct Habits {
    bool says_so = false;       ///< its indexes say what they are
    bool has_slashes = false;   ///< a name without a '/' is a file's
    bool bare_folders = false;  ///< it may be a folder's

    void learn(const Index& index) {
        has_slashes = has_slashes || index.has_slashes;
        bare_folders = bare_folders || index.bare_folders;
    }
    /// Of a name without a '/'.
    bool may_be_folder(const std::string& name) const {
        return bare_folders || (!has_slashes && name.find('.') == name.npos);
    }
};

/// The next files of a walk.
struct Batch {
    std::vector<std::string> paths, refused;
    size_t size() const { return paths.size() + refused.size(); }
};

/// Depth first. Names are sorted with their folders' slash, so paths ascend over the whole walk. A name that turns out
/// to be a folder's only when it is looked at is walked on its own, where its slash puts it.
class IndexWalk final : public Listing {
  public:
    IndexWalk(Surroundings around, const Selection& selection, std::string root, size_t depth, Habits habits)
        : around_(std::move(around)), selection_(selection), root_(std::move(root)), depth_(depth), habits_(habits) {}

    Task<Result<std::vector<Entry>>> next() override {
        if (!std::exchange(begun_, true)) ZCDP_CO_CHECK(co_await enter(root_));
        while (true) {
            if (inner_) {
                auto page = co_await inner_->next();
                if (!page || !page->empty()) co_return page;
                inner_.reset();
            }
            if (ahead_.empty()) {
                ZCDP_CO_TRY(Batch batch, co_await collect());
                ZCDP_CO_TRY(auto entries,
                            co_await look_at_all(around_, std::move(batch.paths), std::move(batch.refused), true));
                ahead_.assign(std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
                if (ahead_.empty()) co_return std::vector<Entry>();
            }
            const auto end =
                std::find_if(ahead_.begin(), ahead_.end(), [&](const Entry& entry) { return is_to_be_walked(entry); });
            if (end == ahead_.begin()) {
                habits_.bare_folders = true;
                if (selection_.may_hold(end->path))
                    inner_ = std::make_unique<IndexWalk>(around_, selection_, std::move(end->path),
                                                         depth_ + folders_.size() + 1, habits_);
                ahead_.pop_front();
                continue;
            }
            std::vector<Entry> page(std::make_move_iterator(ahead_.begin()), std::make_move_iterator(end));
            ahead_.erase(ahead_.begin(), end);
            co_return page;
        }
    }

  private:
    /// A folder that was found when it was looked at, and not one that is listed because its name is none.
    bool is_to_be_walked(const Entry& entry) const {
        return entry.kind == EntryKind::directory && selection_.of(entry.path) != Selection::Verdict::refuse;
    }

    /// The next files' paths; indexes of folders between them are read on the way.
    Task<Result<Batch>> collect() {
        Batch batch;
        while (!folders_.empty() && batch.size() < kPageEntries) {
            Folder& here = folders_.back();
            if (here.at == here.names.size()) {
                folders_.pop_back();
                continue;
            }
            const std::string path = here.path + here.names[here.at++];
            if (selection_.of(path) == Selection::Verdict::refuse) {
                batch.refused.push_back(path);
            } else if (path.ends_with('/')) {
                if (selection_.may_hold(path)) ZCDP_CO_CHECK(co_await enter(path));
            } else {
                ZCDP_CO_TRY(const bool is_file, co_await settle(path));
                if (is_file) batch.paths.push_back(path);
            }
        }
        co_return batch;
    }

    /// Where the names begin that a page has of NAME/ besides NAME, taken just now; the end when it has none.
    static std::vector<std::string>::iterator below(Folder& folder) {
        const std::string start = folder.names[folder.at - 1] + "/";
        const auto found =
            std::lower_bound(folder.names.begin() + static_cast<ptrdiff_t>(folder.at), folder.names.end(), start);
        return found != folder.names.end() && found->starts_with(start) ? found : folder.names.end();
    }

    /// Whether the name taken just now is to be looked at as a file with the others. It is looked at alone where the
    /// page has names below it as well, and where it is wanted as a folder only; if it is one, all that the page has of
    /// it becomes that.
    Task<Result<bool>> settle(std::string path) {
        const bool wanted = selection_.of(path) == Selection::Verdict::take;
        {
            Folder& here = folders_.back();
            const bool has_more = below(here) != here.names.end();
            if (!has_more && wanted) co_return true;
            const bool may_hold = selection_.may_hold(path + "/");
            if (!wanted && !(may_hold && (has_more || habits_.may_be_folder(here.names[here.at - 1])))) co_return false;
        }
        auto looked = co_await look(around_, path, true);
        if (!looked && !wanted) co_return false;  // nobody asked for it
        if (!looked) co_return std::move(looked).error();
        if (!looked->is_folder) co_return wanted;
        habits_.bare_folders = true;
        Folder& here = folders_.back();
        const std::string name = here.names[here.at - 1] + "/";
        const auto first =
            std::lower_bound(here.names.begin() + static_cast<ptrdiff_t>(here.at), here.names.end(), name);
        const auto last =
            std::find_if_not(first, here.names.end(), [&](const std::string& one) { return one.starts_with(name); });
        here.names.insert(here.names.erase(first, last), name);
        co_return false;
    }

    Task<Result<>> enter(std::string path) {
        const WebSource& shared = *around_.shared;
        const std::string name = shared.source + path;
        if (depth_ + folders_.size() >= kDepthMax)
            co_return Error(ErrorKind::refused, "nests deeper than 64 folders: " + printable(path), shared.source);
        ZCDP_CO_TRY(const Page page, co_await fetch_page(around_, shared.target_of(path), path));
        ZCDP_CO_TRY(Index index, read_index(page, path, name));
        if (path.empty() && index.names.empty())
            co_return Error(ErrorKind::refused, "has no index that lists a file", shared.source,
                            "turn on the server's index (nginx: autoindex), or name a file or a SHA256SUMS");
        const auto same = std::count_if(folders_.begin(), folders_.end(),
                                        [&](const Folder& above) { return above.names == index.names; });
        if (!index.names.empty() && static_cast<size_t>(same) >= kSameMax)
            co_return Error(ErrorKind::refused, "is a folder that leads back into itself", name,
                            "leave it out with --exclude");
        if (path.empty()) habits_.says_so = index.says_so;
        habits_.learn(index);
        around_.requester->remote().machine.log.debug("read an index",
                                                      {{"folder", name},
                                                       {"names", uint64_t{index.names.size()}},
                                                       {"links_elsewhere", uint64_t{index.elsewhere}}});
        folders_.push_back({std::move(path), std::move(index.names)});
        co_return Result<>();
    }

    /// A page's names, if it is an index: of the source's own folder whatever has links below it, of another what also
    /// says so, where the first does.
    Result<Index> read_index(const Page& page, const std::string& path, const std::string& name) const {
        ZCDP_TRY(const Place from, Place::parse(page.url));
        auto index = parse_index(page.body, page.content_type, from);
        if (!index) return std::move(index).error().about(name);
        ZCDP_TRY(const Place asked, Place::parse(around_.shared->endpoint.url() + around_.shared->target_of(path)));
        const auto to = from.segments(), of = asked.segments();
        if (index->asks_for_password)
            return Error(ErrorKind::denied, "answers a page that asks for a password", name,
                         "set ZCDP_HTTP_TOKEN, or ZCDP_HTTP_USER and ZCDP_HTTP_PASSWORD");
        if (path.empty()) return index;
        if (to.size() < of.size() && std::equal(to.begin(), to.end(), of.begin()))
            return Error(ErrorKind::refused,
                         "is a folder of the index above it, but is redirected back up, to " +
                             printable(page.url.substr(0, page.url.find('?'))),
                         name, "leave it out with --exclude");
        if (!index->says_so && (habits_.says_so || index->names.empty() || to != of))
            return Error(ErrorKind::refused, "is a folder of the index above it, but answers a page that is no index",
                         name, "have the server list it, or leave it out with --exclude");
        return index;
    }

    Surroundings around_;
    const Selection& selection_;
    const std::string root_;
    const size_t depth_;  ///< of the root
    Habits habits_;
    std::vector<Folder> folders_;
    std::deque<Entry> ahead_;  ///< looked at, not handed out; one that is a folder is to be walked where it stands
    std::unique_ptr<IndexWalk> inner_;
    bool begun_ = false;
};

}  // namespace

Task<Result<std::vector<Entry>>> look_at_all(Surroundings around, std::vector<std::string> paths,
                                             std::vector<std::string> refused, bool may_be_folders) {
    std::vector<Entry> entries(paths.size());
    for (size_t i = 0; i < paths.size(); ++i) entries[i].path = std::move(paths[i]);
    std::optional<Error> error;
    TaskGroup group(co_await asio::this_coro::executor);
    for (size_t i = 0; i < std::min(kLooksAtOnce, entries.size()); ++i)
        group.spawn(look_at_some(around, entries, i, may_be_folders, error));
    co_await group.wait();
    if (error) co_return std::move(*error);
    for (std::string& path : refused) {
        Entry& entry = entries.emplace_back();
        entry.kind = path.ends_with('/') ? EntryKind::directory : EntryKind::file;
        entry.path = std::move(path);
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
    co_return entries;
}

std::unique_ptr<Listing> make_index_walk(Surroundings around, const Selection& selection) {
    return std::make_unique<IndexWalk>(std::move(around), selection, "", 0, Habits());
}

}  // namespace zcdp::origin::http
