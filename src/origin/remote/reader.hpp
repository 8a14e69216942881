// Opens ranges of objects, and holds every answer's header to what was asked for. Shared by an Origin and its bodies,
// which may outlive each other. Thread rule: belongs to its loop.
#pragma once

#include <memory>
#include <string>

#include "src/origin/remote/requester.hpp"

namespace zcdp::origin {

/// An answer that is what was asked for.
struct Opened {
    std::unique_ptr<net::Response> answer;
    uint64_t skip_bytes = 0;  ///< before the range, from a server that sends the whole
    uint64_t end_bytes = 0;   ///< of the range, which is the beginning of what was asked for
    bool is_last = false;     ///< nothing may follow the range in this answer
    ObjectChecksum checksum;  ///< of the whole object
    ObjectChecksum of_range;
};

class Reader {
  public:
    explicit Reader(std::shared_ptr<Requester> requester) : requester_(std::move(requester)) {}

    Requester& requester() { return *requester_; }
    std::shared_ptr<Requester> shared_requester() const { return requester_; }
    std::string name_of(const std::string& path) const { return requester_->protocol().name_of(key_of(path)); }

    Task<Result<ObjectInfo>> head(std::string path);
    Task<Result<uint64_t>> part_bytes(std::string path, Tag tag, uint32_t number);
    /// As much of it as one request can ask for. Errors: as Origin::read().
    Task<Result<Opened>> open(ReadSpec spec);
    /// What `error` of an answer means, once it is asked what the object is: it is gone, it is another one now
    /// (source_changed), or the server contradicts itself, which is no change. If in its tags (source_changed so far),
    /// another answer may be right (failed; in the end open() calls it a change all the same); if in the bytes that it
    /// sends (refused so far), none will be (refused).
    Task<Error> explain(Error error, ReadSpec spec);

  private:
    ObjectKey key_of(const std::string& path) const { return ObjectKey(requester_->remote().prefix() + path); }
    Result<Opened> accept(std::unique_ptr<net::Response> answer, const ReadSpec& spec, bool part_wanted) const;
    Result<> check(const net::Response& answer, const ReadSpec& spec) const;
    Result<> check_whole(const net::Response& answer, const ReadSpec& spec) const;
    Result<> check_part(const net::Response& answer, const ReadSpec& spec) const;

    std::shared_ptr<Requester> requester_;
};

/// refused: the answer's bytes are not those that were listed; `what`: how many. For Reader::explain().
Error other_bytes(const net::Response& answer, const std::string& what, const std::string& object);

}  // namespace zcdp::origin
