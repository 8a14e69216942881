// The server: accepts, reads requests, and answers each from the directory.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "src/services/metrics.hpp"
#include "src/services/serve/answers.hpp"
#include "src/services/serve/buckets.hpp"
#include "src/services/serve/folder_cursor.hpp"
#include "src/services/serve/http_request.hpp"
#include "src/services/serve/peer.hpp"
#include "src/services/serve/signature.hpp"
#include "src/services/serve/uri.hpp"
#include "zcdp/base/stop.hpp"
#include "zcdp/net/conditions.hpp"
#include "zcdp/net/listen.hpp"
#include "zcdp/services/serve.hpp"

namespace zcdp::services {
namespace {

using namespace serve;
using net::server::Conditions, net::server::ConditionVerdict, net::server::RangeAnswer, net::server::RangeKind;

constexpr uint64_t kBodyBytesMax = 1 << 20;
constexpr auto kPatience = std::chrono::seconds(2);

class S3Server final : public Server {
  public:
    S3Server(const ServeOptions& options, std::unique_ptr<Buckets> buckets, TlsServer tls, Fs& fs, Clock& clock,
             Metrics& metrics, Logger& log)
        : options_(options),
          buckets_(std::move(buckets)),
          tls_(std::move(tls)),
          fs_(fs),
          clock_(clock),
          log_(log),
          requests_(metrics.counter(metric::serve_requests)),
          bytes_(metrics.counter(metric::serve_bytes)),
          left_out_(metrics, log),
          windows_(fs, clock, metrics.counter(metric::serve_folder_reads), {}, &left_out_) {}

    Result<> bind();
    const std::string& url() const override { return url_; }
    Result<> run(std::stop_token stop) override;

  private:
    void serve(uint64_t number, int socket);
    bool answer(Peer& peer, const HttpRequest& request);
    bool send(Peer& peer, const HttpRequest& request, const Answer& answer);
    Answer refuse(const HttpRequest& request, const Target& target) const;
    Answer list(const Target& target, int root);
    bool object(Peer& peer, const HttpRequest& request, const Target& target, int root);
    void log_access(const HttpRequest& request, int status, uint64_t bytes);

    const ServeOptions options_;
    const std::unique_ptr<Buckets> buckets_;
    const TlsServer tls_;  ///< null: plain
    Fs& fs_;
    Clock& clock_;
    Logger& log_;
    Counter &requests_, &bytes_;
    LeftOutBook left_out_;
    FolderWindows windows_;
    Fd listener_;
    std::string url_;
    std::mutex mutex_;
    std::condition_variable ended_;
    std::map<uint64_t, int> sockets_;  ///< open ones, by the connection's number
    uint64_t accepted_ = 0;
    size_t running_ = 0;  ///< threads
};

Result<> S3Server::bind() {
    ZCDP_TRY(const net::Listen listen, net::Listen::parse(options_.listen));
    addrinfo hints{}, *found = nullptr;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    const char* name = listen.host.empty() ? "0.0.0.0" : listen.host == "localhost" ? "127.0.0.1" : listen.host.c_str();
    if (::getaddrinfo(name, std::to_string(listen.port).c_str(), &hints, &found) != 0)
        return Error(ErrorKind::usage, "is no address", options_.listen, "write ADDRESS:PORT with a numeric address");
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, ::freeaddrinfo);
    listener_ = Fd(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int one = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (::bind(listener_.get(), address->ai_addr, address->ai_addrlen) != 0 || ::listen(listener_.get(), 512) != 0)
        return errno_error(errno, "listening", options_.listen);
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &length);
    char text[INET6_ADDRSTRLEN], port[8];
    ::getnameinfo(reinterpret_cast<sockaddr*>(&bound), length, text, sizeof text, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV);
    const char* scheme = tls_ ? "https" : "http";
    url_ = bound.ss_family == AF_INET6 ? fmt::format("{}://[{}]:{}", scheme, text, port)
                                       : fmt::format("{}://{}:{}", scheme, text, port);
    return {};
}

Result<> S3Server::run(std::stop_token stop) {
    const StopFd stopped(stop);
    while (!stop.stop_requested()) {
        pollfd ready[2] = {{listener_.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
        if (::poll(ready, 2, -1) <= 0 || ready[0].revents == 0) continue;
        Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket) continue;
        const std::scoped_lock lock(mutex_);
        if (running_ >= options_.connections_max) continue;  // closed at once: the peer tries again
        const timeval timeout{static_cast<time_t>(options_.idle_timeout_s), 0};
        const int one = 1;
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        ++running_;
        sockets_[++accepted_] = socket.get();
        std::thread([this, number = accepted_, fd = socket.release()] { serve(number, fd); }).detach();
    }
    // Nobody else holds `this`: every thread is waited for, the slow ones after their sockets were shut.
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, kPatience, [this] { return running_ == 0; })) {
        for (const auto& [number, socket] : sockets_) ::shutdown(socket, SHUT_RDWR);
        ended_.wait(lock, [this] { return running_ == 0; });
    }
    return {};
}

