#include "src/datastore/client/source.hpp"

#include <algorithm>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include "src/datastore/client/questions.hpp"
#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kPageEntries = 1'000, kPageChunks = 64 << 10;
/// What a get remembers of each key is some hundred bytes.
constexpr size_t kKeysMost = 100'000;
constexpr size_t kManifestsAtOnce = 8;

/// A manifest that was asked for; nothing when its key has gone since it was listed.
using Asked = std::optional<Result<Version>>;

Task<> ask_for(Client& client, std::string key, std::string scratch_folder, Machine machine, Asked& into) {
    auto version = co_await fetch_version(client, std::move(key), 0, std::move(scratch_folder), machine);
    if (version || version.error().kind() != ErrorKind::not_found) into.emplace(std::move(version));
}

}  // namespace

std::shared_ptr<Source> Source::of_key(std::string key, uint64_t version, std::string scratch_folder, Machine machine) {
    return std::shared_ptr<Source>(new Source(std::move(key), version, false, std::move(scratch_folder), machine));
}

std::shared_ptr<Source> Source::of_prefix(std::string prefix, std::string scratch_folder, Machine machine) {
    return std::shared_ptr<Source>(new Source(std::move(prefix), 0, true, std::move(scratch_folder), machine));
}

Part& Source::add_part(const Version& version, std::string at) {
    Part part;
    part.key = version.key, part.version = version.number, part.kind = version.kind, part.snapshot = version.snapshot;
    if (version.kind == KeyKind::tree) part.folder = at.empty() ? "" : at + "/";
    else part.folder = at.substr(0, at.rfind('/') + 1);
    return parts_.insert_or_assign(std::move(at), std::move(part)).first->second;
}

Task<Result<>> Source::pin(Client& client) {
    if (is_prefix_ || (pinned_ && !lost_)) co_return Result<>();
    if (version_ != 0 && lost_)
        co_return Error(ErrorKind::not_found, "version " + std::to_string(version_) + " is no more", name_,
                        "zcdp history " + name_ + " shows those that are kept");
    ZCDP_CO_TRY(Version version, co_await fetch_version(client, name_, version_, scratch_folder_, machine_));
    if (pinned_ && pinned_->kind != version.kind)
        co_return Error(
            ErrorKind::source_changed,
            "was a " + std::string(name_of(pinned_->kind)) + " and is a " + std::string(name_of(version.kind)) + " now",
            name_, "run the same command again");
    lost_ = false;
    parts_.clear();
    add_part(version, version.kind == KeyKind::tree ? "" : std::string(last_segment(name_)));
    pinned_ = std::move(version);
    co_return Result<>();
}

std::unique_ptr<SourceListing> Source::list(Client& client) { return std::make_unique<SourceListing>(*this, client); }

std::vector<const Part*> Source::parts_of(std::string_view path) const {
    std::vector<const Part*> parts;
    for (std::string_view at = path;; at = at.substr(0, at.find_last_of('/') == at.npos ? 0 : at.find_last_of('/'))) {
        const auto found = parts_.find(at);
        if (found != parts_.end() && (found->second.kind == KeyKind::tree || at == path))
            parts.push_back(&found->second);
        if (at.empty()) return parts;
    }
}

/// Of a short file nobody asks unless it is one of few: the manifest is read up to it.
Task<Result<Digest>> Source::digest_of(Client& client, const Part& part, std::string path) const {
    if (const auto found = long_files_.find(path); found != long_files_.end()) co_return found->second;
    std::shared_ptr<Fd> manifest = pinned_ ? pinned_->manifest : nullptr;
    if (!manifest) {
        ZCDP_CO_TRY(const Version version,
                    co_await fetch_version(client, part.key, part.version, scratch_folder_, machine_));
        manifest = version.manifest;
    }
    const auto reader = store::ManifestReader::create(machine_.fs, manifest->get());
    const std::string inside = part.path_inside(path);
    while (true) {
        ZCDP_CO_TRY(const auto entry, reader->next());
        if (!entry || entry->path > inside) break;
        if (entry->path == inside && entry->kind == store::FileKind::file) co_return entry->digest;
    }
    co_return Error(ErrorKind::not_found, "is not in its manifest", path);
}

