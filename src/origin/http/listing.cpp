#include "src/origin/http/listing.hpp"

#include <algorithm>

#include "src/origin/http/pages.hpp"
#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"

namespace zcdp::origin::http {
namespace {

constexpr size_t kPageBytesMax = 64 << 20;
constexpr size_t kHeadsAtOnce = 32, kPageEntries = 256;
constexpr size_t kDepthMax = 64;

struct Page {
    std::string body, content_type, link;
};

/// `target`: path and query on the source's own host.
Task<Result<Page>> fetch(Requester& requester, const Shared& shared, std::string target) {
    for (uint32_t attempt = 1;; ++attempt) {
        Call call;
        call.location = shared.endpoint.url() + target;
        call.body_bytes = kPageBytesMax;
        ZCDP_CO_TRY(const auto answer, co_await requester.send(std::move(call)));
        auto body = co_await answer->read_all(kPageBytesMax);
        if (body) co_return Page{std::move(*body), std::string(answer->header("content-type")), std::string(answer->header("link"))};
        const bool again = co_await requester.retry_after(body.error(), attempt);
        if (!again) co_return std::move(body).error().about(shared.source);
    }
}

/// Sizes and tags of files whose names are known, by HEADs side by side.
Task<> head_some(Origin& files, std::vector<Entry>& entries, size_t first, std::optional<Error>& error) {
    for (size_t i = first; i < entries.size() && !error; i += kHeadsAtOnce) {
        auto info = co_await files.head(entries[i].path);
        if (!info) {
            if (!error) error = std::move(info).error();
            co_return;
        }
        entries[i].size_bytes = info->size_bytes;
        entries[i].tag = std::move(info->tag);
    }
}

Task<Result<std::vector<Entry>>> with_heads(Origin& files, std::vector<std::string> paths) {
    std::vector<Entry> entries(paths.size());
    for (size_t i = 0; i < paths.size(); ++i) entries[i].path = std::move(paths[i]);
    std::optional<Error> error;
    TaskGroup group(co_await asio::this_coro::executor);
    for (size_t i = 0; i < std::min(kHeadsAtOnce, entries.size()); ++i) group.spawn(head_some(files, entries, i, error));
    co_await group.wait();
    if (error) co_return std::move(*error);
    co_return entries;
}

/// "model.bin.sha256" may hold a digest and no name: it is that of model.bin.
std::string sidecar_of(const std::string& list_name) {
    constexpr std::string_view ending = ".sha256";
    return list_name.ends_with(ending) ? list_name.substr(0, list_name.size() - ending.size()) : "";
}

/// The files that a list names; its digests become what they must have.
Task<Result<std::vector<std::string>>> fetch_sums(Surroundings around) {
    Shared& shared = *around.shared;
    ZCDP_CO_TRY(const Page page, co_await fetch(*around.requester, shared, shared.target_of(shared.name)));
    auto sums = parse_sums(page.body, sidecar_of(shared.name));
    if (!sums) co_return std::move(sums).error().about(shared.source);
    if (sums->empty()) co_return Error(ErrorKind::refused, "lists no file", shared.source);
    Claims claims;
    std::vector<std::string> paths;
    for (Sum& sum : *sums) {
        if (sum.path.starts_with('/') || ("/" + sum.path + "/").find("/../") != std::string::npos)
            co_return Error(ErrorKind::refused, "names a file outside of its folder: " + printable(sum.path), shared.source);
        claims[sum.path] = {std::move(sum.sha256), ""};
        paths.push_back(std::move(sum.path));
    }
    shared.set_claims(std::move(claims));
    co_return paths;
}

/// A file, or the files of a list of digests: the paths are known at the start.
class NamedFiles final : public Listing {
  public:
    explicit NamedFiles(Surroundings around) : around_(std::move(around)) {}
    Task<Result<std::vector<Entry>>> next() override {
        if (!std::exchange(begun_, true)) ZCDP_CO_CHECK(co_await begin());
        std::vector<std::string> paths;
        for (; at_ < paths_.size() && paths.size() < kPageEntries; ++at_) paths.push_back(paths_[at_]);
        co_return co_await with_heads(*around_.files, std::move(paths));
    }

  private:
    Task<Result<>> begin() {
        if (around_.shared->kind == Kind::file) {
            paths_ = {around_.shared->name};
            co_return Result<>();
        }
        ZCDP_CO_TRY(paths_, co_await fetch_sums(around_));
        std::sort(paths_.begin(), paths_.end());
        if (const auto twice = std::adjacent_find(paths_.begin(), paths_.end()); twice != paths_.end())
            co_return Error(ErrorKind::refused, "names a file twice: " + printable(*twice), around_.shared->source);
        co_return Result<>();
    }

