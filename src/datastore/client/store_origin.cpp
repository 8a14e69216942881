#include "src/datastore/client/store_origin.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "src/datastore/client/again.hpp"
#include "src/datastore/client/batch_request.hpp"
#include "src/datastore/client/gatherer.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/origin/metrics.hpp"

namespace zcdp::datastore {
namespace {

/// Reads at once. Of short files they share a request.
constexpr uint32_t kReadsAtOnce = 256;
/// Longer files have an answer each.
constexpr uint64_t kManyBytesMost = 512 << 10;

origin::EntryKind kind_of(store::FileKind kind) {
    switch (kind) {
        case store::FileKind::directory: return origin::EntryKind::directory;
        case store::FileKind::symlink: return origin::EntryKind::symlink;
        case store::FileKind::file: break;
    }
    return origin::EntryKind::file;
}

origin::Entry entry_of(store::ManifestEntry&& of) {
    origin::Entry entry;
    entry.path = std::move(of.path), entry.kind = kind_of(of.kind), entry.size_bytes = of.size_bytes;
    if (of.kind == store::FileKind::file) entry.tag = Tag(of.digest.str());
    entry.executable = of.executable, entry.symlink_target = std::move(of.symlink_target);
    return entry;
}

origin::ObjectChecksum checksum_of(const Digest& digest, uint64_t size_bytes) {
    origin::ObjectChecksum checksum;
    checksum.kind = origin::ObjectChecksum::Kind::sha256;
    checksum.raw.assign(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
    if (digest.kind == DigestKind::sha256tree) checksum.parts = static_cast<uint32_t>(chunk_count(size_bytes));
    return checksum;
}

Error changed(std::string_view why, const std::string& path) {
    return Error(ErrorKind::source_changed, "changed while it was being read: " + std::string(why), path);
}

/// That a file comes out of the version that was listed.
Result<> check_snapshot(const net::Response& answer, const Part& part, const std::string& path) {
    if (answer.header("zcdp-snapshot") == part.snapshot) return {};
    return changed("it comes from snapshot " + printable(answer.header("zcdp-snapshot")), path);
}

class ManifestListing final : public origin::Listing {
  public:
    ManifestListing(std::shared_ptr<Client> client, std::shared_ptr<Source> source)
        : client_(std::move(client)), source_(std::move(source)), listing_(source_->list(*client_)) {}
    Task<Result<std::vector<origin::Entry>>> next() override {
        ZCDP_CO_TRY(auto page, co_await listing_->next());
        std::vector<origin::Entry> entries;
        entries.reserve(page.size());
        for (SourceEntry& one : page) entries.push_back(entry_of(std::move(one.entry)));
        co_return entries;
    }
    bool is_ordered() const override { return !source_->is_prefix(); }

  private:
    std::shared_ptr<Client> client_;
    std::shared_ptr<Source> source_;
    std::unique_ptr<SourceListing> listing_;
};

/// What an origin's bodies need of it, and may outlive it with.
class Reader {
  public:
    Reader(std::shared_ptr<Client> client, std::shared_ptr<Source> source, asio::any_io_executor executor,
           Machine machine)
        : client_(std::move(client)),
          source_(std::move(source)),
          executor_(executor),
          machine_(machine),
          requests_(machine.metrics.counter(origin::metric::requests)),
          bytes_(machine.metrics.counter(origin::metric::bytes)) {}

    Task<Result<origin::ObjectInfo>> head(std::string path);
    /// The range of a file. Errors: as Origin::read().
    Task<Result<std::unique_ptr<net::Response>>> open(origin::ReadSpec spec);
    Task<Result<BatchFile>> read_short(origin::ReadSpec spec);
    Task<Result<origin::ManyFiles>> read_many(std::vector<origin::ReadSpec> specs);

    void count(size_t bytes) { bytes_.add(bytes); }
    Machine& machine() { return machine_; }
    Source& source() { return *source_; }
    const std::shared_ptr<Source>& shared_source() const { return source_; }
    const std::shared_ptr<Client>& shared_client() const { return client_; }

  private:
    /// Of the parts that may have the path, what the first one that has it answers; and why none of them has.
    template <class T, class Ask>
    Task<Result<T>> ask_parts(std::string path, Ask ask);
    Task<Result<origin::ObjectInfo>> head_in(const Part& part, std::string path);
    Task<Result<std::unique_ptr<net::Response>>> open_in(const Part& part, origin::ReadSpec spec);
    Task<Result<>> read_group(std::span<const origin::ReadSpec> specs, const Part& part,
                              std::span<std::optional<BatchFile>> files);
    Task<Result<BatchFile>> read_short_in(const Part& part, origin::ReadSpec spec);
    Task<Result<std::unique_ptr<net::Response>>> ask_head(const Part& part, std::string path, bool present);
    Task<Error> explain(const Part& part, std::string path, Error error);
    net::Request file_request(std::string method, const Part& part, const std::string& path, bool present);
    Gatherer& gatherer_of(const Part& part);

    std::shared_ptr<Client> client_;
    std::shared_ptr<Source> source_;
    asio::any_io_executor executor_;
    Machine machine_;
    Counter &requests_, &bytes_;
    std::map<const Part*, std::unique_ptr<Gatherer>> gatherers_;
};

net::Request Reader::file_request(std::string method, const Part& part, const std::string& path, bool present) {
    const std::string version = present ? "" : "version=" + std::to_string(part.version) + "&";
    net::Request request;
    request.method = std::move(method);
    request.target = target_of("files", part.key, version + "path=" + uri_encode(part.path_inside(path), false));
    requests_.add();
    return request;
}

BatchDoor batch_door(const Part& part) {
    return {target_of("files", part.key, "version=" + std::to_string(part.version)), part.snapshot};
}

Task<Result<std::unique_ptr<net::Response>>> Reader::ask_head(const Part& part, std::string path, bool present) {
    return client_->send(file_request("HEAD", part, path, present), /*may_repeat=*/true);
}

/// A path that was listed is in its version for good: the version is no more. What became of the file tells the present
/// one.
Task<Error> Reader::explain(const Part& part, std::string path, Error error) {
    source_->lost();
    const auto now = co_await ask_head(part, path, /*present=*/true);
    if (now) co_return changed("its version " + std::to_string(part.version) + " is no more", path);
    co_return now.error().kind() == ErrorKind::not_found ? std::move(error).about(path) : now.error();
}

template <class T, class Ask>
Task<Result<T>> Reader::ask_parts(std::string path, Ask ask) {
    std::optional<Error> none;
    const auto parts = source_->parts_of(path);
    for (const Part* part : parts) {
        Result<T> answer = co_await ask(*part);
        if (answer || answer.error().kind() != ErrorKind::not_found) co_return answer;
        none = std::move(answer).error();
    }
    if (!none) co_return Error(ErrorKind::not_found, "is in no key of it", path);
    co_return co_await explain(*parts.front(), path, std::move(*none));
}

/// That the file can be read, and how long it is, the server says; what its digest is, the manifest.
Task<Result<origin::ObjectInfo>> Reader::head_in(const Part& part, std::string path) {
    ZCDP_CO_TRY(const auto answer, co_await ask_head(part, path, /*present=*/false));
    ZCDP_CO_CHECK(check_snapshot(*answer, part, path));
    ZCDP_CO_TRY(const Digest digest, co_await source_->digest_of(*client_, part, path));
    origin::ObjectInfo info;
    info.tag = Tag(digest.str());
    info.size_bytes = number_of(answer->header("content-length"));
    info.checksum = checksum_of(digest, info.size_bytes);
    co_return info;
}

Task<Result<origin::ObjectInfo>> Reader::head(std::string path) {
    return ask_parts<origin::ObjectInfo>(path, [this, path](const Part& part) { return head_in(part, path); });
}

Task<Result<std::unique_ptr<net::Response>>> Reader::open_in(const Part& part, origin::ReadSpec spec) {
    net::Request request = file_request("GET", part, spec.path, false);
    const bool whole = spec.offset_bytes == 0 && spec.length_bytes == spec.object_bytes;
    if (!whole)
        request.headers.emplace_back("Range", "bytes=" + std::to_string(spec.offset_bytes) + "-" +
                                                  std::to_string(spec.offset_bytes + spec.length_bytes - 1));
    ZCDP_CO_TRY(auto answer, co_await client_->send(std::move(request)));
    ZCDP_CO_CHECK(check_snapshot(*answer, part, spec.path));
    if (answer->status() != (whole ? 200 : 206))
        co_return Error(ErrorKind::no_ranges, "the server sends another range than the one asked for", spec.path);
    if (answer->body_bytes() != spec.length_bytes)
        co_return Error(ErrorKind::refused, "other bytes come than are listed", spec.path,
                        "something on the way rewrites them");
    co_return answer;
}

Gatherer& Reader::gatherer_of(const Part& part) {
    auto& gatherer = gatherers_[&part];
    if (!gatherer) gatherer = std::make_unique<Gatherer>(executor_, client_, batch_door(part), machine_);
    return *gatherer;
}

Task<Result<BatchFile>> Reader::read_short_in(const Part& part, origin::ReadSpec spec) {
    auto file = co_await gatherer_of(part).read(part.path_inside(spec.path), spec.object_bytes);
    if (const auto at = gatherers_.find(&part); at != gatherers_.end() && at->second->is_idle()) gatherers_.erase(at);
    co_return file;
}

Task<Result<std::unique_ptr<net::Response>>> Reader::open(origin::ReadSpec spec) {
    return ask_parts<std::unique_ptr<net::Response>>(spec.path,
                                                     [this, spec](const Part& part) { return open_in(part, spec); });
}

Task<Result<BatchFile>> Reader::read_short(origin::ReadSpec spec) {
    return ask_parts<BatchFile>(spec.path, [this, spec](const Part& part) { return read_short_in(part, spec); });
}

/// Those that are not in this part, and all if it is no more, are left to read_short(), which knows what to do.
Task<Result<>> Reader::read_group(std::span<const origin::ReadSpec> specs, const Part& part,
                                  std::span<std::optional<BatchFile>> files) {
    std::vector<BatchWish> wishes;
    for (const origin::ReadSpec& spec : specs) wishes.push_back({part.path_inside(spec.path), spec.object_bytes});
    const BatchKnown known = [&files](size_t index, Result<BatchFile> outcome) {
        if (outcome) files[index] = std::move(*outcome);
    };
    auto asked = co_await ask_batch(*client_, batch_door(part), std::move(wishes), known, machine_);
    if (!asked && asked.error().kind() != ErrorKind::not_found) co_return asked;
    for (size_t i = 0; i < specs.size(); ++i) {
        if (files[i]) continue;
        ZCDP_CO_TRY(files[i], co_await read_short(specs[i]));
    }
    co_return Result<>();
}

Task<Result<origin::ManyFiles>> Reader::read_many(std::vector<origin::ReadSpec> specs) {
    std::vector<std::optional<BatchFile>> files(specs.size());
    const auto part_of = [this](const origin::ReadSpec& spec) {
        const auto parts = source_->parts_of(spec.path);
        return parts.empty() ? nullptr : parts.front();
    };
    for (size_t begin = 0, end = 0; begin < specs.size(); begin = end) {
        const Part* const part = part_of(specs[begin]);
        if (!part) co_return Error(ErrorKind::not_found, "is in no key of it", specs[begin].path);
        for (end = begin + 1; end < specs.size() && part_of(specs[end]) == part;) ++end;
        ZCDP_CO_CHECK(co_await read_group(std::span(specs).subspan(begin, end - begin), *part,
                                          std::span(files).subspan(begin, end - begin)));
    }
    origin::ManyFiles out;
    for (std::optional<BatchFile>& file : files) {
        count(file->length);
        out.files.push_back(file->bytes());
        if (out.kept.empty() || out.kept.back() != file->answer) out.kept.push_back(std::move(file->answer));
    }
    co_return out;
}

/// A range that comes straight from the connection.
class RangeBody final : public origin::Body {
  public:
    RangeBody(std::unique_ptr<net::Response> answer, origin::ReadSpec rest, origin::ObjectChecksum checksum,
              std::shared_ptr<Reader> reader)
        : answer_(std::move(answer)),
          rest_(std::move(rest)),
          checksum_(std::move(checksum)),
          reader_(std::move(reader)) {}

    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        if (rest_.length_bytes == 0 || into.empty()) co_return size_t{0};
        if (!answer_) {
            ZCDP_CO_TRY(answer_, co_await reader_->open(rest_));
        }
        auto got = co_await answer_->read_some(into.first(std::min<uint64_t>(into.size(), rest_.length_bytes)));
        if (got && *got == 0) got = Error(ErrorKind::unreachable, "the body ended early");
        if (!got) co_return std::move(got).error().about(rest_.path);
        reader_->count(*got);
        rest_.offset_bytes += *got, rest_.length_bytes -= *got;
        if (rest_.length_bytes == 0) answer_.reset();
        co_return got;
    }
    Task<Result<>> resume(Error broken, uint32_t attempt) override {
        answer_.reset();
        const bool again = co_await pause_before_again(reader_->machine(), broken, attempt);
        if (!again) co_return broken;
        ZCDP_CO_TRY(answer_, co_await reader_->open(rest_));
        co_return Result<>();
    }
    const origin::ObjectChecksum& checksum() const override { return checksum_; }

  private:
    std::unique_ptr<net::Response> answer_;
    origin::ReadSpec rest_;  ///< what has not been handed out
    const origin::ObjectChecksum checksum_;
    std::shared_ptr<Reader> reader_;
};

/// A short file, all of which is here.
class ShortBody final : public origin::Body {
  public:
    ShortBody(BatchFile file, origin::ObjectChecksum checksum)
        : file_(std::move(file)), checksum_(std::move(checksum)) {}
    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        const auto rest = file_.bytes().subspan(at_);
        const size_t length = std::min(into.size(), rest.size());
        if (length > 0) std::memcpy(into.data(), rest.data(), length);
        at_ += length;
        co_return length;
    }
    Task<Result<>> resume(Error broken, uint32_t) override { co_return broken; }
    const origin::ObjectChecksum& checksum() const override { return checksum_; }

