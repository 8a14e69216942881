// What this node gives to others of one dataset: which pieces it has, and their bytes.
//
// Thread rule: any thread; news_after() on any loop. Ownership: shared by who fills it and the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/tasks.hpp"
#include "zcdp/net/server.hpp"
#include "zcdp/swarm/identity.hpp"
#include "zcdp/swarm/pieces.hpp"
#include "zcdp/swarm/wire.hpp"

namespace zcdp {
class Bell;
}

namespace zcdp::swarm {

/// A piece's bytes, from the first to the last. Its end may block. Thread rule: one thread at a time.
class PieceReader {
  public:
    virtual ~PieceReader() = default;
    /// The next bytes, as many as fit; 0 at the end. Blocks. Errors: not_found, when it is here no more; what reading
    /// ends with.
    virtual Result<size_t> read_some(std::span<std::byte> into) = 0;
};

/// The bytes of pieces that are here: verified before, read again as they are. Thread rule: any thread; all block.
class PieceBytes {
  public:
    virtual ~PieceBytes() = default;
    /// Errors: as PieceReader's.
    virtual Result<std::unique_ptr<PieceReader>> open(uint64_t piece) const = 0;
    /// Where the piece is one run of bytes of one file; nullopt: it is not, or is here no more.
    virtual std::optional<net::server::FileRange> file_of(uint64_t piece) const = 0;
    /// What the piece is, as it was verified. Errors: as PieceReader's.
    virtual Result<PieceDigest> digest_of(uint64_t piece) const = 0;
    /// The claim with which it came from a member; "" when it came from the source. Errors: what reading ends with.
    virtual Result<std::string> claim_of(uint64_t piece) const = 0;
    /// The manifest of the snapshot that all of this is, as docs/formats.md has it. Errors: not_found: there is none
    /// yet; as PieceReader's.
    virtual Result<std::unique_ptr<PieceReader>> open_manifest() const;
};

class Share {
  public:
    /// `news` is what is here; its version a random number, so that nobody takes a restarted member's news for old.
    Share(PieceTable table, News news, std::shared_ptr<const PieceBytes> bytes);
    ~Share();

    const PieceTable& table() const { return table_; }
    const PieceBytes& bytes() const { return *bytes_; }

    bool has(uint64_t piece) const;
    /// How often the piece has been sent, and one more from now on.
    uint32_t count_sent(uint64_t piece);
    News news() const;
    /// Replaces the three maps, which have as many pieces; who waits for news is woken when they differ.
    void tell(const HaveMap& have, const HaveMap& there, const HaveMap& drawing);
    /// How many pieces are asked of this node now, of whatever dataset; said when one of this is asked for or sent.
    void tell_load(uint64_t pieces_asked);
    /// Nobody waits for news from now on.
    void close();
    /// The news once their version is another one, and a moment more, so that what comes together is told together;
    /// nullopt after `wait_ms`, or once it is closed.
    Task<std::optional<News>> news_after(uint64_t version, uint64_t wait_ms);

  private:
    static constexpr uint64_t kTogetherMs = 10, kTogetherBytes = 1024;  ///< a millisecond more for so many of news
    bool is_closed() const;
    const PieceTable table_;
    const std::shared_ptr<const PieceBytes> bytes_;
    const std::unique_ptr<Bell> changed_;
    mutable Mutex mutex_;
    News news_ ZCDP_GUARDED_BY(mutex_);
    std::vector<uint32_t> sent_ ZCDP_GUARDED_BY(mutex_);
    bool is_closed_ ZCDP_GUARDED_BY(mutex_) = false;
};

}  // namespace zcdp::swarm
