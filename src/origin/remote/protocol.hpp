// One service's protocol: what a request looks like, what an answer means. Sending, retrying, listing in parallel, and
// checking answers against what was asked for are common (requester.hpp, listing.hpp, object_origin.hpp).
//
// Thread rule: a Protocol belongs to its loop; what loops share lies in its Remote.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/origin/remote/remote.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin {

/// What redirects led to, for who must know where an answer comes from. Belongs to one call at a time.
struct Journey {
    /// A redirect to the same place with a '/' at its end is all that was asked: it is not followed
    bool ends_at_folder = false;
    bool at_folder = false;  ///< it ended there
    std::string url;         ///< the last one; "": there was none
};

/// A request before it is authorised: key and query are plain.
struct Call {
    std::string method = "GET";
    ObjectKey key;                                           ///< "" for the bucket (container) itself
    std::vector<std::pair<std::string, std::string>> query;  ///< sorted by name
    std::vector<net::Header> headers;                        ///< in lower case where they are signed
    uint64_t body_bytes = 0;                                 ///< expected, for the deadline
    std::string location;                                    ///< an URL that a redirect led to; "" for the source's own
    std::shared_ptr<Journey> journey;                        ///< may be null
};

/// Turns a HEAD into a GET, whose answer has a body that says why it is none. Should it be served, its body is left
/// unread. False: it was no HEAD.
bool ask_by_get(Call& call);
/// The same, of the first byte alone: for who knows no HEAD, or does not say in its answer how long the object is.
bool ask_for_first_byte(Call& call);
/// What that adds to a call.
net::Header first_byte();

/// A call that is ready for the wire.
struct Prepared {
    net::Endpoint endpoint;
    net::Request request;
    std::string target;      ///< the request's, kept for classify(), when the request itself is on its way
    std::string credential;  ///< which one was used, so that a refusal tells which has expired; never shown
};

/// What to do about an answer that is no success.
struct RetryDecision {
    enum class Action {
        none,       ///< final
        retry,      ///< later, with back-off
        slow_down,  ///< the same, and with fewer requests at once
        at_once,    ///< the cause was mended: credentials, the clock, the region
    };
    Action action = Action::none;
    Error error;
};

/// What one call has tried already, so that nothing is mended for ever.
struct Tried {
    int refreshes = 0, regions = 0, redirects = 0, hedges = 0;
    bool clock_corrected = false;
    /// Whether to fetch credentials anew that were refused: new ones may have expired, too, when a request has waited.
    bool refresh_again() { return ++refreshes <= 3; }
};

/// Which page of a listing.
struct PageRequest {
    std::string delimiter;      ///< "" or "/"
    std::string after;          ///< a key (only where the protocol can start after one)
    std::string token;          ///< from the page before; then `after` is not used
    bool token_is_key = false;  ///< as ListPage has it
    std::string folder;         ///< below which; "": the source's own prefix
};

struct ListPage {
    std::vector<Entry> entries;         ///< `path` is the whole key; a key that ends in '/' is a directory
    std::vector<std::string> prefixes;  ///< common prefixes, when a delimiter was asked for
    bool truncated = false;
    std::string next_token;
    bool token_is_key = false;  ///< a key that the next page begins after: a service that knows no other tokens
};

/// Reads one page as its bytes arrive.
class PageParser {
  public:
    virtual ~PageParser() = default;
    /// The next bytes of the body. Errors: refused, with what is wrong; the parser is of no use after one.
    virtual Result<> feed(std::string_view bytes) = 0;
    /// The page, after the last bytes.
    virtual Result<ListPage> finish() = 0;
    /// A service may answer 200 and send an error instead of a page. What was fed, where that is so; else "".
    virtual std::string_view refusal() const = 0;
};

class Requester;

/// Signs with the origin's time from here on, as the answer's Date says it. False where it says none, or the call has
/// done so before.
bool correct_clock(Remote& remote, const net::Response& answer, Tried& tried);

class Protocol {
  public:
    virtual ~Protocol() = default;
    /// Who sends this one's calls, and outlives it: for a protocol that makes calls of its own.
    virtual void sent_by(Requester&) {}
    virtual OriginIdentity identity() const = 0;
    /// "s3://bucket/key", for messages.
    virtual std::string name_of(const ObjectKey& key) const = 0;

    /// Adds address and authorisation. Credentials that must be fetched are, with `credentials_http`.
    /// `call` must outlive the task.
    virtual Task<Result<Prepared>> prepare(const Call& call, net::HttpClient& credentials_http) = 0;
    /// May change `call`, for it to be sent so at once (a redirect).
    virtual RetryDecision classify(Call& call, const Prepared& sent, const net::Response& answer, std::string_view body,
                                   const std::string& name, Tried& tried) = 0;

    virtual Call head_call(const ObjectKey& key) = 0;
    /// `body`: empty for a HEAD. Its answer says the object's size, or that of a GET of its first byte does.
    virtual Result<ObjectInfo> info_of(const net::Response& answer, std::string_view body, const ObjectKey& key) = 0;
    /// Whether such a body is what the service says when it refuses.
    virtual bool is_refusal(std::string_view) const { return false; }
    /// `whole`: all of the object in one piece, so that its checksum can be asked for.
    virtual Call read_call(const ObjectKey& key, const ReadSpec& spec, bool whole) = 0;
    /// What a tag is called in messages.
    virtual const char* tag_word() const { return "ETag"; }
    /// The tag that a read's answer states; "" when it states none.
    virtual Tag tag_of(const net::Response& answer) = 0;
    /// The same in the form of `listed`, which may be a time (time_tag()).
    Tag tag_like(const net::Response& answer, const Tag& listed);
    /// What the origin claims of the whole object `key`.
    virtual ObjectChecksum checksum_of(const net::Response& answer, const ObjectKey& key) = 0;
    /// The longest range whose checksum the service states, a divisor of a chunk: then all is read in such ranges, the
    /// whole of an object too. 0: it states none, or has said that it does not.
    virtual uint64_t checked_range_bytes() const { return 0; }
    /// What the service states of the very range that it sends; none where it states nothing. Errors: what it states is
    /// no checksum.
    virtual Result<ObjectChecksum> range_checksum_of(const net::Response&) { return ObjectChecksum{}; }
    /// Asks for the size of a part of an object that was uploaded in parts: Content-Length is the part's. Nothing where
    /// the service has no such request.
    virtual std::optional<Call> part_call(const ObjectKey&, uint32_t) { return std::nullopt; }

    /// The key of the one object that the source is; "": all below the prefix.
    virtual ObjectKey single() const { return {}; }

    // --- Listing by pages; a protocol that has no such thing leaves these as they are. ---
    /// Whether a page can begin after any key: then ranges of keys are listed side by side.
    virtual bool can_start_after() const { return false; }
    virtual Call page_call(const PageRequest&) { return {}; }
    virtual std::unique_ptr<PageParser> page_parser(const PageRequest&) { return nullptr; }
};

}  // namespace zcdp::origin
