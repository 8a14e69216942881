// Beast on one loop; one coroutine a connection, the same for TCP, TLS and unix sockets.
#include "zcdp/net/http_server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl.hpp>
#include <future>
#include <mutex>
#include <thread>

#include "zcdp/base/tasks.hpp"
#include "zcdp/net/listen.hpp"

namespace zcdp::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using TcpStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using UnixStream = beast::basic_stream<asio::local::stream_protocol>;

constexpr size_t kHeaderMax = 32 << 10;
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr auto kLookEvery = std::chrono::milliseconds(100);

auto with(error_code& code) { return asio::redirect_error(asio::use_awaitable, code); }

Result<std::shared_ptr<asio::ssl::context>> make_context(const std::string& certificate_pem,
                                                         const std::string& key_pem) {
    try {
        auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
        SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
        context->use_certificate_chain(asio::buffer(certificate_pem));
        context->use_private_key(asio::buffer(key_pem), asio::ssl::context::pem);
        return context;
    } catch (const boost::system::system_error& error) {
        return Error(ErrorKind::usage, std::string("the server's certificate cannot be used: ") + error.what());
    }
}

/// An answer's status line and header fields as text. Not by Beast's serializer: that is a template over stream and
/// body, and its instances made the executable a megabyte larger.
std::string head_of(const ServerResponse& response, unsigned version, bool keep_alive) {
    std::string head = fmt::format(
        "HTTP/{}.{} {} {}\r\nContent-Type: {}\r\n", version / 10, version % 10, response.status,
        std::string_view(http::obsolete_reason(static_cast<http::status>(response.status))), response.content_type);
    if (keep_alive && version < 11) head += "Connection: keep-alive\r\n";
    if (!keep_alive && version >= 11) head += "Connection: close\r\n";
    return head + (response.stream ? "Transfer-Encoding: chunked\r\n\r\n"
                                   : fmt::format("Content-Length: {}\r\n\r\n", response.body.size()));
}

template <class Stream>
void set_deadline(Stream& stream, unsigned seconds) {
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(seconds));
}

/// Writes pieces from a handler's thread by way of the loop.
template <class Stream>
class StreamWriter final : public BodyWriter {
  public:
    StreamWriter(Stream& stream, unsigned timeout_s, const std::atomic<bool>& stopping)
        : stream_(stream), timeout_s_(timeout_s), stopping_(stopping) {}
    bool write(std::string_view piece) override {
        if (gone_) return false;
        if (piece.empty()) return true;
        const auto promise = std::make_shared<std::promise<bool>>();
        auto done = promise->get_future();
        asio::co_spawn(stream_.get_executor(), send(piece),
                       [promise](std::exception_ptr error, bool good) { promise->set_value(!error && good); });
        while (done.wait_for(kLookEvery) != std::future_status::ready)
            if (stopping_) return !(gone_ = true);  // the loop has ended: nobody will answer
        if (!done.get()) gone_ = true;
        return !gone_;
    }
    Task<bool> send(std::string_view piece) {
        const std::string chunk = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
        error_code code;
        set_deadline(stream_, timeout_s_);
        co_await asio::async_write(stream_, asio::buffer(chunk), with(code));
        co_return !code;
    }

  private:
    Stream& stream_;
    const unsigned timeout_s_;
    const std::atomic<bool>& stopping_;
    bool gone_ = false;
};

class Server final : public HttpServer {
  public:
    Server(HttpServerOptions options, ServerHandler handler, Logger& log)
        : options_(std::move(options)),
          handler_(std::move(handler)),
          log_(log),
          pool_(options_.handlers),
          permits_(loop_.get_executor(), options_.connections_max) {}
    ~Server() override {
        loop_.stop();
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        pool_.join();
        if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
    }

    Result<> open() {
        if (options_.tls) ZCDP_CHECK(set_certificate(options_.certificate_pem, options_.key_pem));
        ZCDP_CHECK(options_.listen.starts_with("unix:") ? listen_unix(options_.listen.substr(5)) : listen_tcp());
        thread_ = std::thread([this] { loop_.run(); });
        return {};
    }
    Result<> set_certificate(const std::string& certificate_pem, const std::string& key_pem) override {
        ZCDP_TRY(auto context, make_context(certificate_pem, key_pem));
        const std::scoped_lock lock(mutex_);
        tls_ = std::move(context);
        return {};
    }
    uint16_t port() const override { return port_; }

