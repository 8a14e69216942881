#include "src/origin/http/listing.hpp"

#include <algorithm>
#include <set>

#include "src/origin/http/hub.hpp"
#include "src/origin/http/index_walk.hpp"
#include "src/origin/http/sums.hpp"
#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"

namespace zcdp::origin::http {
namespace {

constexpr size_t kFilesMax = 1'000'000;

/// The files that a list names; its digests become what they must have.
Task<Result<std::vector<std::string>>> fetch_sums(Surroundings around) {
    WebSource& shared = *around.shared;
    ZCDP_CO_TRY(const Page page, co_await fetch_page(around, shared.target_of(shared.name), ""));
    auto sums = parse_sums(page.body, sidecar_of(shared.name));
    if (!sums) co_return std::move(sums).error().about(shared.source);
    if (sums->files.empty())
        co_return Error(ErrorKind::refused, "lists no file", shared.source, "name a list as sha256sum writes it");
    if (sums->other_lines > 0)
        around.requester->remote().machine.log.warn("the list has lines that are not of sha256sum",
                                                    {{"list", shared.source}, {"lines", uint64_t{sums->other_lines}}});
    Claims claims;
    std::vector<std::string> paths;
    for (Sum& sum : sums->files) {
        if (sum.path.starts_with('/') || ("/" + sum.path + "/").find("/../") != std::string::npos)
            co_return Error(ErrorKind::refused, "names a file outside of its folder: " + printable(sum.path),
                            shared.source);
        claims[sum.path] = {std::move(sum.sha256), {}};
        paths.push_back(std::move(sum.path));
    }
    shared.set_claims(std::move(claims));
    co_return paths;
}

/// A file, or the files of a list of digests: the paths are known at the start.
class NamedFiles final : public Listing {
  public:
    NamedFiles(Surroundings around, const Selection& selection) : around_(std::move(around)), selection_(selection) {}
    Task<Result<std::vector<Entry>>> next() override {
        if (!std::exchange(begun_, true)) ZCDP_CO_CHECK(co_await begin());
        std::vector<std::string> paths, refused;
        for (; at_ < paths_.size() && paths.size() + refused.size() < kPageEntries; ++at_) {
            const auto verdict = selection_.of(paths_[at_]);
            if (verdict != Selection::Verdict::leave)
                (verdict == Selection::Verdict::take ? paths : refused).push_back(paths_[at_]);
        }
        ZCDP_CO_TRY(auto entries, co_await look_at_all(around_, std::move(paths), std::move(refused), false));
        for (const Entry& entry : entries)
            if (entry.kind == EntryKind::directory)
                co_return Error(ErrorKind::refused, "is a folder: a folder's URL ends in /", around_.shared->source,
                                "write " + around_.shared->source + "/");
        co_return entries;
    }

  private:
    Task<Result<>> begin() {
        if (around_.shared->kind == Kind::file) {
            paths_ = {around_.shared->name};
            co_return Result<>();
        }
        ZCDP_CO_TRY(paths_, co_await fetch_sums(around_));
        co_return Result<>();
    }

