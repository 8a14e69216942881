// The server: answers each request from the directory, or from a store's snapshots.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <thread>

#include "src/services/metrics.hpp"
#include "src/services/serve/answers.hpp"
#include "src/services/serve/buckets.hpp"
#include "src/services/serve/folder_cursor.hpp"
#include "src/services/serve/signature.hpp"
#include "src/services/serve/uri.hpp"
#include "zcdp/base/open_cached.hpp"
#include "zcdp/base/stop.hpp"
#include "zcdp/net/conditions.hpp"
#include "zcdp/net/pki.hpp"
#include "zcdp/net/server.hpp"
#include "zcdp/services/serve.hpp"

namespace zcdp::services {
namespace {

using namespace serve;
using net::server::Conditions, net::server::ConditionVerdict, net::server::FileRange, net::server::RangeAnswer;
using net::server::RangeKind, net::server::Request, net::server::RequestBody, net::server::Response;

constexpr uint64_t kLookMs = 3'600'000;  ///< it is woken when stopped
constexpr uint64_t kPatienceMs = 2'000;
constexpr unsigned kLoopsLeast = 8, kLoopsMax = 16;  ///< a core that one long send keeps busy leaves the others theirs
constexpr unsigned kFileThreads = 16;                ///< what is not in memory is read by so many at once

class S3Server final : public Server {
  public:
    S3Server(const ServeOptions& options, std::unique_ptr<Buckets> buckets, Fs& fs, Clock& clock, Metrics& metrics,
             Logger& log)
        : options_(options),
          buckets_(std::move(buckets)),
          fs_(fs),
          clock_(clock),
          log_(log),
          requests_(metrics.counter(metric::serve_requests)),
          bytes_(metrics.counter(metric::serve_bytes)),
          refused_(metrics.counter(metric::serve_refused)),
          left_out_(metrics, log),
          windows_(fs, clock, metrics.counter(metric::serve_folder_reads), {}, &left_out_) {}
    ~S3Server() override {
        server_.reset();
        pool_.join();
    }

    Result<> bind();
    const std::string& url() const override { return url_; }
    Result<> run(std::stop_token stop) override;

  private:
    /// A file as it is found, or what to answer instead.
    struct Found {
        Fd file;
        bool only_memory = false;  ///< as FileRange says it
        ObjectStat object;
        Answer instead;
    };
    Task<Response> answer(const Request& request);
    Response respond(const Request& request, Answer answer);
    Answer refuse(const Request& request, const Target& target) const;
    Answer list(const Target& target, int root);
    Answer about_bucket(const Request& request, const Target& target);
    Found find(const Target& target);
    std::optional<Found> find_now(const Target& target);
    Found found(const Target& target, SysResult<Fd> file);
    Response object(const Request& request, const Target& target, Found found);
    void log_access(const Request& request, int status, uint64_t bytes);
    const std::string& common_headers() const;

