// A data store's client whose answers a test writes: each request is handed to a function, and the body comes in
// pieces.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/tasks.hpp"
#include "zcdp/datastore/client.hpp"

namespace zcdp::test {

struct ScriptedAnswer {
    int status = 200;
    std::string body;
    std::map<std::string, std::string> headers = {};  ///< names in lower case
    std::optional<Error> broken = {};                 ///< after the body
    size_t piece_bytes = 1000;
};

class ScriptedResponse final : public net::Response {
  public:
    explicit ScriptedResponse(ScriptedAnswer answer) : answer_(std::move(answer)) {}
    int status() const override { return answer_.status; }
    std::string_view header(std::string_view name) const override {
        const auto found = answer_.headers.find(std::string(name));
        return found == answer_.headers.end() ? std::string_view() : std::string_view(found->second);
    }
    std::optional<uint64_t> body_bytes() const override { return answer_.body.size(); }
    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        const size_t length = std::min({into.size(), answer_.piece_bytes, answer_.body.size() - at_});
        if (length == 0 && answer_.broken) co_return *answer_.broken;
        if (length > 0) std::memcpy(into.data(), answer_.body.data() + at_, length);
        at_ += length;
        co_return length;
    }
    Task<Result<std::string>> read_all(size_t) override { co_return answer_.body.substr(at_); }
    const std::string& peer() const override { return peer_; }

  private:
    ScriptedAnswer answer_;
    size_t at_ = 0;
    const std::string peer_ = "a test";
};

class ScriptedClient final : public datastore::Client {
  public:
    using Script = std::function<Result<ScriptedAnswer>(const net::Request& request)>;
    explicit ScriptedClient(Script script) : script_(std::move(script)) {}
    Task<Result<std::unique_ptr<net::Response>>> send(net::Request request, bool) override {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        requests.push_back(request);
        ZCDP_CO_TRY(ScriptedAnswer answer, script_(request));
        co_return std::unique_ptr<net::Response>(std::make_unique<ScriptedResponse>(std::move(answer)));
    }
    Task<Result<std::string>> ask(net::Request request, size_t limit_bytes, bool may_repeat) override {
        ZCDP_CO_TRY(const auto answer, co_await send(std::move(request), may_repeat));
        co_return co_await answer->read_all(limit_bytes);
    }
    std::vector<net::Request> requests;

  private:
    Script script_;
};

}  // namespace zcdp::test