  private:
    BatchFile file_;
    size_t at_ = 0;
    const origin::ObjectChecksum checksum_;
};

class StoreOrigin final : public origin::Origin {
  public:
    StoreOrigin(std::shared_ptr<Reader> reader, std::string endpoint, bool has_token)
        : reader_(std::move(reader)), endpoint_(std::move(endpoint)), has_token_(has_token) {}

    origin::OriginIdentity identity() const override {
        origin::OriginIdentity identity;
        identity.endpoint = endpoint_, identity.bucket = reader_->source().name();
        identity.credentials = has_token_ ? "token" : "anonymous";
        identity.may_be_empty = true, identity.tags_are_digests = true;
        return identity;
    }
    std::unique_ptr<origin::Listing> list(const origin::Selection&) override {
        return std::make_unique<ManifestListing>(reader_->shared_client(), reader_->shared_source());
    }
    Task<Result<origin::ObjectInfo>> head(std::string path) override { return reader_->head(std::move(path)); }
    Task<Result<std::unique_ptr<origin::Body>>> read(origin::ReadSpec spec) override {
        const auto digest = Digest::parse(spec.tag.str());
        if (!digest) co_return changed("it has another digest", spec.path);
        auto checksum = checksum_of(*digest, spec.object_bytes);
        if (spec.length_bytes == spec.object_bytes && spec.object_bytes <= Gatherer::kFileBytesMost) {
            ZCDP_CO_TRY(BatchFile file, co_await reader_->read_short(spec));
            reader_->count(file.length);
            co_return std::unique_ptr<origin::Body>(std::make_unique<ShortBody>(std::move(file), std::move(checksum)));
        }
        ZCDP_CO_TRY(auto answer, co_await reader_->open(spec));
        co_return std::unique_ptr<origin::Body>(
            std::make_unique<RangeBody>(std::move(answer), std::move(spec), std::move(checksum), reader_));
    }
    uint64_t many_bytes_most() const override { return kManyBytesMost; }
    Task<Result<origin::ManyFiles>> read_many(std::vector<origin::ReadSpec> specs) override {
        return reader_->read_many(std::move(specs));
    }
    Task<bool> retry_after(const Error& error, uint32_t attempt) override {
        return pause_before_again(reader_->machine(), error, attempt);
    }
    uint32_t concurrency() const override { return kReadsAtOnce; }

  private:
    std::shared_ptr<Reader> reader_;
    const std::string endpoint_;
    const bool has_token_;
};

}  // namespace

origin::OriginFactory make_store_origin_factory(std::shared_ptr<Source> source, ServerAccess access, Machine machine) {
    return [source = std::move(source), access = std::move(access),
            machine](asio::any_io_executor executor) -> Result<std::unique_ptr<origin::Origin>> {
        ZCDP_TRY(auto client, make_client(executor, access, machine));
        auto reader = std::make_shared<Reader>(std::shared_ptr<Client>(std::move(client)), source, executor, machine);
        return std::unique_ptr<origin::Origin>(
            std::make_unique<StoreOrigin>(std::move(reader), access.url, !access.token.empty()));
    };
}

}  // namespace zcdp::datastore