  private:
    Result<> listen_tcp();
    Result<> listen_unix(const std::string& path);
    template <class Acceptor>
    Task<> accept(std::shared_ptr<Acceptor> acceptor);
    Task<> serve_tcp(asio::ip::tcp::socket socket);
    Task<> serve_tls(asio::ip::tcp::socket socket);
    Task<> serve_unix(asio::local::stream_protocol::socket socket);
    template <class Stream>
    Task<> serve(Stream& stream, ServerRequest about);
    template <class Stream>
    Task<bool> answer(Stream& stream, ServerRequest request, unsigned version, bool keep_alive);
    std::shared_ptr<asio::ssl::context> tls() const {
        const std::scoped_lock lock(mutex_);
        return tls_;
    }

    const HttpServerOptions options_;
    const ServerHandler handler_;
    Logger& log_;
    asio::thread_pool pool_;
    asio::io_context loop_{1};
    Semaphore permits_;
    mutable std::mutex mutex_;
    std::shared_ptr<asio::ssl::context> tls_;
    std::atomic<bool> stopping_{false};
    uint16_t port_ = 0;
    std::string unix_path_;
    std::thread thread_;
};

Result<> Server::listen_tcp() {
    ZCDP_TRY(const Listen listen, Listen::parse(options_.listen));
    error_code code;
    const auto address = asio::ip::make_address(listen.host, code);
    if (code)
        return Error(ErrorKind::usage, "is no address", options_.listen, "write ADDRESS:PORT with a numeric address");
    const asio::ip::tcp::endpoint endpoint(address, listen.port);
    auto acceptor = std::make_shared<asio::ip::tcp::acceptor>(loop_);
    acceptor->open(endpoint.protocol(), code);
    if (!code) acceptor->set_option(asio::socket_base::reuse_address(true), code);
    if (!code) acceptor->bind(endpoint, code);
    if (!code) acceptor->listen(256, code);
    if (code) return system_error(code, "listening", options_.listen);
    port_ = acceptor->local_endpoint().port();
    asio::co_spawn(loop_, accept(acceptor), asio::detached);
    return {};
}

Result<> Server::listen_unix(const std::string& path) {
    ::unlink(path.c_str());
    error_code code;
    auto acceptor = std::make_shared<asio::local::stream_protocol::acceptor>(loop_);
    acceptor->open({}, code);
    if (!code) acceptor->bind(asio::local::stream_protocol::endpoint(path), code);
    if (!code) ::chmod(path.c_str(), 0660);
    if (!code) acceptor->listen(256, code);
    if (code) return system_error(code, "listening", path);
    unix_path_ = path;
    asio::co_spawn(loop_, accept(acceptor), asio::detached);
    return {};
}

/// Connections over the limit wait in the kernel's queue. The loop owns every coroutine: they end with it.
template <class Acceptor>
Task<> Server::accept(std::shared_ptr<Acceptor> acceptor) {
    while (true) {
        co_await permits_.acquire();
        error_code code;
        auto socket = co_await acceptor->async_accept(with(code));
        if (code) {
            permits_.release();
            co_await sleep_ms(100);
            continue;
        }
        const auto ended = [this](std::exception_ptr error) {
            permits_.release();
            try {
                if (error) std::rethrow_exception(error);
            } catch (const std::exception& what) {
                log_.error("a connection ended in an internal error", {{"error", what.what()}});
            }
        };
        if constexpr (std::is_same_v<Acceptor, asio::ip::tcp::acceptor>) {
            if (options_.tls) asio::co_spawn(loop_, serve_tls(std::move(socket)), ended);
            else asio::co_spawn(loop_, serve_tcp(std::move(socket)), ended);
        } else {
            asio::co_spawn(loop_, serve_unix(std::move(socket)), ended);
        }
    }
}