    Surroundings around_;
    const Selection& selection_;
    std::vector<std::string> paths_;
    size_t at_ = 0;
    bool begun_ = false;
};

/// The commit that the revision stands for.
Task<Result<std::string>> fetch_commit(Surroundings around) {
    const WebSource& shared = *around.shared;
    ZCDP_CO_TRY(
        const Page page,
        co_await fetch_page(
            around, shared.base + "/api/" + shared.repository + "/revision/" + uri_encode(shared.revision, false), ""));
    auto about = parse_json_object(page.body, "the revision's description", ErrorKind::refused);
    if (!about) co_return std::move(about).error().about(shared.source);
    std::string commit = text_of(*about, "sha");
    if (commit.empty()) co_return Error(ErrorKind::refused, "the revision's description has no sha", shared.source);
    co_return commit;
}

/// Where the tree goes on after a page that came from `target`: at the endpoint that was chosen, whatever host the page
/// names.
Result<std::string> next_target(const WebSource& shared, const Page& page, const std::string& target) {
    const std::string link = next_link(page.link);
    if (link.empty()) return std::string();
    const std::string url = at_base({shared.endpoint, shared.base}, link);
    ZCDP_TRY(const auto where, split_url(url.starts_with('/') ? shared.endpoint.url() + url : url));
    if (where.first == shared.endpoint) return where.second;
    const size_t query = where.second.find('?');
    if (query == std::string::npos) return Error(ErrorKind::refused, "the tree goes on at another host", shared.source);
    return target.substr(0, target.find('?')) + where.second.substr(query);
}

/// huggingface.co/docs/hub/api: the revision's commit, then its tree page by page.
Task<Result<std::vector<Entry>>> fetch_tree(Surroundings around) {
    WebSource& shared = *around.shared;
    ZCDP_CO_TRY(const std::string commit, co_await fetch_commit(around));
    shared.set_commit(commit);
    std::vector<Entry> entries;
    Claims claims;
    const std::string folder =
        shared.folder.empty() ? "" : "/" + uri_encode(shared.folder.substr(0, shared.folder.size() - 1), true);
    std::string target =
        shared.base + "/api/" + shared.repository + "/tree/" + uri_encode(commit, false) + folder + "?recursive=true";
    std::set<std::string> seen;
    size_t folders = 0;
    while (!target.empty()) {
        if (!seen.insert(target).second)
            co_return Error(ErrorKind::refused, "the tree does not end: a page leads back to one before it",
                            shared.source);
        ZCDP_CO_TRY(const Page page, co_await fetch_page(around, target, ""));
        auto tree = parse_tree(page.body);
        if (!tree) co_return std::move(tree).error().about(shared.source);
        for (TreeFile& file : tree->files) {
            if (!file.entry.path.starts_with(shared.folder))
                co_return Error(ErrorKind::refused,
                                "the tree has a file outside of its folder: " + printable(file.entry.path),
                                shared.source);
            file.entry.path.erase(0, shared.folder.size());
            claims[file.entry.path] = {std::move(file.sha256), file.entry.tag};
            entries.push_back(std::move(file.entry));
        }
        folders += tree->folders;
        ZCDP_CO_TRY(target, next_target(shared, page, target));
        const bool empty = tree->files.empty() && tree->folders == 0;
        if (entries.size() + folders > kFilesMax || (!target.empty() && empty))
            co_return Error(ErrorKind::refused, "the tree does not end", shared.source);
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
    shared.set_claims(std::move(claims));
    co_return entries;
}

class Tree final : public Listing {
  public:
    explicit Tree(Surroundings around) : around_(std::move(around)) {}
    Task<Result<std::vector<Entry>>> next() override {
        if (std::exchange(done_, true)) co_return std::vector<Entry>();
        co_return co_await fetch_tree(around_);
    }

  private:
    Surroundings around_;
    bool done_ = false;
};

}  // namespace

std::unique_ptr<Listing> make_listing(Surroundings around, const Selection& selection) {
    switch (around.shared->kind) {
        case Kind::index: return make_index_walk(std::move(around), selection);
        case Kind::tree: return std::make_unique<Tree>(std::move(around));
        case Kind::file:
        case Kind::sums: break;
    }
    return std::make_unique<NamedFiles>(std::move(around), selection);
}

Task<Result<>> load_claims(Surroundings around) {
    if (around.shared->has_claims()) co_return Result<>();
    if (around.shared->kind == Kind::tree) {
        ZCDP_CO_TRY(const auto entries, co_await fetch_tree(around));
        (void)entries;
    } else if (around.shared->kind == Kind::sums) {
        ZCDP_CO_TRY(const auto paths, co_await fetch_sums(around));
        (void)paths;
    }
    co_return Result<>();
}

}  // namespace zcdp::origin::http
