#include "zcdp/swarm/identity.hpp"

#include <algorithm>
#include <utility>

#include "zcdp/base/faults.hpp"
#include "zcdp/base/little_endian.hpp"

namespace zcdp::swarm {
namespace {

/// Certificates that were looked at are kept, for one signs many pieces.
constexpr size_t kKnownMost = 4'096;
constexpr size_t kDigestBytes = sizeof(PieceDigest);

std::string signed_text(std::string_view swarm, uint64_t piece, std::string_view digest) {
    std::string text = "zcdp claim 1\n";
    text.append(swarm).push_back('\n');
    put_u64(text, piece);
    return text.append(digest);
}

std::string_view text_of(const PieceDigest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

PieceDigest digest_of_run(std::span<const Digest> files) {
    Sha256 hash;
    for (const Digest& file : files) hash.update(text_of(file.bytes));
    return hash.finish();
}

Result<std::shared_ptr<const Identity>> Identity::make(const net::KeyPair& own, const std::string& ca_pem) {
    ZCDP_TRY(auto signer, net::Signer::make(own));
    ZCDP_TRY(auto ca, net::TrustedCa::make(ca_pem));
    return std::shared_ptr<const Identity>(new Identity(std::move(signer), std::move(ca)));
}

/// The digest, one byte with the signature's length, the signature, and the certificate.
Result<std::string> Identity::claim(std::string_view swarm, uint64_t piece, const PieceDigest& digest) const {
    ZCDP_TRY(const std::string signature, signer_.sign(signed_text(swarm, piece, text_of(digest))));
    std::string out(text_of(digest));
    out.push_back(static_cast<char>(signature.size()));
    out += signature;
    out += signer_.certificate_der();
    if (out.size() > kClaimBytesMost) return Error(ErrorKind::failed, "has too long a certificate", name());
    return out;
}

Result<Claimed> Identity::read(std::string_view claim, std::string_view swarm, uint64_t piece) const {
    const size_t signature_at = kDigestBytes + 1;
    const size_t signature_bytes = claim.size() > kDigestBytes ? static_cast<unsigned char>(claim[kDigestBytes]) : 0;
    if (claim.size() > kClaimBytesMost || claim.size() <= signature_at + signature_bytes)
        return Error(ErrorKind::corrupt, "is no claim", "a member's claim");
    ZCDP_TRY(const auto by, signatory(claim.substr(signature_at + signature_bytes)));
    const std::string_view digest = claim.substr(0, kDigestBytes);
    const bool is_signed =
        by.has_signed(signed_text(swarm, piece, digest), claim.substr(signature_at, signature_bytes));
    if (!is_signed && !faults::broken("claim-signature"))
        return Error(ErrorKind::corrupt, "has not signed this claim", by.name());
    Claimed out{by.name(), {}};
    std::copy(digest.begin(), digest.end(), reinterpret_cast<char*>(out.digest.data()));
    return out;
}

Result<net::Signatory> Identity::signatory(std::string_view certificate_der) const {
    const Sha256Bytes id = Sha256::of(certificate_der);
    {
        const MutexLock lock(mutex_);
        if (const auto known = known_.find(id); known != known_.end()) return known->second;
    }
    auto found = ca_.signatory(certificate_der);
    if (!found) return Error(ErrorKind::corrupt, found.error().what(), "a member's claim");
    const MutexLock lock(mutex_);
    if (known_.size() >= kKnownMost) known_.clear();
    known_.emplace(id, *found);
    return found;
}

}  // namespace zcdp::swarm
