#include "src/net/client/resolver.hpp"

#include <netdb.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cstring>
#include <thread>

#include "zcdp/base/guarded.hpp"

namespace zcdp::net {
namespace {

using Addresses = std::vector<asio::ip::tcp::endpoint>;

/// What the asking coroutine and the thread share. Whoever comes last frees it.
struct Question {
    Question(asio::steady_timer& timer, asio::any_io_executor of_coroutine)
        : executor(std::move(of_coroutine)), answered(&timer) {}
    const asio::any_io_executor executor;
    Mutex mutex;
    bool abandoned ZCDP_GUARDED_BY(mutex) = false;
    asio::steady_timer* answered ZCDP_GUARDED_BY(mutex);  ///< there until it is abandoned
    int status ZCDP_GUARDED_BY(mutex) = EAI_AGAIN;
    Addresses addresses ZCDP_GUARDED_BY(mutex);
};

Addresses addresses_of(const addrinfo* list) {
    Addresses all;
    for (const addrinfo* one = list; one; one = one->ai_next) {
        asio::ip::tcp::endpoint endpoint;
        if (one->ai_addrlen > endpoint.capacity()) continue;
        endpoint.resize(one->ai_addrlen);
        std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
        all.push_back(endpoint);
    }
    return all;
}

void ask(std::shared_ptr<Question> question, std::string host, uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    Addresses addresses = addresses_of(status == 0 ? list : nullptr);
    if (list) ::freeaddrinfo(list);
    const MutexLock lock(question->mutex);
    if (question->abandoned) return;
    question->status = status;
    question->addresses = std::move(addresses);
    // Not abandoned: the coroutine waits, so its loop and its timer are there.
    asio::post(question->executor, [question] {
        const MutexLock again(question->mutex);
        if (!question->abandoned) question->answered->cancel();
    });
}

Error error_of(int status, const std::string& host) {
    if (status == EAI_NONAME)
        return Error(ErrorKind::not_found, "there is no host of this name", host, "check the endpoint");
    return Error(ErrorKind::unreachable, std::string("cannot be resolved: ") + ::gai_strerror(status), host,
                 "check the name service (/etc/resolv.conf)");
}

}  // namespace

Task<Result<Addresses>> resolve(std::string host, uint16_t port, Deadline deadline) {
    boost::system::error_code numeric;
    const auto address = asio::ip::make_address(host, numeric);
    if (!numeric) co_return Addresses{{address, port}};

    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, deadline.at());
    const auto question = std::make_shared<Question>(timer, executor);
    std::thread(ask, question, host, port).detach();
    boost::system::error_code woken;
    std::exception_ptr cancelled;
    try {
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    } catch (...) {
        cancelled = std::current_exception();
    }
    const MutexLock lock(question->mutex);
    question->abandoned = true;
    if (cancelled) std::rethrow_exception(cancelled);
    if (!woken) co_return Error(ErrorKind::timeout, "the name service does not answer", host);
    if (question->status != 0) co_return error_of(question->status, host);
    if (question->addresses.empty()) co_return error_of(EAI_NONAME, host);
    co_return std::move(question->addresses);
}

}  // namespace zcdp::net