Task<Result<std::vector<SourceEntry>>> SourceListing::next() {
    std::vector<SourceEntry> page;
    if (!std::exchange(begun_, true)) ZCDP_CO_CHECK(co_await begin());
    while (page.empty()) {
        if (opened_.empty()) ZCDP_CO_CHECK(co_await open_more());
        if (opened_.empty()) break;
        ZCDP_CO_CHECK(read(page));
    }
    co_return page;
}

Task<Result<>> SourceListing::begin() {
    source_.long_files_.clear();
    if (source_.is_prefix_) {
        source_.lost_ = false;
        source_.parts_.clear();
        co_return Result<>();
    }
    all_keys_ = true;
    ZCDP_CO_CHECK(co_await source_.pin(client_));
    Part& part = source_.parts_.begin()->second;
    part.files = 0, part.bytes = 0;
    opened_.push_back({*source_.pinned_, &part,
                       store::ManifestReader::create(source_.machine_.fs, source_.pinned_->manifest->get())});
    co_return Result<>();
}

/// The manifests of the next keys, several at once.
Task<Result<>> SourceListing::open_more() {
    while (opened_.empty()) {
        if (keys_.empty() && all_keys_) co_return Result<>();
        if (keys_.empty()) {
            ZCDP_CO_CHECK(co_await next_keys());
            continue;
        }
        const auto executor = co_await asio::this_coro::executor;
        std::vector<Asked> asked(std::min(keys_.size(), kManifestsAtOnce));
        std::vector<decltype(asio::co_spawn(executor, std::declval<Task<>>(), asio::deferred))> tasks;
        for (size_t i = 0; i < asked.size(); ++i)
            tasks.push_back(asio::co_spawn(
                executor, ask_for(client_, keys_[i].key, source_.scratch_folder_, source_.machine_, asked[i]),
                asio::deferred));
        const auto outcome = co_await asio::experimental::make_parallel_group(std::move(tasks))
                                 .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
        for (const std::exception_ptr& thrown : std::get<1>(outcome))
            if (thrown) std::rethrow_exception(thrown);
        for (Asked& one : asked) {
            const std::string key = std::move(keys_.front().key);
            keys_.pop_front();
            if (!one) continue;
            if (!*one) co_return std::move(*one).error();
            open(std::move(**one), key.substr(source_.name_.empty() ? 0 : source_.name_.size() + 1));
        }
    }
    co_return Result<>();
}

Task<Result<>> SourceListing::next_keys() {
    ZCDP_CO_TRY(ItemPage page, co_await ask_page(client_, source_.name_, true, after_));
    const std::string below = source_.name_.empty() ? "" : source_.name_ + "/";
    for (Item& item : page.items) {
        if (!is_key(item.key) || !item.key.starts_with(below))
            co_return Error(ErrorKind::corrupt, "the server lists what is no key below it", below);
        if (!item.is_directory) keys_.push_back(std::move(item));
    }
    all_keys_ = page.next.empty();
    after_ = std::move(page.next);
    if (source_.parts_.size() + keys_.size() > kKeysMost)
        co_return Error(ErrorKind::refused, "has more than " + std::to_string(kKeysMost) + " keys below it", below,
                        "get what is below its folders, one after the other");
    co_return Result<>();
}

void SourceListing::open(Version version, std::string at) {
    Part& part = source_.add_part(version, std::move(at));
    auto reader = store::ManifestReader::create(source_.machine_.fs, version.manifest->get());
    opened_.push_back({std::move(version), &part, std::move(reader)});
}

/// From the first manifest that is open, which goes when it is at its end.
Result<> SourceListing::read(std::vector<SourceEntry>& page) {
    Opened& from = opened_.front();
    for (size_t chunks = 0; page.size() < kPageEntries && chunks < kPageChunks;) {
        auto entry = from.reader->next();
        if (!entry) return std::move(entry).error().about(from.version.key);
        if (!*entry) {
            if (from.reader->id().str() != from.version.snapshot)
                return Error(ErrorKind::corrupt, "the manifest that came is another snapshot's", from.version.key);
            opened_.pop_front();
            return {};
        }
        store::ManifestEntry& file = **entry;
        if (file.kind == store::FileKind::file) ++from.part->files, from.part->bytes += file.size_bytes;
        file.path.insert(0, from.part->folder);
        if (!file.chunks.empty()) source_.long_files_.insert_or_assign(file.path, file.digest);
        chunks += file.chunks.size();
        page.push_back({std::move(file), from.part});
    }
    return {};
}

}  // namespace zcdp::datastore
