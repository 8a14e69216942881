// Asks a data store: one server, a token, and retries of what may be asked twice.
//
// Thread rule: a Client and what it returns belong to the loop it was made on. Ownership: the machine outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/base/tasks.hpp"
#include "zcdp/datastore/wire.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::datastore {

/// Where the server is, and who asks.
struct ServerAccess {
    std::string url;     ///< "http://127.0.0.1:7480"; a path is put before every target
    std::string token;   ///< a secret; "" when none is demanded
    std::string ca_pem;  ///< "": the system's roots
    uint32_t connections = 8;
};

class Client {
  public:
    virtual ~Client() = default;
    /// One request; its answer when the status is 2xx, else the error in it (parse_error). What may be asked twice
    /// (GET, and where `may_repeat`) is asked again after a connection that broke, a 429 or a 503, with jittered
    /// back-off, for a minute at most. Errors: also unreachable, timeout, denied.
    virtual Task<Result<std::unique_ptr<net::Response>>> send(net::Request request, bool may_repeat = false) = 0;
    /// The same, with the whole answer, of at most `limit_bytes`.
    virtual Task<Result<std::string>> ask(net::Request request, size_t limit_bytes, bool may_repeat = false) = 0;
};
/// Errors: usage (a URL that is none).
Result<std::unique_ptr<Client>> make_client(asio::any_io_executor executor, const ServerAccess& access,
                                            Machine machine);

/// What is asked in one call; each blocks, makes a loop of its own, and ends when `stop` says so (interrupted).
Result<Item> stat(const ServerAccess& access, Machine machine, const std::string& key, uint64_t version,
                  std::stop_token stop);
/// `each` is called in order, page by page; an error of it ends the listing.
Result<> list(const ServerAccess& access, Machine machine, const std::string& prefix, bool recursive,
              const std::function<Result<>(const Item&)>& each, std::stop_token stop);
Result<std::vector<Item>> history(const ServerAccess& access, Machine machine, const std::string& key,
                                  std::stop_token stop);
/// How many keys were removed. Errors: not_found; refused: a folder without `recursive`.
Result<uint64_t> remove(const ServerAccess& access, Machine machine, const std::string& key, bool recursive,
                        std::stop_token stop);

}  // namespace zcdp::datastore
