// Any bytes as an Authorization header, as a token, as a TokenReview's answer and as a SubjectAccessReview's: nobody
// without a name is let in, an end that a token says never lengthens anything, and no two questions look alike.
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <string>
#include <string_view>

#include "src/kube/reviews.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/json_parse.hpp"

namespace {

using namespace zcdp;
using namespace zcdp::kube;

void require(bool holds) {
    if (!holds) std::abort();
}

void expiry(const std::string& text) {
    for (const std::string& token : {text, "h." + text + ".s", "h." + to_base64url(text) + ".s"})
        if (const auto at = jwt_expiry_s(token)) require(*at >= 0 && *at <= 1'000'000'000'000);
}

void answers(const boost::json::object& answer) {
    if (const auto user = parse_token_review(answer, {"store"}); user && *user) require(!(*user)->name.empty());
    if (const auto allowed = parse_access_review(answer); allowed && *allowed)
        require(answer.at("status").at("allowed").as_bool());
}

/// Where the parts of a question are cut belongs to it.
void questions(const std::string& text) {
    std::string ascii = text;
    for (char& c : ascii) c &= 0x7f;
    const size_t half = ascii.size() / 2;
    const std::string a = ascii.substr(0, half), b = ascii.substr(half);
    const auto sent = [](const std::string& user, const std::string& ns) {
        return boost::json::serialize(access_review({user, "", {}, {}}, ObjectAccess{"get", "g", "r", "", ns, ""}));
    };
    require((sent(a, b) == sent(ascii, "")) == b.empty());
    const auto read = parse_json(sent(a, b), 10);
    require(read && read->at("spec").at("user") == boost::json::value(a));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const std::string_view token = bearer_token(text);
    require(text.ends_with(token));
    if (is_token(token)) require(token.find(' ') == std::string_view::npos);
    expiry(text);
    questions(text);
    const auto value = parse_json(text, 100);
    if (value && value->is_object()) answers(value->get_object());
    return 0;
}
