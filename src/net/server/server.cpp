// Listens, spreads connections over its loops, and ends them.
#include "zcdp/net/server.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <future>
#include <set>
#include <thread>

#include "src/net/server/connection.hpp"
#include "src/net/server/tls_server.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/net/listen.hpp"

namespace zcdp::net::server {
namespace {

using asio::generic::stream_protocol;
using boost::system::error_code;

constexpr int kBacklog = 512;

/// One loop with its thread, and the connections that belong to it.
struct Loop {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> stays{context.get_executor()};
    WaitTimer timer{context.get_executor()};
    std::set<Connection*> connections;
    std::thread thread;
};

std::shared_ptr<Peer> peer_of(int socket, int family) {
    auto peer = std::make_shared<Peer>();
    if (family == AF_UNIX) {
        ucred who{};
        socklen_t length = sizeof who;
        if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0)
            peer->uid = static_cast<int>(who.uid), peer->gid = static_cast<int>(who.gid);
        peer->address = "uid " + std::to_string(peer->uid);
        return peer;
    }
    asio::ip::tcp::endpoint from;
    auto length = static_cast<socklen_t>(from.capacity());
    if (::getpeername(socket, from.data(), &length) == 0) peer->address = from.address().to_string();
    return peer;
}

class LoopServer final : public Server {
  public:
    LoopServer(Options options, asio::thread_pool& pool, Handler handler, Logger& log)
        : options_(std::move(options)), pool_(pool), handler_(std::move(handler)), log_(log) {}
    ~LoopServer() override { drain(0); }

    Result<> open();
    Result<> set_certificate(const std::string& certificate_pem, const std::string& key_pem) override;
    Result<> set_certificate(const std::string& certificate_pem, const std::string& key_pem,
                             const std::string& client_ca_pem) override;
    const std::string& address() const override { return address_; }
    uint16_t port() const override { return port_; }
    size_t connections() const override { return running_; }
    void drain(uint64_t patience_ms) override;

  private:
    Result<> listen_tcp();
    Result<> listen_unix(const std::string& path);
    Task<> accept();
    /// Whether there is room for one more; waits for it where the options say so.
    Task<bool> has_room();
    void begin(Fd socket);
    Task<> serve(Loop& loop, int socket, SslPtr ssl);
    void ended();

