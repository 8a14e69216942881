// What the server answers, request by request (docs/formats.md, "Between clients and data stores"), a class for each
// group of them. Each adds its routes to a router and outlives it.
//
// Thread rule: handlers are coroutines of any loop; what blocks goes to the pool.
#pragma once

#include "src/datastore/server/answered.hpp"
#include "src/datastore/server/parts.hpp"
#include "src/datastore/server/uploads.hpp"
#include "zcdp/net/router.hpp"

namespace zcdp::datastore {

using net::server::Request, net::server::RequestBody, net::server::Response;

/// Whether who asks may; the key has been checked. A refusal, or nothing.
std::optional<Refused> forbidden(const Parts& parts, const Request& request, Verb verb, std::string_view key);
/// The route's {key}. Refused: what is no key; what who asks may not.
Answered<std::string> key_of(const Parts& parts, const Request& request, Verb verb);

/// A handler that answers refusals as JSON, of a member that gives an Answered<Response>.
template <class Owner>
net::server::Handler handler_of(Owner& owner,
                                Task<Answered<Response>> (Owner::*member)(Request& request, RequestBody& body)) {
    return [&owner, member](Request& request, RequestBody& body) { return answer_of((owner.*member)(request, body)); };
}
/// The answer, or the refusal as one.
Task<Response> answer_of(Task<Answered<Response>> answered);

/// Keys: listed, looked at, removed.
class KeyRequests {
  public:
    explicit KeyRequests(Parts& parts) : parts_(parts) {}
    void add_to(net::server::Router& router, const net::server::Access& access);

  private:
    Task<Answered<Response>> list(Request& request, RequestBody& body);
    Task<Answered<Response>> find(Request& request, RequestBody& body);
    Task<Answered<Response>> history(Request& request, RequestBody& body);
    Task<Answered<Response>> remove(Request& request, RequestBody& body);
    Task<Answered<uint64_t>> remove_all(std::string key);
    Answered<Item> find_now(const std::string& key, uint64_t version);
    Parts& parts_;
};

/// The bytes of versions: manifests, files, many small files at once.
class FileRequests {
  public:
    explicit FileRequests(Parts& parts) : parts_(parts) {}
    void add_to(net::server::Router& router, const net::server::Access& access);

  private:
    struct Opened;
    Task<Answered<Response>> manifest(Request& request, RequestBody& body);
    Task<Answered<Response>> file(Request& request, RequestBody& body);
    Task<Answered<Response>> many(Request& request, RequestBody& body);
    Answered<FoundVersion> version_of(const std::string& key, uint64_t version);
    Answered<Opened> open_manifest(const std::string& key, uint64_t version);
    Answered<Opened> open_file(const std::string& key, uint64_t version, const std::string& path);
    Answered<Opened> open_tree(const std::string& key, uint64_t version);
    Answered<Response> respond(const Request& request, Opened opened);
    Parts& parts_;
};

/// What brings new versions.
class UploadRequests {
  public:
    UploadRequests(Parts& parts, Uploads& uploads) : parts_(parts), uploads_(uploads) {}
    void add_to(net::server::Router& router, const net::server::Access& access);

  private:
    Task<Answered<Response>> post(Request& request, RequestBody& body);
    Task<Answered<Response>> give_up(Request& request, RequestBody& body);
    Task<Answered<Response>> begin(std::string key, RequestBody& body);
    Answered<UploadBegun> begin_now(const std::string& key, UploadIntent intent);
    Answered<uint64_t> version_now(const std::string& key);
    Answered<> check_quotas(const std::string& key, const UploadIntent& intent, bool is_new, bool present);
    Task<Answered<Response>> missing(Uploads::Speaking upload, RequestBody& body, uint64_t body_bytes);
    Task<Answered<Response>> chunks(Uploads::Speaking upload, RequestBody& body);
    Task<Answered<Response>> commit(Uploads::Speaking upload, RequestBody& body, uint64_t ttl_s);
    Task<Answered<std::optional<Fd>>> receive_manifest(std::string key, RequestBody& body);
    Parts& parts_;
    Uploads& uploads_;
};

}  // namespace zcdp::datastore