/// For what is no request: an answer, and the end of the connection.
void give_up(Peer& peer, std::string_view status) {
    if (peer.send(fmt::format("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status), false))
        peer.linger();
}

void S3Server::serve(uint64_t number, int socket) {
    {
        Peer peer{Fd(socket)};
        try {
            for (bool usable = !tls_ || peer.start_tls(tls_.get()); usable;) {
                const std::string header = peer.next_header();
                if (header.empty()) {
                    if (peer.header_is_too_long()) give_up(peer, "431 Request Header Fields Too Large");
                    break;
                }
                const auto request = parse_request(header);
                if (!request) {
                    give_up(peer, "400 Bad Request");
                    break;
                }
                // A body is of no use here. A long one, or one that asks first, is answered unread.
                if (request->body_in_chunks || request->body_bytes > kBodyBytesMax ||
                    !request->header("expect").empty()) {
                    if (answer(peer, *request)) peer.linger();
                    break;
                }
                if (!peer.skip(request->body_bytes) || !answer(peer, *request) || !request->keep_alive) break;
            }
        } catch (const std::exception& error) {
            log_.error("a connection ended in an internal error", {{"error", error.what()}});
        }
        const std::scoped_lock lock(mutex_);
        sockets_.erase(number);  // before the descriptor is closed: its number may be another's then
    }
    const std::scoped_lock lock(mutex_);
    --running_;
    ended_.notify_all();
}

void S3Server::log_access(const HttpRequest& request, int status, uint64_t bytes) {
    requests_.add();
    bytes_.add(bytes);
    log_.info("request",
              {{"method", request.method}, {"target", request.target}, {"status", status}, {"bytes", bytes}});
}

bool S3Server::send(Peer& peer, const HttpRequest& request, const Answer& answer) {
    const bool head = request.method == "HEAD" || answer.status == 304;
    log_access(request, answer.status, head ? 0 : answer.body.size());
    const std::string header =
        fmt::format("HTTP/1.1 {} {}\r\nServer: zcdp\r\nDate: {}\r\n{}Content-Length: {}\r\n\r\n", answer.status,
                    reason_phrase(answer.status), http_date(clock_.unix_s()), answer.headers, answer.body.size());
    if (!peer.send(header, !head && !answer.body.empty())) return false;
    return head || peer.send(answer.body, false);
}

/// What a question is of when it is of no listing and of no bytes,
/// docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html: to take one for the other would be a wrong answer.
constexpr const char* kOtherQuestions[] = {"accelerate",
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
Answer S3Server::refuse(const HttpRequest& request, const Target& target) const {
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
    for (const char* sub : kOtherQuestions)
        if (target.find(sub))
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

bool S3Server::object(Peer& peer, const HttpRequest& request, const Target& target, int root) {
    const auto missing = [&] {
        return send(peer, request, error_answer(404, "NoSuchKey", "There is no such key.", target.path));
    };
    if (target.key.ends_with('/')) return missing();
    auto file = fs_.open_beneath(root, target.key.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file || target.key.find('\0') != std::string::npos) {
        if (!file && file.error().value() == EACCES)
            return send(peer, request, error_answer(403, "AccessDenied", "The file cannot be read.", target.path));
        return missing();
    }
    const auto st = fs_.stat_fd(file->get());
    if (!st || !S_ISREG(st->st_mode)) return missing();
    const ObjectStat object = object_stat(*st);
    const std::string tag = etag(object);
    std::string headers =
        fmt::format("ETag: {}\r\nLast-Modified: {}\r\nAccept-Ranges: bytes\r\n", tag, http_date(object.modified_s()));
    const Conditions conditions{request.header("if-match"), request.header("if-none-match"),
                                request.header("if-modified-since"), request.header("if-unmodified-since"),
                                request.header("if-range")};
    switch (evaluate_conditions(conditions, tag, object.modified_s())) {
        case ConditionVerdict::not_modified: return send(peer, request, {304, headers, ""});
        case ConditionVerdict::failed:
            return send(
                peer, request,
                error_answer(412, "PreconditionFailed", "A condition of the request does not hold.", target.path));
        case ConditionVerdict::proceed: break;
    }
    RangeAnswer range =
        net::server::evaluate_range(request.header("range"), conditions.if_range, tag, object.size_bytes);
    if (range.kind == RangeKind::unsatisfiable) {
        Answer answer = error_answer(416, "InvalidRange", "The object has no such range.", target.path);
        answer.headers += fmt::format("Content-Range: bytes */{}\r\n", object.size_bytes);
        return send(peer, request, answer);
    }
    const bool part = range.kind == RangeKind::part;
    if (!part) range.offset = 0, range.length = object.size_bytes;
    const int status = part ? 206 : 200;
    if (part)
        headers += fmt::format("Content-Range: bytes {}-{}/{}\r\n", range.offset, range.offset + range.length - 1,
                               object.size_bytes);
    const bool head = request.method == "HEAD";
    log_access(request, status, head ? 0 : range.length);
    const std::string header = fmt::format(
        "HTTP/1.1 {} {}\r\nServer: zcdp\r\nDate: {}\r\n{}Content-Type: application/octet-stream\r\nContent-Length: "
        "{}\r\n\r\n",
        status, reason_phrase(status), http_date(clock_.unix_s()), headers, range.length);
    if (!peer.send(header, !head && range.length > 0)) return false;
    return head || peer.send_file(file->get(), range.offset, range.length);
}

bool S3Server::answer(Peer& peer, const HttpRequest& request) {
    const auto target = parse_target(request.target);
    if (!target)
        return send(peer, request, error_answer(400, "InvalidURI", "The request's target cannot be read.", ""));
    if (const Answer refused = refuse(request, *target); refused.status != 200) return send(peer, request, refused);
    if (target->bucket.empty()) return send(peer, request, list_buckets(buckets_->names()));
    const auto root = buckets_->open(target->bucket);
    if (!root)
        return send(peer, request, error_answer(500, "InternalError", "The store cannot be read.", target->path));
    if (!*root)
        return send(peer, request, error_answer(404, "NoSuchBucket", "There is no such bucket here.", target->path));
    if (!target->key.empty()) return object(peer, request, *target, (*root)->get());
    if (target->find("location"))
        return send(peer, request,
                    {200, "Content-Type: application/xml\r\n",
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint "
                     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"});
    if (target->find("versioning"))
        return send(peer, request,
                    {200, "Content-Type: application/xml\r\n",
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<VersioningConfiguration "
                     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"});
    if (request.method == "HEAD") return send(peer, request, {});
    return send(peer, request, list(*target, (*root)->get()));
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(const ServeOptions& options, Fs& fs, Clock& clock, Metrics& metrics,
                                             Logger& log, std::unique_ptr<store::Snapshots> store) {
    std::unique_ptr<Buckets> buckets;
    if (store) {
        buckets = make_store_buckets(std::move(store), fs);
    } else {
        ZCDP_TRY(buckets, make_folder_bucket(options.directory, options.bucket, fs));
    }
    TlsServer tls;
    if (!options.certificate_file.empty()) {
        ZCDP_TRY(tls, make_tls_server(options.certificate_file, options.key_file));
    }
    auto server = std::make_unique<S3Server>(options, std::move(buckets), std::move(tls), fs, clock, metrics, log);
    ZCDP_CHECK(server->bind());
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace zcdp::services