    const Options options_;
    asio::thread_pool& pool_;
    const Handler handler_;
    Logger& log_;
    std::vector<std::unique_ptr<Loop>> loops_;
    size_t next_loop_ = 0;                                    ///< of the first loop's thread
    std::optional<asio::posix::stream_descriptor> listener_;  ///< of the first loop's thread
    std::optional<asio::steady_timer> room_;                  ///< of the first loop's thread
    int family_ = AF_UNSPEC;
    std::string address_, unix_path_;
    uint16_t port_ = 0;
    Mutex mutex_;
    ConditionVariable all_ended_;
    std::shared_ptr<SSL_CTX> tls_ ZCDP_GUARDED_BY(mutex_);
    std::string client_ca_pem_ ZCDP_GUARDED_BY(mutex_);
    std::atomic<size_t> running_{0};
    std::atomic<bool> draining_{false};
};

Result<> LoopServer::open() {
    if (options_.tls) ZCDP_CHECK(set_certificate(options_.certificate_pem, options_.key_pem, options_.client_ca_pem));
    for (unsigned i = 0; i < std::max(1u, options_.loops); ++i) loops_.push_back(std::make_unique<Loop>());
    listener_.emplace(loops_[0]->context);
    room_.emplace(loops_[0]->context);
    ZCDP_CHECK(options_.listen.starts_with("unix:") ? listen_unix(options_.listen.substr(5)) : listen_tcp());
    listener_->non_blocking(true);
    asio::co_spawn(loops_[0]->context, accept(), asio::detached);
    for (const auto& loop : loops_) loop->thread = std::thread([context = &loop->context] { context->run(); });
    return {};
}

Result<> LoopServer::set_certificate(const std::string& certificate_pem, const std::string& key_pem) {
    std::string client_ca_pem;
    {
        const MutexLock lock(mutex_);
        client_ca_pem = client_ca_pem_;
    }
    return set_certificate(certificate_pem, key_pem, client_ca_pem);
}

Result<> LoopServer::set_certificate(const std::string& certificate_pem, const std::string& key_pem,
                                     const std::string& client_ca_pem) {
    const ClientRoots clients{client_ca_pem, options_.client_certificate_required};
    ZCDP_TRY(auto context, make_tls_server(clients, certificate_pem, key_pem));
    const MutexLock lock(mutex_);
    tls_ = std::move(context);
    client_ca_pem_ = client_ca_pem;
    return {};
}

Result<> LoopServer::listen_tcp() {
    ZCDP_TRY(const Listen listen, Listen::parse(options_.listen));
    error_code code;
    const std::string host = listen.host.empty() ? "0.0.0.0" : listen.host == "localhost" ? "127.0.0.1" : listen.host;
    const auto address = asio::ip::make_address(host, code);
    if (code)
        return Error(ErrorKind::usage, "is no address", options_.listen, "write ADDRESS:PORT with a numeric address");
    const asio::ip::tcp::endpoint endpoint(address, listen.port);
    asio::ip::tcp::acceptor acceptor(loops_[0]->context);
    acceptor.open(endpoint.protocol(), code);
    if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
    if (!code) acceptor.bind(endpoint, code);
    if (!code) acceptor.listen(kBacklog, code);
    if (code) return system_error(code, "listening", options_.listen);
    const auto bound = acceptor.local_endpoint();
    port_ = bound.port(), family_ = endpoint.protocol().family();
    address_ = bound.address().is_v6() ? "[" + bound.address().to_string() + "]" : bound.address().to_string();
    listener_->assign(acceptor.release());
    return {};
}

Result<> LoopServer::listen_unix(const std::string& path) {
    ::unlink(path.c_str());
    error_code code;
    asio::local::stream_protocol::acceptor acceptor(loops_[0]->context);
    acceptor.open({}, code);
    if (!code) acceptor.bind(asio::local::stream_protocol::endpoint(path), code);
    if (!code) ::chmod(path.c_str(), 0660);
    if (!code) acceptor.listen(kBacklog, code);
    if (code) return system_error(code, "listening", path);
    family_ = AF_UNIX, unix_path_ = path;
    listener_->assign(acceptor.release());
    return {};
}

Task<bool> LoopServer::has_room() {
    while (running_ >= options_.connections_max && !options_.refuse_when_full && !draining_) {
        room_->expires_at(asio::steady_timer::time_point::max());
        error_code code;
        co_await room_->async_wait(asio::redirect_error(asio::use_awaitable, code));
    }
    co_return running_ < options_.connections_max;
}

Task<> LoopServer::accept() {
    while (!draining_) {
        error_code code;
        co_await listener_->async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::redirect_error(asio::use_awaitable, code));
        while (!draining_) {
            const bool room = co_await has_room();
            if (draining_) co_return;
            Fd socket(::accept4(listener_->native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!socket && errno == EAGAIN) break;
            if (!socket) co_await sleep_ms(100);  // no descriptors are left, for one
            else if (room) begin(std::move(socket));
        }
    }
}

void LoopServer::begin(Fd socket) {
    SslPtr ssl;
    if (options_.tls) {
        const MutexLock lock(mutex_);
        ssl.reset(SSL_new(tls_.get()));
        if (!ssl) return;
    }
    if (family_ != AF_UNIX) {
        const int one = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    ++running_;
    Loop& loop = *loops_[next_loop_++ % loops_.size()];
    asio::co_spawn(loop.context, serve(loop, socket.release(), std::move(ssl)), [this](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const std::exception& what) {
            log_.error("a connection ended in an internal error", {{"error", what.what()}});
        }
        ended();
    });
}

Task<> LoopServer::serve(Loop& loop, int number, SslPtr ssl) {
    Fd socket(number);
    Stream::Socket stream(loop.context);
    auto peer = peer_of(socket.get(), family_);
    stream.assign(stream_protocol(family_, family_ == AF_UNIX ? 0 : IPPROTO_TCP), socket.get());
    socket.release();
    stream.native_non_blocking(true);
    Connection connection(std::move(stream), loop.timer, pool_, std::move(peer), options_, handler_, log_);
    struct Member {
        Loop& loop;
        Connection* connection;
        ~Member() { loop.connections.erase(connection); }
    } member{loop, &connection};
    loop.connections.insert(&connection);
    if (draining_) connection.drain();
    co_await connection.run(std::move(ssl));
}

void LoopServer::ended() {
    const MutexLock lock(mutex_);
    const size_t left = --running_;
    if (left + 1 >= options_.connections_max) asio::post(loops_[0]->context, [this] { room_->cancel(); });
    if (left == 0) all_ended_.notify_all();
}

void LoopServer::drain(uint64_t patience_ms) {
    if (draining_.exchange(true)) return;
    if (!loops_.empty() && loops_[0]->thread.joinable()) {
        std::promise<void> accepts_no_more;
        asio::post(loops_[0]->context, [this, &accepts_no_more] {
            listener_->close();
            room_->cancel();
            accepts_no_more.set_value();
        });
        accepts_no_more.get_future().wait();
        const auto each = [this](void (Connection::*act)()) {
            for (const auto& loop : loops_)
                asio::post(loop->context, [loop = loop.get(), act] {
                    for (Connection* connection : loop->connections) (connection->*act)();
                });
        };
        each(&Connection::drain);
        const auto none_left = [this] { return running_ == 0; };
        const MutexLock lock(mutex_);
        if (!all_ended_.wait_for(mutex_, std::chrono::milliseconds(patience_ms), none_left)) each(&Connection::cut);
        while (!none_left()) all_ended_.wait(mutex_);
    }
    for (const auto& loop : loops_)
        asio::post(loop->context, [loop = loop.get()] {
            loop->timer.stop();
            loop->stays.reset();
        });
    for (const auto& loop : loops_)
        if (loop->thread.joinable()) loop->thread.join();
    if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(Options options, asio::thread_pool& pool, Handler handler, Logger& log) {
    auto server = std::make_unique<LoopServer>(std::move(options), pool, std::move(handler), log);
    ZCDP_CHECK(server->open());
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace zcdp::net::server
