#include "src/sync/fetch/claimed_sum.hpp"

#include <openssl/evp.h>

namespace zcdp::sync {
namespace {

const EVP_MD* digest_of(origin::ObjectChecksum::Kind kind) {
    using Kind = origin::ObjectChecksum::Kind;
    return kind == Kind::sha256 ? EVP_sha256()
           : kind == Kind::sha1 ? EVP_sha1()
           : kind == Kind::md5  ? EVP_md5()
                                : nullptr;
}

}  // namespace

void ClaimedSum::FreeContext::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

ClaimedSum::ClaimedSum(origin::ObjectChecksum claimed) : claimed_(std::move(claimed)) {
    if (const auto kind = origin::crc_kind(claimed_.kind)) crc_.emplace(*kind);
    const EVP_MD* digest = digest_of(claimed_.kind);
    if (!digest) return;
    digest_.reset(EVP_MD_CTX_new());
    if (!digest_ || EVP_DigestInit_ex(digest_.get(), digest, nullptr) != 1) digest_.reset();  // a FIPS build has no MD5
}

ClaimedSum::~ClaimedSum() = default;
ClaimedSum::ClaimedSum(ClaimedSum&&) noexcept = default;

bool ClaimedSum::answerable() const { return !claimed_.is_composite() && (crc_ || digest_); }

void ClaimedSum::update(std::span<const std::byte> bytes) {
    if (crc_) crc_->update(bytes);
    if (digest_) EVP_DigestUpdate(digest_.get(), bytes.data(), bytes.size());
}

std::string ClaimedSum::raw() {
    if (crc_) return origin::crc_raw(crc_->kind(), crc_->value());
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!digest_ || EVP_DigestFinal_ex(digest_.get(), bytes, &length) != 1) return "";
    return {reinterpret_cast<const char*>(bytes), length};
}

}  // namespace zcdp::sync
