// Any bytes as a claim, and any changed bytes of a good one: refused, or what its signer has signed.
#include <cstdlib>

#include "tests/support/identities.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace zcdp;
    static const auto identity = test::MembersCa().certify("node-a");
    static const swarm::PieceDigest digest = Sha256::of("a piece");
    static const std::string good = identity->claim("swarm", 7, digest).value();
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto read = identity->read(bytes, "swarm", 7); read && read->digest != digest) std::abort();
    std::string changed = good;
    for (size_t i = 0; i + 2 < size; i += 3) {
        const size_t at = (data[i] << 8 | data[i + 1]) % changed.size();
        changed[at] = static_cast<char>(changed[at] ^ data[i + 2]);
    }
    const auto read = identity->read(changed, "swarm", 7);
    if (read && (read->digest != digest || read->by != "node-a")) std::abort();
    return 0;
}
