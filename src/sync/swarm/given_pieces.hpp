// The bytes of a sync's pieces, for other nodes, while it runs and after: chunks of files that are being filled from
// their partial file, all else from the CAS.
//
// Thread rule: any thread. Ownership: the content and the file system outlive it.
#pragma once

#include <map>
#include <memory>

#include "src/sync/swarm/piece_list.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/store/content.hpp"
#include "zcdp/swarm/share.hpp"

namespace zcdp::sync {

class GivenPieces final : public swarm::PieceBytes {
  public:
    /// `digests` and `claims` are unnamed files of their own.
    GivenPieces(std::shared_ptr<const PieceList> list, store::Content& content, Fs& fs, Fd digests, Fd claims)
        : list_(std::move(list)),
          content_(content),
          fs_(fs),
          digests_(std::move(digests)),
          claims_(std::move(claims)) {}

    /// The file is in the store. Blocks.
    Result<> put(uint64_t entry, const Digest& digest);
    /// The file is being filled; its chunks are read from here until put().
    void fill(uint64_t entry, std::shared_ptr<store::ChunkSource> source);

    /// With which the piece came from a member. Blocks.
    Result<> put_claim(uint64_t piece, const std::string& claim);

    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t piece) const override;
    std::optional<net::server::FileRange> file_of(uint64_t piece) const override;
    Result<swarm::PieceDigest> digest_of(uint64_t piece) const override;
    Result<std::string> claim_of(uint64_t piece) const override;

  private:
    Result<Digest> digest_of_file(const PieceFile& file) const;
    std::shared_ptr<store::ChunkSource> filling(uint64_t entry) const;

    const std::shared_ptr<const PieceList> list_;
    store::Content& content_;
    Fs& fs_;
    const Fd digests_;  ///< by entry: the kind, and its bytes
    const Fd claims_;   ///< by piece, kClaimRoomBytes each: the length, and the claim
    mutable Mutex mutex_;
    std::map<uint64_t, std::shared_ptr<store::ChunkSource>> filling_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::sync
