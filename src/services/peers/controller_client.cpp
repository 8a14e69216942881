#include "src/services/peers/controller_client.hpp"

#include <boost/asio/io_context.hpp>

#include <exception>
#include <utility>

#include "src/services/peers/wire.hpp"

namespace zcdp::services::peers {
namespace {

constexpr size_t kSaidBytesMost = 200;

ErrorKind kind_of(int status) {
    switch (status) {
        case 401:
        case 403: return ErrorKind::denied;
        case 404: return ErrorKind::not_found;
        case 503: return ErrorKind::busy;
        default: return ErrorKind::failed;
    }
}

}  // namespace

net::HttpClientOptions controller_client_options(const std::string& ca_pem) {
    net::TlsOptions tls;
    tls.ca_pem = ca_pem;
    net::HttpClientOptions options;
    options.tls = net::make_tls_context(std::move(tls));
    options.user_agent = "zcdp-agent";
    return options;
}

Result<> check_answer(int status, std::string_view said) {
    if (status == 200) return {};
    const std::string reason(said.substr(0, std::min(said.find('\n'), kSaidBytesMost)));
    return Error(kind_of(status), "the controller answered HTTP " + std::to_string(status) +
                                      (reason.empty() ? "" : " (" + reason + ")"));
}

Task<Result<std::string>> ask_controller(net::HttpClient& http, ControllerAccess access, std::string target,
                                         std::string body, Deadline deadline) {
    ZCDP_CO_TRY(auto endpoint, net::Endpoint::parse(access.url));
    net::Request request;
    request.method = "POST";
    request.target = std::move(target);
    request.headers = {{"Authorization", "Bearer " + access.token()}};
    request.body = std::move(body);
    ZCDP_CO_TRY(const auto answer, co_await http.send(std::move(endpoint), std::move(request), deadline));
    ZCDP_CO_TRY(auto said, co_await answer->read_all(kBodyBytesMost));
    ZCDP_CO_CHECK(check_answer(answer->status(), said));
    co_return said;
}

Result<> with_client(net::HttpClientOptions options, Machine machine,
                     const std::function<Task<Result<>>(net::HttpClient&)>& ask) {
    asio::io_context loop(1);
    const auto http =
        net::make_http_client(loop.get_executor(), std::move(options), machine.clock, machine.metrics, machine.log);
    Result<> done = Error(ErrorKind::failed, "the loop ended early");
    std::exception_ptr thrown;
    asio::co_spawn(loop, ask(*http), [&](std::exception_ptr error, Result<> result) {
        thrown = error;
        if (!error) done = std::move(result);
        http->close();
        loop.stop();
    });
    loop.run();
    if (thrown) std::rethrow_exception(thrown);
    return done;
}

}  // namespace zcdp::services::peers
