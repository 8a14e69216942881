// Requests to one bucket: signed, sent, tried again by the rules of answers.hpp.
// Thread rule: belongs to its loop; what it shares with the other loops is Shared.
#pragma once

#include <memory>

#include "src/origin/s3/answers.hpp"
#include "src/origin/s3/shared.hpp"

namespace zcdp::origin::s3 {

/// A request before it is signed: key and query are plain, and encoded here.
struct S3Request {
    std::string method = "GET";
    std::string key;                                           ///< "" for the bucket itself
    std::vector<std::pair<std::string, std::string>> query;    ///< sorted by name
    std::vector<net::Header> headers;                          ///< in lower case if x-amz-*, which are signed
    uint64_t body_bytes = 0;                                   ///< expected, for the deadline
};

class Client {
  public:
    Client(std::shared_ptr<Shared> shared, asio::any_io_executor executor);

    /// An answer with one of the statuses of success (2xx). Every other ends in an Error after the remedies were tried.
    Task<Result<std::unique_ptr<net::Response>>> send(S3Request request);
    /// Whether to ask again after `error`; waits first.
    Task<bool> retry_after(const Error& error, uint32_t attempt, uint64_t retry_after_ms = 0);
    std::string object_name(const std::string& key) const { return "s3://" + shared_->bucket + "/" + key; }
    Shared& shared() { return *shared_; }

  private:
    struct Once {
        int refreshes = 0;
        bool clock_corrected = false;
        int regions = 0;
    };
    Task<Result<net::Request>> sign(const S3Request& request, const Address& address, Credentials& used);
    Task<bool> apply(Remedy remedy, const ErrorAnswer& answer, const net::Response& response, const Credentials& used,
                     Once& once);
    std::shared_ptr<Shared> shared_;
    std::unique_ptr<net::HttpClient> http_, credentials_http_;
    Signer signer_;
};

/// The path and query on the wire, which are also the canonical ones. Pure.
std::string target_of(const S3Request& request, const Address& address, std::string& path, std::string& query);

}  // namespace zcdp::origin::s3
