// The Origin contract: where a dataset comes from. One conformance suite (tests/support/origin_conformance.hpp) runs
// against every kind.
//
// Thread rule: an Origin, and what it returns, belong to the loop it was made on; make one per loop with OriginFactory.
// Retries, re-signing, credential refresh and redirects within the rules happen below this interface; what comes up has
// been tried as often as the options say. Errors: not_found, denied, source_changed (the tag no longer matches),
// refused (limits, malformed listings), timeout, unreachable, throttled, failed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/ids.hpp"
#include "zcdp/base/tasks.hpp"
#include "zcdp/origin/selection.hpp"

namespace zcdp::origin {

enum class EntryKind : uint8_t {
    file = 0,
    directory = 1,
    symlink = 2,
    other = 3,  ///< a FIFO, a socket, a device: listed so that it is refused by its name
};

/// One line of a listing. `path` is the key relative to the origin's prefix, byte for byte; a directory's ends in '/'.
struct Entry {
    std::string path;
    EntryKind kind = EntryKind::file;
    uint64_t size_bytes = 0;
    Tag tag;  ///< ETag without quotes, versionId, mtime+inode, or time_tag(): changes whenever the content does
    bool executable = false;     ///< only a local origin knows
    std::string symlink_target;  ///< kind symlink only

    bool operator==(const Entry&) const = default;
};

/// What distinguishes two origins for reuse: bytes fetched under one identity serve only that identity.
struct OriginIdentity {
    std::string endpoint;     ///< "https://s3.eu-central-1.amazonaws.com", "file://"
    std::string bucket;       ///< bucket, or the absolute directory
    std::string prefix;       ///< "" or ends in '/'
    std::string credentials;  ///< names who asks, never a secret: access key id, role, "anonymous"
    bool is_object = false;   ///< the source is one object, and `prefix` the folder it is in
    /// A tag "HEX-N" is made of the MD5s of an upload's N parts: objects of one size that have it have one content.
    bool tags_of_parts = false;
    bool is_local = false;      ///< a folder or a file of this machine: `bucket` is its absolute path
    bool may_be_empty = false;  ///< that nothing is listed does not mean that there is no such source
    /// A file's tag is its digest as text (Digest::str()): what it has to be is known before a byte of it is here.
    bool tags_are_digests = false;
};

/// The listing as pages. Services list in orders of their own, and some list a key twice: who needs raw byte order
/// sorts (src/sync/list/collect.hpp), unless is_ordered().
class Listing {
  public:
    virtual ~Listing() = default;
    /// The next page; an empty vector is the end.
    virtual Task<Result<std::vector<Entry>>> next() = 0;
    /// Whether paths ascend strictly in raw byte order over the whole of it, by the nature of the origin.
    virtual bool is_ordered() const { return false; }
    /// How often the listing began again: when it grows with a page, every page before that one is void. (What was
    /// listed in parallel turned out to be in another order than that by which it was divided.)
    virtual uint32_t restarts() const { return 0; }
};

/// A checksum that the origin claims for the whole object; only ever used to verify.
struct ObjectChecksum {
    enum class Kind : uint8_t { none, crc32, crc32c, crc64xz, crc64nvme, sha256, sha1, md5 };
    Kind kind = Kind::none;
    std::string raw;  ///< big-endian bytes
    /// A composite: `raw` is the sum of the parts' sums, one after the other. 0: the sum of the object itself.
    uint32_t parts = 0;

    bool is_composite() const { return parts > 0; }
};

struct ObjectInfo {
    uint64_t size_bytes = 0;
    Tag tag;
    ObjectChecksum checksum;
    int64_t modified_unix_s = -1;  ///< -1: not said
    bool has_ranges = true;        ///< a part of it can be asked for, as far as is known