    const ServeOptions options_;
    const std::unique_ptr<Buckets> buckets_;
    Fs& fs_;
    Clock& clock_;
    Logger& log_;
    Counter &requests_, &bytes_, &refused_;
    LeftOutBook left_out_;
    FolderWindows windows_;
    std::string url_;
    asio::thread_pool pool_{kFileThreads};
    std::unique_ptr<net::server::Server> server_;
};

Result<> S3Server::bind() {
    net::server::Options wanted;
    wanted.listen = options_.listen;
    wanted.loops = std::clamp(std::thread::hardware_concurrency(), kLoopsLeast, kLoopsMax);
    wanted.connections_max = options_.connections_max, wanted.refuse_when_full = true;
    wanted.header_bytes_max = 16 << 10;
    wanted.idle_ms = wanted.header_ms = wanted.progress_ms = options_.idle_timeout_s * 1000ull;
    wanted.requests_refused = &refused_;
    wanted.tls = !options_.certificate_file.empty();
    if (wanted.tls) {
        ZCDP_TRY(auto pair, net::read_key_pair(fs_, options_.certificate_file, options_.key_file));
        wanted.certificate_pem = std::move(pair.certificate_pem), wanted.key_pem = std::move(pair.key_pem);
    }
    const char* scheme = wanted.tls ? "https" : "http";
    ZCDP_TRY(server_,
             net::server::Server::open(
                 std::move(wanted), pool_, [this](Request& request, RequestBody&) { return answer(request); }, log_));
    url_ = fmt::format("{}://{}:{}", scheme, server_->address(), server_->port());
    return {};
}

Result<> S3Server::run(std::stop_token stop) {
    while (!wait_for_stop(stop, kLookMs)) continue;
    server_->drain(kPatienceMs);
    return {};
}

void S3Server::log_access(const Request& request, int status, uint64_t bytes) {
    requests_.add();
    bytes_.add(bytes);
    if (!log_.enabled(LogLevel::info)) return;  // its fields cost as much as the rest
    log_.info("request",
              {{"method", request.method}, {"target", request.target}, {"status", status}, {"bytes", bytes}});
}

/// Written once a second by each thread.
const std::string& S3Server::common_headers() const {
    thread_local int64_t of = -1;
    thread_local std::string text;
    if (const int64_t now = clock_.unix_s(); now != of) {
        text = fmt::format("Server: zcdp\r\nDate: {}\r\n", http_date(now));
        of = now;
    }
    return text;
}

Response S3Server::respond(const Request& request, Answer answer) {
    const bool head = request.method == "HEAD" || answer.status == 304;
    log_access(request, answer.status, head ? 0 : answer.body.size());
    return {answer.status, common_headers() + answer.headers, std::move(answer.body)};
}

/// What a question is of when it is of no listing and of no bytes,
/// docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html: to take one for the other would be a wrong answer.
constexpr std::string_view kOtherQuestions[] = {"accelerate",
                                                "acl",
                                                "analytics",
                                                "attributes",
                                                "cors",
                                                "delete",
                                                "encryption",
                                                "intelligent-tiering",
                                                "inventory",
                                                "legal-hold",
                                                "lifecycle",
                                                "logging",
                                                "metadataConfiguration",
                                                "metadataTable",
                                                "metrics",
                                                "notification",
                                                "object-lock",
                                                "ownershipControls",
                                                "policy",
                                                "policyStatus",
                                                "publicAccessBlock",
                                                "replication",
                                                "requestPayment",
                                                "restore",
                                                "retention",
                                                "select",
                                                "session",
                                                "tagging",
                                                "torrent",
                                                "uploadId",
                                                "uploads",
                                                "versions",
                                                "website"};

/// There is one version of each object, "null" to who asks by version, and it is one part.
Answer refuse_object(const Target& target) {
    if (const std::string* version = target.find("versionId"); version && *version != "null")
        return error_answer(404, "NoSuchVersion", "There are no versions here.", target.path);
    const std::string* part = target.find("partNumber");
    if (!part || *part == "1") return {};
    const bool number = !part->empty() && part->find_first_not_of("0123456789") == part->npos;
    return number ? error_answer(416, "InvalidPartNumber", "The object has one part.", target.path)
                  : error_answer(400, "InvalidArgument", "partNumber is no number.", target.path);
}

/// What is wrong with a request before its object is looked at; status 200 when nothing is.
Answer S3Server::refuse(const Request& request, const Target& target) const {
    if (!options_.access_key.empty()) {
        switch (check_signature(request, {options_.access_key, options_.secret_key}, clock_.unix_s())) {
            case SignatureVerdict::right: break;
            case SignatureVerdict::missing: return error_answer(403, "AccessDenied", "Access Denied", target.path);
            case SignatureVerdict::unknown_key:
                return error_answer(403, "InvalidAccessKeyId", "The access key is not known here.", target.path);
            case SignatureVerdict::skewed:
                return error_answer(403, "RequestTimeTooSkewed", "The request's time is too far from the server's.",
                                    target.path);
            case SignatureVerdict::expired:
                return error_answer(403, "AccessDenied", "Request has expired.", target.path);
            case SignatureVerdict::wrong:
                return error_answer(403, "SignatureDoesNotMatch", "The signature is not that of the secret key.",
                                    target.path);
        }
    }
    if (request.method != "GET" && request.method != "HEAD")
        return error_answer(405, "MethodNotAllowed", "This bucket is read-only.", target.path);
    for (const auto& [name, value] : target.query)
        if (std::ranges::find(kOtherQuestions, name) != std::end(kOtherQuestions))
            return error_answer(501, "NotImplemented", "zcdp serve only lists and reads.", target.path);
    if (target.bucket.empty() && !target.key.empty())
        return error_answer(404, "NoSuchBucket", "The path has no bucket before its second '/'.", target.path);
    return target.key.empty() ? Answer() : refuse_object(target);
}

Answer S3Server::list(const Target& target, int root) {
    const auto parameter = [&](std::string_view name) {
        const std::string* value = target.find(name);
        return value ? *value : std::string();
    };
    ListRequest request;
    request.bucket = target.bucket;
    request.version_2 = parameter("list-type") == "2";
    request.url_encoded = parameter("encoding-type") == "url";
    request.prefix = parameter("prefix"), request.delimiter = parameter("delimiter");
    request.marker = parameter("marker"), request.start_after = parameter("start-after");
    request.token = parameter("continuation-token");
    if (const std::string most = parameter("max-keys"); !most.empty()) {
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(most.data(), most.data() + most.size(), value);
        if (error != std::errc() || end != most.data() + most.size())
            return error_answer(400, "InvalidArgument", "max-keys is no number.", target.path);
        request.max_keys = std::min<uint64_t>(value, 1000);
    }
    ListQuery query;
    query.prefix = request.prefix, query.delimiter = request.delimiter;
    query.max_keys = request.max_keys, query.may_pause = request.version_2;
    if (!request.token.empty()) {
        if (!from_token(request.token, query.from))
            return error_answer(400, "InvalidArgument", "The continuation token is none of this server's.",
                                target.path);
    } else {
        query.from =
            after_marker(request.version_2 ? request.start_after : request.marker, query.prefix, query.delimiter);
    }
    FolderCursor cursor(fs_, windows_, root, query);
    const auto page = list_page(query, cursor);
    if (!page) {
        log_.error("listing failed", {{"error", page.error().line()}});
        return error_answer(500, "InternalError", "The directory cannot be read.", target.path);
    }
    return list_objects(request, *page);
}

constexpr int kOpenFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY;

bool is_file_key(const std::string& key) { return !key.ends_with('/') && key.find('\0') == std::string::npos; }

SysResult<Fd> no_file() { return boost::system::error_code(ENOENT, boost::system::system_category()); }

/// Asked once for each device and thread.
bool is_of_tmpfs(int file, dev_t device) {
    thread_local std::optional<std::pair<dev_t, bool>> known;
    struct statfs about{};
    if (!known || known->first != device)
        known.emplace(device, ::fstatfs(file, &about) == 0 && about.f_type == TMPFS_MAGIC);
    return known->second;
}

/// Blocks.
S3Server::Found S3Server::find(const Target& target) {
    Found found;
    const auto root = buckets_->open(target.bucket);
    if (!root) {
        found.instead = error_answer(500, "InternalError", "The store cannot be read.", target.path);
        return found;
    }
    if (!*root) {
        found.instead = error_answer(404, "NoSuchBucket", "There is no such bucket here.", target.path);
        return found;
    }
    if (!is_file_key(target.key)) return this->found(target, no_file());
    return this->found(target, fs_.open_beneath((*root)->get(), target.key.c_str(), kOpenFlags));
}

/// Where nothing has to be waited for; nothing: only find() can tell.
std::optional<S3Server::Found> S3Server::find_now(const Target& target) {
    const auto root = buckets_->open_now(target.bucket);
    if (!root || !is_file_key(target.key)) return std::nullopt;
    auto file = open_beneath_cached(fs_, root->get(), target.key.c_str(), kOpenFlags);
    if (!file && file.error().value() == EAGAIN) return std::nullopt;
    return found(target, std::move(file));
}

S3Server::Found S3Server::found(const Target& target, SysResult<Fd> file) {
    Found found;
    if (!file && file.error().value() == EACCES) {
        found.instead = error_answer(403, "AccessDenied", "The file cannot be read.", target.path);
        return found;
    }
    if (const auto st = file ? fs_.stat_fd(file->get()) : SysResult<struct stat>(file.error());
        st && S_ISREG(st->st_mode)) {
        found.object = object_stat(*st);
        found.only_memory = is_of_tmpfs(file->get(), st->st_dev);
        found.file = std::move(*file);
    } else {
        found.instead = error_answer(404, "NoSuchKey", "There is no such key.", target.path);
    }
    return found;
}

Response S3Server::object(const Request& request, const Target& target, Found found) {
    if (!found.file) return respond(request, std::move(found.instead));
    const ObjectStat& object = found.object;
    const std::string tag = etag(object);
    std::string headers;
    headers.reserve(256);
    headers.append("ETag: ").append(tag).append("\r\nLast-Modified: ").append(http_date(object.modified_s()));
    headers.append("\r\nAccept-Ranges: bytes\r\n");
    const Conditions conditions{request.header("if-match"), request.header("if-none-match"),
                                request.header("if-modified-since"), request.header("if-unmodified-since"),
                                request.header("if-range")};
    switch (evaluate_conditions(conditions, tag, object.modified_s())) {
        case ConditionVerdict::not_modified: return respond(request, {304, headers, ""});
        case ConditionVerdict::failed:
            return respond(request, error_answer(412, "PreconditionFailed", "A condition of the request does not hold.",
                                                 target.path));
        case ConditionVerdict::proceed: break;
    }
    RangeAnswer range =
        net::server::evaluate_range(request.header("range"), conditions.if_range, tag, object.size_bytes);
    if (range.kind == RangeKind::unsatisfiable) {
        Answer answer = error_answer(416, "InvalidRange", "The object has no such range.", target.path);
        answer.headers += fmt::format("Content-Range: bytes */{}\r\n", object.size_bytes);
        return respond(request, std::move(answer));
    }
    const bool part = range.kind == RangeKind::part;
    if (!part) range.offset = 0, range.length = object.size_bytes;
    const int status = part ? 206 : 200;
    if (part)
        headers += fmt::format("Content-Range: bytes {}-{}/{}\r\n", range.offset, range.offset + range.length - 1,
                               object.size_bytes);
    log_access(request, status, request.method == "HEAD" ? 0 : range.length);
    headers.append("Content-Type: application/octet-stream\r\n");
    return {status, common_headers() + headers,
            FileRange{std::move(found.file), range.offset, range.length, found.only_memory}};
}

/// Blocks.
Answer S3Server::about_bucket(const Request& request, const Target& target) {
    const auto root = buckets_->open(target.bucket);
    if (!root) return error_answer(500, "InternalError", "The store cannot be read.", target.path);
    if (!*root) return error_answer(404, "NoSuchBucket", "There is no such bucket here.", target.path);
    for (const auto& [question, name] :
         {std::pair{"location", "LocationConstraint"}, std::pair{"versioning", "VersioningConfiguration"}})
        if (target.find(question)) return bucket_property(name);
    if (request.method == "HEAD") return {};
    return list(target, (*root)->get());
}

Task<Response> S3Server::answer(const Request& request) {
    const auto target = parse_target(request.target);
    if (!target)
        co_return respond(request, error_answer(400, "InvalidURI", "The request's target cannot be read.", ""));
    if (Answer refused = refuse(request, *target); refused.status != 200)
        co_return respond(request, std::move(refused));
    if (target->bucket.empty()) {
        const auto look = [&] { return list_buckets(buckets_->names()); };
        co_return respond(request, co_await offload(pool_, look));
    }
    if (target->key.empty()) {
        const auto look = [&] { return about_bucket(request, *target); };
        co_return respond(request, co_await offload(pool_, look));
    }
    if (auto found = find_now(*target)) co_return object(request, *target, std::move(*found));
    const auto look = [&] { return find(*target); };
    co_return object(request, *target, co_await offload(pool_, look));
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(const ServeOptions& options, Fs& fs, Clock& clock, Metrics& metrics,
                                             Logger& log, std::unique_ptr<store::Snapshots> store) {
    std::unique_ptr<Buckets> buckets;
    if (store) {
        buckets = make_store_buckets(std::move(store), fs, clock);
    } else {
        ZCDP_TRY(buckets, make_folder_bucket(options.directory, options.bucket, fs));
    }
    auto server = std::make_unique<S3Server>(options, std::move(buckets), fs, clock, metrics, log);
    ZCDP_CHECK(server->bind());
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace zcdp::services
