// The sum that an origin states of an object, over bytes as they pass. Pure.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "zcdp/base/digest.hpp"
#include "zcdp/origin/checksums.hpp"

struct evp_md_ctx_st;

namespace zcdp::sync {

class ClaimedSum {
  public:
    explicit ClaimedSum(origin::ObjectChecksum claimed);
    ~ClaimedSum();
    ClaimedSum(ClaimedSum&&) noexcept;
    /// Whether bytes in order can answer the claim: all but sums of parts.
    bool answerable() const;
    void update(std::span<const std::byte> bytes);
    /// The sum of all bytes so far as ObjectChecksum::raw has it; called once, at the end. "" where there is none of
    /// that kind.
    std::string raw();
    /// Whether it is the one claimed; called instead of raw().
    bool matches() { return raw() == claimed_.raw; }

  private:
    struct FreeContext {
        void operator()(evp_md_ctx_st* context) const;
    };
    origin::ObjectChecksum claimed_;
    std::optional<origin::Crc> crc_;
    std::unique_ptr<evp_md_ctx_st, FreeContext> digest_;
};

}  // namespace zcdp::sync
