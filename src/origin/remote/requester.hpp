// Sends a protocol's calls, each as often as its decisions, the options and the retry budget allow.
// Thread rule: belongs to its loop. Shared by the listing and the bodies of one Origin, which may outlive each other.
#pragma once

#include <memory>

#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin {

class Requester {
  public:
    Requester(std::shared_ptr<Remote> remote, std::unique_ptr<Protocol> protocol, asio::any_io_executor executor);

    /// An answer of success (2xx). Every other ends in an Error after the remedies were tried.
    Task<Result<std::unique_ptr<net::Response>>> send(Call call);
    /// The same; a HEAD whose answer does not say how long the object is becomes a GET of its first byte. `call`
    /// outlives the task.
    Task<Result<std::unique_ptr<net::Response>>> send_for_size(Call& call);
    /// A call whose answers of success have turned out to be refusals.
    struct Refused {
        Call call;
        Tried tried;
        uint32_t attempt = 1;
    };
    /// An answer of success has a body that says why it is none. Waits as long as that asks for; then `of.call` is to
    /// be sent again. Errors: what the body says, where that is final or the attempts are used up. `of` outlives the
    /// task.
    Task<Result<>> refused(Refused& of, std::unique_ptr<net::Response> answer, std::string body);
    /// What the object `key` is now.
    Task<Result<ObjectInfo>> head(ObjectKey key);
    /// Whether to ask again after `error`; waits first.
    Task<bool> retry_after(const Error& error, uint32_t attempt, uint64_t retry_after_ms = 0);
    /// Counts a request that was silent for too long (ErrorKind::stalled) and is sent again at once.
    void give_up(const std::string& name, const Error& error);
    Protocol& protocol() { return *protocol_; }
    Remote& remote() { return *remote_; }

  private:
    /// The protocol's, as often as the services that hand out credentials make it necessary. `call` must outlive the
    /// task.
    Task<Result<Prepared>> prepare(const Call& call);
    RetryDecision classify(Call& call, const Prepared& sent, const net::Response& answer, std::string_view body,
                           const std::string& name, Tried& tried);
    Task<void> pause_before(uint32_t attempt, const Error& error, uint64_t retry_after_ms);

    std::shared_ptr<Remote> remote_;
    std::unique_ptr<Protocol> protocol_;
    std::unique_ptr<net::HttpClient> http_, credentials_http_;
};

}  // namespace zcdp::origin
