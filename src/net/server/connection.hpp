// One connection: a coroutine that reads requests and writes their answers, one after another.
//
// Thread rule: belongs to its loop.
#pragma once

#include <exception>
#include <memory>
#include <span>
#include <string>

#include "src/net/client/chunked.hpp"
#include "src/net/server/request.hpp"
#include "src/net/server/stream.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::net::server {

/// What has been received and not yet used.
class Input {
  public:
    std::string_view unused() const { return {storage_.get() + begin_, end_ - begin_}; }
    void use(size_t count);
    /// Where more can be received, behind what is unused; moves what unused() showed.
    std::span<char> room();
    void received(size_t count) { end_ += count; }

  private:
    std::unique_ptr<char[]> storage_;
    size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

/// The body of one request.
class InputBody final : public RequestBody {
  public:
    InputBody(Stream& stream, Input& input, const Head& head, const Options& options)
        : stream_(stream),
          input_(input),
          options_(options),
          chunks_(ChunkedForm::strict),
          chunked_(head.chunked),
          expects_continue_(head.expects_continue && head.has_body()),
          left_(head.content_length) {}
    Task<Result<std::string_view>> next() override;
    Task<Result<size_t>> read_some(std::span<char> into) override;
    bool ended() const { return chunked_ ? chunks_.ended() : left_ == 0; }
    /// What to answer instead of the handler's answer, 0 as long as nothing is wrong.
    int failed_status() const { return failed_status_; }
    /// Whether the rest can be passed over within the limit, so that another request may follow.
    bool is_short() const;
    Task<bool> skip();

  protected:
    Error too_long() override;

  private:
    Task<Result<size_t>> read_plain(std::span<char> into);
    Task<Result<size_t>> read_chunked(std::span<char> into);
    Error fail(int status, ErrorKind kind, std::string what);
    Error cut_off();
    Task<bool> go_on();
    Task<bool> receive();
    Stream& stream_;
    Input& input_;
    const Options& options_;
    ChunkedDecoder chunks_;
    const bool chunked_;
    bool expects_continue_;
    uint64_t left_, taken_ = 0;
    int failed_status_ = 0;
    std::string piece_;
};

class Connection {
  public:
    Connection(Stream::Socket socket, WaitTimer& timer, asio::thread_pool& pool, std::shared_ptr<Peer> peer,
               const Options& options, const Handler& handler, Logger& log)
        : stream_(std::move(socket), timer, pool),
          peer_(std::move(peer)),
          options_(options),
          handler_(handler),
          log_(log) {}

    /// Until the peer leaves, or is made to. `ssl`: null without TLS.
    Task<> run(SslPtr ssl);
    /// Ends it: at once, or when it has answered what it is at.
    void drain();
    void cut() { stream_.cut(); }

  private:
    enum class Next { request, refused, ended };
    Task<Next> next_head();
    Task<bool> answer();
    Response internal_error(const std::exception& error);
    std::string head_of(const Response& response, bool keep_alive) const;
    Task<bool> send(Response response, bool keep_alive);
    Task<bool> send_body(Response response, std::string head);
    Task<bool> send_produced(const Producer& produce, std::optional<uint64_t> size_bytes);
    Task<> refuse(int status);

    Stream stream_;
    const std::shared_ptr<Peer> peer_;
    const Options& options_;
    const Handler& handler_;
    Logger& log_;
    Input input_;
    Head head_;
    bool idle_ = true, draining_ = false;
};

}  // namespace zcdp::net::server
