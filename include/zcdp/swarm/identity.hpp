// Who a member is, and what it vouches for. Nobody knows a digest on a cold start, so a piece travels with a *claim*:
// whoever drew it from the source, or had it before, has signed what it is. Any number of members may pass it on; what
// is wrong about it is on the signer's account, and who changes a bit of it on the way is found out at once.
//
// Thread rule: any thread. Ownership: shared; what it says stays true when the member has a newer one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/net/signing.hpp"

namespace zcdp::swarm {

/// The longest claim, in bytes.
inline constexpr size_t kClaimBytesMost = 1'022;

/// What a piece's claim is about: of a chunk its SHA-256, of a run the SHA-256 of its files' SHA-256, one after the
/// other (docs/formats.md).
using PieceDigest = Sha256Bytes;

/// Of the files with content, in their order; each has at most one chunk.
PieceDigest digest_of_run(std::span<const Digest> files);

/// What somebody claims.
struct Claimed {
    std::string by;  ///< the member's name, as its certificate has it
    PieceDigest digest{};
};

class Identity {
  public:
    /// `own`: this member's key and certificate; `ca_pem`: those whom members' certificates are of. Errors: usage.
    static Result<std::shared_ptr<const Identity>> make(const net::KeyPair& own, const std::string& ca_pem);

    const std::string& name() const { return signer_.name(); }
    /// That `piece` of this swarm is what has `digest`, signed. Errors: failed: OpenSSL's; a certificate that is too
    /// long for a claim.
    Result<std::string> claim(std::string_view swarm, uint64_t piece, const PieceDigest& digest) const;
    /// What the bytes say. Errors: corrupt: no claim, or not of this piece, or of somebody whom the CA has not
    /// certified.
    Result<Claimed> read(std::string_view claim, std::string_view swarm, uint64_t piece) const;

  private:
    Identity(net::Signer signer, net::TrustedCa ca) : signer_(std::move(signer)), ca_(std::move(ca)) {}
    Result<net::Signatory> signatory(std::string_view certificate_der) const;
    const net::Signer signer_;
    const net::TrustedCa ca_;
    mutable Mutex mutex_;
    mutable std::map<Sha256Bytes, net::Signatory> known_ ZCDP_GUARDED_BY(mutex_);  ///< by certificate
};

/// Who this member is now: certificates are renewed. Null while it has none. Any thread.
using IdentityNow = std::function<std::shared_ptr<const Identity>()>;

}  // namespace zcdp::swarm
