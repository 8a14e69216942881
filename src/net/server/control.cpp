#include "zcdp/net/control.hpp"

#include <fmt/format.h>

#include <future>
#include <utility>

namespace zcdp::net::server {
namespace {

/// Writes pieces from a handler's thread by way of the connection's loop, which stays until the answer is over.
class LoopWriter final : public BodyWriter {
  public:
    LoopWriter(BodySink& sink, asio::any_io_executor loop) : sink_(sink), loop_(std::move(loop)) {}
    bool write(std::string_view piece) override {
        if (gone_) return false;
        std::promise<bool> promise;
        asio::co_spawn(loop_, send(piece),
                       [&promise](std::exception_ptr error, bool good) { promise.set_value(!error && good); });
        gone_ = !promise.get_future().get();
        return !gone_;
    }

  private:
    Task<bool> send(std::string_view piece) {
        const auto written = co_await sink_.write(piece);
        co_return written.has_value();
    }
    BodySink& sink_;
    const asio::any_io_executor loop_;
    bool gone_ = false;
};

Task<Result<>> run_stream(asio::thread_pool& pool, std::function<void(BodyWriter&)> stream, BodySink& sink) {
    LoopWriter writer(sink, co_await asio::this_coro::executor);
    const auto run = [&] { stream(writer); };
    co_await offload(pool, run);
    co_return Result<>();
}

Response response_of(ControlResponse answer, asio::thread_pool& pool) {
    Response response;
    response.status = answer.status;
    response.is_last = answer.is_last;
    response.headers = fmt::format("Content-Type: {}\r\n", answer.content_type);
    if (!answer.stream) {
        response.body = std::move(answer.body);
        return response;
    }
    response.body =
        Producer([&pool, stream = std::move(answer.stream)](BodySink& sink) { return run_stream(pool, stream, sink); });
    return response;
}

Task<std::optional<Response>> run_check(asio::thread_pool& pool, const ControlCheck& check, Request& request) {
    const auto run = [&] { return check(request); };
    auto refused = co_await offload(pool, run);
    if (!refused) co_return std::nullopt;
    co_return response_of(std::move(*refused), pool);
}

}  // namespace

ControlRouter& ControlRouter::add(std::string method, std::string pattern, ControlHandler handler,
                                  ControlCheck authenticate) {
    routes_.push_back({std::move(method), std::move(pattern), std::move(handler), std::move(authenticate)});
    return *this;
}

ControlRouter& ControlRouter::otherwise(ControlHandler handler) {
    otherwise_ = std::move(handler);
    return *this;
}

Task<Response> ControlServer::answer(const ControlHandler& handler, Request& request, RequestBody& body) {
    auto whole = co_await body.all(body_bytes_max_);
    if (!whole) co_return Response{400, {}, {}};  // the server says what was wrong
    const auto run = [&] { return handler(request, *whole); };
    co_return response_of(co_await offload(pool_, run), pool_);
}

Handler ControlServer::blocking(ControlHandler handler) {
    return [this, handler = std::move(handler)](Request& request, RequestBody& body) {
        return answer(handler, request, body);
    };
}

Check ControlServer::blocking_check(ControlCheck check) {
    if (!check) return {};
    return [this, check = std::move(check)](Request& request) { return run_check(pool_, check, request); };
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(Options options, unsigned threads, ControlRouter router,
                                                           Logger& log) {
    std::unique_ptr<ControlServer> control(new ControlServer(threads, options.body_bytes_max));
    ControlServer* self = control.get();
    for (auto& route : router.routes_)
        self->router_.add(route.method, route.pattern, self->blocking(std::move(route.handler)),
                          {self->blocking_check(std::move(route.authenticate)), {}});
    if (router.otherwise_) self->router_.otherwise(self->blocking(std::move(router.otherwise_)));
    const auto route = [self](Request& request, RequestBody& body) { return self->router_.route(request, body); };
    ZCDP_TRY(control->server_, Server::open(std::move(options), control->pool_, route, log));
    return control;
}

ControlServer::~ControlServer() {
    server_.reset();
    pool_.join();
}

}  // namespace zcdp::net::server