    /// Whether this is what was listed under that tag; one that is a time (time_tag()) is compared with the time.
    bool has_tag(const Tag& listed) const;
};

/// What stands for the tag where a listing states none: the time of the last change as it was listed, in ISO 8601. It
/// is as weak as a time is: the same object at another time, never another object. "" when `listed` is no time.
Tag time_tag(std::string_view listed);
/// The time that such a tag holds, its fraction dropped; nullopt for every other tag.
std::optional<int64_t> time_of_tag(const Tag& tag);

/// A range's bytes. Destroying it early gives the connection up.
class Body {
  public:
    virtual ~Body() = default;
    /// Up to into.size() bytes straight from the transport; 0 at the end of the range. Never more than was asked for;
    /// an early end is an error, and so is one that does not come: with the last bytes it is known that no more follow.
    /// Errors: also corrupt: what was handed out of this chunk (8 MiB of the object) is not what the origin states of
    /// it; the chunk is to be read again from its start; no_ranges, when the rest was to be asked for alone.
    virtual Task<Result<size_t>> read_some(std::span<std::byte> into) = 0;
    /// After another error of read_some(): asks for the rest, from the first byte that was not handed out, so that the
    /// origin's checksums cover both. Waits before it, as Origin::retry_after() does. Errors: `broken` when it is final
    /// or the attempts are used up; what the asking ended with.
    virtual Task<Result<>> resume(Error broken, uint32_t attempt) = 0;
    /// The whole object's checksum if the origin sent one with this range.
    virtual const ObjectChecksum& checksum() const = 0;
};

struct ReadSpec {
    std::string path;       ///< as the listing gave it
    Tag tag;                ///< the object must still have it (If-Match)
    uint64_t object_bytes;  ///< its size as listed
    uint64_t offset_bytes;
    uint64_t length_bytes;
    bool one_pass = false;  ///< a server that sends the whole object may: what comes before the offset is passed over
};

/// Whole files that came together, in the order in which they were asked for.
struct ManyFiles {
    std::vector<std::span<const std::byte>> files;
    std::vector<std::shared_ptr<const std::byte[]>> kept;  ///< what they lie in
};

class Origin {
  public:
    virtual ~Origin() = default;
    /// Whether the source is an object or a folder may be known only once the first page is listed, by any origin of
    /// the factory.
    virtual OriginIdentity identity() const = 0;
    /// Starts a listing of what is wanted below the prefix, or of the one object that the source is. What `selection`
    /// leaves may be in it all the same, where nothing was touched for it. `selection` must outlive the listing.
    virtual std::unique_ptr<Listing> list(const Selection& selection) = 0;
    /// The object's present state; proves the right to read it.
    virtual Task<Result<ObjectInfo>> head(std::string path) = 0;
    /// Opens [offset, offset+length). Checked before a byte is handed out: status, Content-Range, length, tag. Errors:
    /// also no_ranges, unless `one_pass` or all of the object is asked for.
    virtual Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) = 0;
    /// Files of at most so many bytes come many in an answer; 0: the origin has no such request.
    virtual uint64_t many_bytes_most() const { return 0; }
    /// Whole files of at most many_bytes_most() each; some thousands at most, of a few MiB in all. What breaks off is
    /// tried again below this interface. Errors: as read().
    virtual Task<Result<ManyFiles>> read_many(std::vector<ReadSpec> specs) {
        (void)specs;
        co_return Error(ErrorKind::failed, "the origin gives one file at a time");
    }
    /// The size of part `number`, from 1, of an object that was uploaded in parts; 0 where the origin does not say it.
    virtual Task<Result<uint64_t>> part_bytes(std::string path, Tag tag, uint32_t number) {
        (void)path, (void)tag, (void)number;
        co_return uint64_t{0};
    }
    /// One attempt failed half-way and the caller asks again: whether, and after how long, is this budget's matter.
    /// Returns false when the error is final or the attempts are used up. `attempt` counts from 1.
    virtual Task<bool> retry_after(const Error& error, uint32_t attempt) = 0;
    /// How many reads at once the origin now takes (falls on 503, climbs back); the callers keep to it.
    virtual uint32_t concurrency() const = 0;
};

/// Makes an Origin on a loop; called once per loop. All of one factory share credentials, budgets and the skew.
using OriginFactory = std::function<Result<std::unique_ptr<Origin>>(asio::any_io_executor)>;

}  // namespace zcdp::origin
