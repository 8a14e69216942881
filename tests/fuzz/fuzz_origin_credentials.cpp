// Any bytes as what a token service, an instance or a program answers with credentials: an error that denies, or
// credentials that can stand in a request's header. The first byte chooses whose answer it is.
#include <cstdlib>
#include <string_view>

#include "src/origin/oss/credentials.hpp"
#include "src/origin/s3/credentials.hpp"
#include "src/origin/s3/profile_credentials.hpp"

namespace {

using namespace zcdp;
using namespace zcdp::origin;

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_plain(std::string_view text) {
    for (const char c : text)
        if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
    return true;
}

void aws(const Result<s3::Credentials>& answer) {
    if (!answer) return require(answer.error().kind() == ErrorKind::denied);
    require(!answer->access_key.empty() && !answer->secret_key.empty() && answer->expires_unix_s >= 0);
    require(is_plain(answer->access_key) && is_plain(answer->session_token));
}

void oss_answer(const Result<oss::Credentials>& answer) {
    if (!answer) return require(answer.error().kind() == ErrorKind::denied);
    require(!answer->access_key.empty() && !answer->secret_key.empty() && answer->expires_unix_s > 0);
    require(is_plain(answer->access_key) && is_plain(answer->security_token));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    switch (data[0] % 4) {
        case 0: aws(s3::parse_sts_answer(text)); break;
        case 1: aws(s3::parse_json_credentials(text)); break;
        case 2: aws(s3::parse_sso_answer(text)); break;
        default: oss_answer(oss::parse_credentials(text)); break;
    }
    return 0;
}