    Surroundings around_;
    std::vector<std::string> paths_;
    size_t at_ = 0;
    bool begun_ = false;
};

/// A folder's pages, depth first. Names are sorted with their folders' slash, so paths ascend over the whole walk.
class IndexWalk final : public Listing {
  public:
    explicit IndexWalk(Surroundings around) : around_(std::move(around)) {}

    Task<Result<std::vector<Entry>>> next() override {
        if (!std::exchange(begun_, true)) ZCDP_CO_CHECK(co_await enter(""));
        std::vector<std::string> paths;
        while (!folders_.empty() && paths.size() < kPageEntries) {
            Folder& here = folders_.back();
            if (here.at == here.names.size()) {
                folders_.pop_back();
                continue;
            }
            std::string path = here.path + here.names[here.at++];
            if (path.ends_with('/')) ZCDP_CO_CHECK(co_await enter(std::move(path)));
            else paths.push_back(std::move(path));
        }
        co_return co_await with_heads(*around_.files, std::move(paths));
    }

  private:
    struct Folder {
        std::string path;  ///< "" or ends in '/'
        std::vector<std::string> names;
        size_t at = 0;
    };

    Task<Result<>> enter(std::string path) {
        if (folders_.size() == kDepthMax) co_return Error(ErrorKind::refused, "nests deeper than 64 folders: " + printable(path), around_.shared->source);
        const std::string target = around_.shared->target_of(path);
        ZCDP_CO_TRY(const Page page, co_await fetch(*around_.requester, *around_.shared, target));
        auto names = parse_index(page.body, page.content_type, target);
        if (!names) co_return std::move(names).error().about(around_.shared->source + path);
        if (path.empty() && names->empty())
            co_return Error(ErrorKind::refused, "has no index that lists a file", around_.shared->source, "turn on the server's index (nginx: autoindex), or name a file or a SHA256SUMS");
        folders_.push_back({std::move(path), std::move(*names)});
        co_return Result<>();
    }

    Surroundings around_;
    std::vector<Folder> folders_;
    bool begun_ = false;
};

/// huggingface.co/docs/hub/api: the revision's commit, then its tree page by page.
Task<Result<std::vector<Entry>>> fetch_tree(Surroundings around) {
    Shared& shared = *around.shared;
    const std::string api = "/api/" + shared.repository;
    ZCDP_CO_TRY(const Page page, co_await fetch(*around.requester, shared, api + "/revision/" + uri_encode(shared.revision, false)));
    auto about = parse_json_object(page.body, "the revision's description", ErrorKind::refused);
    if (!about) co_return std::move(about).error().about(shared.source);
    const std::string commit = text_of(*about, "sha");
    if (commit.empty()) co_return Error(ErrorKind::refused, "the revision's description has no sha", shared.source);
    shared.set_commit(commit);
    std::vector<Entry> entries;
    Claims claims;
    std::string target = api + "/tree/" + uri_encode(commit, false) + (shared.folder.empty() ? "" : "/" + uri_encode(shared.folder.substr(0, shared.folder.size() - 1), true)) + "?recursive=true";
    while (!target.empty()) {
        ZCDP_CO_TRY(const Page tree, co_await fetch(*around.requester, shared, target));
        auto files = parse_tree(tree.body);
        if (!files) co_return std::move(files).error().about(shared.source);
        for (TreeFile& file : *files) {
            if (!file.entry.path.starts_with(shared.folder)) co_return Error(ErrorKind::refused, "the tree has a file outside of its folder: " + printable(file.entry.path), shared.source);
            file.entry.path.erase(0, shared.folder.size());
            claims[file.entry.path] = {std::move(file.sha256), file.entry.tag};
            entries.push_back(std::move(file.entry));
        }
        const std::string next = next_link(tree.link);
        if (entries.size() > kNamesMax || (!next.empty() && files->empty())) co_return Error(ErrorKind::refused, "the tree does not end", shared.source);
        target.clear();
        if (next.empty()) break;
        ZCDP_CO_TRY(auto where, split_url(next.starts_with('/') ? shared.endpoint.url() + next : next));
        if (!(where.first == shared.endpoint)) co_return Error(ErrorKind::refused, "the tree goes on at another host", shared.source);
        target = std::move(where.second);
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

std::unique_ptr<Listing> make_listing(Surroundings around) {
    switch (around.shared->kind) {
        case Kind::index: return std::make_unique<IndexWalk>(std::move(around));
        case Kind::tree: return std::make_unique<Tree>(std::move(around));
        case Kind::file:
        case Kind::sums: break;
    }
    return std::make_unique<NamedFiles>(std::move(around));
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
