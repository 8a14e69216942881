// What Google Cloud Storage's JSON API answers (cloud.google.com/storage/docs/json_api/v1). Pure.
#pragma once

#include <string>
#include <string_view>

#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin::gcs {

/// {"error": {"code": …, "message": …, "errors": [{"reason": …}]}}, as far as it is there. One that came as a success
/// has the status that its code says.
struct ErrorAnswer {
    int status = 0;
    std::string reason, message;
    bool came_as_success = false;
    bool wants_payer = false;  ///< the bucket is "requester pays", which the service says in its message alone
};
ErrorAnswer parse_error(int status, std::string_view body);
/// Whether a body is such an error.
bool is_refusal(std::string_view body);
RetryDecision::Action action_of(const ErrorAnswer& answer);
Error error_of(const ErrorAnswer& answer, const std::string& object);

/// An object's resource: size, generation, crc32c or md5Hash. Errors: refused.
Result<ObjectInfo> parse_object(std::string_view body);

/// x-goog-hash: "crc32c=BASE64,md5=BASE64", CRC first; kind none when there is neither.
ObjectChecksum checksum_of(std::string_view x_goog_hash);

/// A page of objects.list. `startOffset` includes the key itself, so the one at `after` is left out.
class ListParser final : public PageParser {
  public:
    explicit ListParser(std::string after) : after_(std::move(after)) {}
    Result<> feed(std::string_view bytes) override;
    Result<ListPage> finish() override;
    std::string_view refusal() const override { return is_refusal(body_) ? body_ : std::string_view(); }

  private:
    std::string after_, body_;
};

}  // namespace zcdp::origin::gcs
