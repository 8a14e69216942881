// Any bytes as a certificate request: refused, or a certificate that can be read.
#include <cstdlib>
#include <string>

#include "zcdp/net/pki.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace zcdp::net;
    static const KeyPair ca = make_ca("ca", 0, 1).value();
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto certificate = sign_certificate_request(ca, text, "node", {"node"}, 0, 60);
    if (certificate && !certificate_end(*certificate)) std::abort();
    return 0;
}
