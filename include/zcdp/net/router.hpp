// Which handler answers which request, and who may ask.
//
// Thread rule: filled by one thread, then called from any number of loops at once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/net/server.hpp"

namespace zcdp::net::server {

/// Nothing: go on. A response: it is the answer.
using Check = std::function<Task<std::optional<Response>>(Request& request)>;

/// Who may use a route. An empty function lets everybody through.
struct Access {
    Check authenticate;  ///< finds out who asks: sets Request::user, or answers (401, 403)
    Check authorise;     ///< asked next: whether that user may do this
};

class Router {
  public:
    /// `pattern`: "/v1/snapshots/{id}/pin"; a {NAME} stands for one part of the path that is not empty, and a last
    /// "{NAME...}" for all that is left, which may be. The first route that fits is taken. "*" is any method; GET
    /// also answers HEAD.
    Router& add(std::string method, std::string pattern, Handler handler, Access access = {});
    /// For what has no route. Without one: 400 for a target that cannot be read, 405 with Allow where only the method
    /// does not fit, else 404.
    Router& otherwise(Handler handler);
    /// Fills `path`, `query` and `parameters`. The router outlives the answer.
    Task<Response> route(Request& request, RequestBody& body) const;

  private:
    struct Route {
        std::string method;
        std::vector<std::string> parts;
        Handler handler;
        Access access;
    };
    std::vector<Route> routes_;
    Handler otherwise_;
};

/// Splits a target into path and query, percent-decoded ('+' is a space in the query only). Origin form, or absolute
/// form, of which the path counts (RFC 9112 3.2). False for anything else and for bad percent-encoding. Pure.
bool split_target(std::string_view target, std::string& path, std::vector<std::pair<std::string, std::string>>& query);

}  // namespace zcdp::net::server
