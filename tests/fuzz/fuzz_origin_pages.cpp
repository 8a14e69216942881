// What services other than S3 answer: Azure's listings, Google's, indexes, lists of digests, trees, tokens, errors. The
// first byte chooses which.
#include <cstdint>
#include <string_view>

#include "src/origin/azure/answers.hpp"
#include "src/origin/azure/azure_protocol.hpp"
#include "src/origin/gcs/answers.hpp"
#include "src/origin/gcs/credentials.hpp"
#include "src/origin/http/http_protocol.hpp"
#include "src/origin/http/hub.hpp"
#include "src/origin/http/index.hpp"
#include "src/origin/http/netrc.hpp"
#include "src/origin/http/sums.hpp"
#include "src/origin/remote/token.hpp"

using namespace zcdp::origin;

namespace {

template <class Parser>
void feed(Parser parser, std::string_view text) {
    const size_t half = text.size() / 2;
    if (parser.feed(text.substr(0, half)) && parser.feed(text.substr(half))) (void)parser.finish();
}

/// No name of an index may lead out of its folder.
void index(std::string_view text, const char* type) {
    const auto index = http::parse_index(text, type, {{false, "host", 80}, "/folder/"});
    if (!index) return;
    for (const std::string& name : index->names) {
        if (name.empty() || name[0] == '/' || name.find('\0') != name.npos) __builtin_trap();
        if (("/" + name + "/").find("/../") != name.npos || ("/" + name + "/").find("/./") != name.npos)
            __builtin_trap();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    switch (data[0] % 11) {
        case 0: feed(azure::ListParser(), text); break;
        case 1: feed(gcs::ListParser("after"), text); break;
        case 2: index(text, "text/html"); break;
        case 3: index(text, "application/json"); break;
        case 4:
            (void)http::parse_sums(text);
            (void)http::netrc_login(text, "host");
            break;
        case 5: (void)http::parse_tree(text); break;
        case 6: (void)parse_token(text, 1); break;
        case 7: (void)gcs::parse_account(text); break;
        case 8:
            (void)azure::error_of(azure::parse_error(400, "", text), "o");
            (void)gcs::error_of(gcs::parse_error(400, text), "o");
            break;
        case 9: (void)gcs::parse_object(text); break;
        default:
            (void)azure::parse_location(std::string(text));
            (void)http::next_link(text);
            (void)http::at_base({{true, "host", 443}, "/a"}, std::string(text));
            break;
    }
    return 0;
}
