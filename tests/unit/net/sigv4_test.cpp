// Signature Version 4 against AWS's own example.
#include "zcdp/net/sigv4.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp;
using namespace zcdp::net;

// docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Object"
TEST_CASE("a request is signed as AWS's example is") {
    const std::string empty = to_hex(Sha256::of(""));
    const CanonicalRequest request{"GET",
                                   "/test.txt",
                                   "",
                                   {{"host", "examplebucket.s3.amazonaws.com"},
                                    {"range", "bytes=0-9"},
                                    {"x-amz-content-sha256", empty},
                                    {"x-amz-date", "20130524T000000Z"}},
                                   "host;range;x-amz-content-sha256;x-amz-date",
                                   empty};
    const std::string text = string_to_sign(request, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request");
    CHECK(text ==
          "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
          "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
    const Sha256Bytes key = sigv4_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3");
    CHECK(to_hex(hmac_sha256(key, text)) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_CASE("a key is derived text by text") {
    const Sha256Bytes first = derived_key("secret", {"a"});
    CHECK(derived_key("secret", {"a", "b"}) == hmac_sha256(first, "b"));
    CHECK(derived_key("secret", {"b", "a"}) != derived_key("secret", {"a", "b"}));
}