std::string name_of(const asio::ip::tcp::socket& socket) {
    error_code code;
    const auto peer = socket.remote_endpoint(code);
    return code ? "" : peer.address().to_string();
}

Task<> Server::serve_tcp(asio::ip::tcp::socket socket) {
    ServerRequest about;
    about.peer = name_of(socket);
    TcpStream stream(std::move(socket));
    co_await serve(stream, std::move(about));
}

Task<> Server::serve_tls(asio::ip::tcp::socket socket) {
    ServerRequest about;
    about.peer = name_of(socket);
    const auto context = tls();
    TlsStream stream(std::move(socket), *context);
    error_code code;
    set_deadline(stream, options_.timeout_s);
    co_await stream.async_handshake(asio::ssl::stream_base::server, with(code));
    if (code) co_return;
    co_await serve(stream, std::move(about));
    set_deadline(stream, 2);
    co_await stream.async_shutdown(with(code));
}

Task<> Server::serve_unix(asio::local::stream_protocol::socket socket) {
    ServerRequest about;
    ucred who{};
    socklen_t length = sizeof who;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &length) == 0)
        about.peer_uid = static_cast<int>(who.uid), about.peer_gid = static_cast<int>(who.gid);
    about.peer = "uid " + std::to_string(about.peer_uid);
    UnixStream stream(std::move(socket));
    co_await serve(stream, std::move(about));
}

template <class Stream>
Task<> Server::serve(Stream& stream, ServerRequest about) {
    beast::flat_buffer buffer;
    while (true) {
        http::request_parser<http::string_body> parser;
        parser.body_limit(options_.body_max_bytes);
        parser.header_limit(kHeaderMax);
        error_code code;
        set_deadline(stream, options_.timeout_s * 3);  // a kept connection may be idle for so long
        co_await http::async_read(stream, buffer, parser, with(code));
        if (code) co_return;
        const auto& got = parser.get();
        ServerRequest request = about;
        request.method = std::string(got.method_string());
        request.target = std::string(got.target());
        request.authorization = std::string(got[http::field::authorization]);
        request.body = got.body();
        const bool again = co_await answer(stream, std::move(request), got.version(), got.keep_alive());
        if (!again) co_return;
    }
}

template <class Stream>
Task<bool> Server::answer(Stream& stream, ServerRequest request, unsigned version, bool keep_alive) {
    ServerResponse response;
    const auto run_handler = [this, &request, &response] {
        try {
            response = handler_(request);
        } catch (const std::exception& error) {
            log_.error("a request ended in an internal error", {{"target", request.target}, {"error", error.what()}});
            response = ServerResponse{500, "text/plain", "internal error\n", {}};
        }
    };
    beast::get_lowest_layer(stream).expires_never();  // the handler's time is its own
    co_await offload(pool_, run_handler);
    std::string out = head_of(response, version, keep_alive);
    if (!response.stream) out += response.body;
    error_code code;
    set_deadline(stream, options_.timeout_s);
    co_await asio::async_write(stream, asio::buffer(out), with(code));
    if (!response.stream) co_return !code && keep_alive;
    if (code) co_return false;
    beast::get_lowest_layer(stream).expires_never();
    StreamWriter<Stream> writer(stream, options_.timeout_s, stopping_);
    bool whole = true;
    const auto run_stream = [&] {
        try {
            response.stream(writer);
        } catch (const std::exception& error) {
            log_.error("a streamed answer ended in an internal error",
                       {{"target", request.target}, {"error", error.what()}});
            whole = false;  // without the last chunk the peer knows that it was cut off
        }
    };
    co_await offload(pool_, run_stream);
    if (!whole) co_return false;
    set_deadline(stream, options_.timeout_s);
    co_await asio::async_write(stream, asio::buffer(kLastChunk), with(code));
    co_return !code && keep_alive;
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(HttpServerOptions options, ServerHandler handler, Logger& log) {
    auto server = std::make_unique<Server>(std::move(options), std::move(handler), log);
    ZCDP_CHECK(server->open());
    return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace zcdp::net
