#include "zcdp/swarm/identity.hpp"

#include "tests/support/doctest.hpp"
#include "tests/support/identities.hpp"

namespace zcdp::swarm {
namespace {

const PieceDigest kDigest = Sha256::of("a piece");

}  // namespace

TEST_CASE("a claim says who has signed that a piece of a swarm is what") {
    const test::MembersCa ca;
    const auto a = ca.certify("node-a"), b = ca.certify("node-b");
    const std::string claim = a->claim("swarm", 7, kDigest).value();
    CHECK(claim.size() < kClaimBytesMost);
    const auto read = b->read(claim, "swarm", 7);
    REQUIRE(read);
    CHECK(read->by == "node-a");
    CHECK(read->digest == kDigest);
}

TEST_CASE("a claim is good for its piece and its swarm alone") {
    const test::MembersCa ca;
    const auto a = ca.certify("node-a");
    const std::string claim = a->claim("swarm", 7, kDigest).value();
    for (const auto& [swarm, piece] : {std::pair("swarm", 8), std::pair("swarn", 7), std::pair("", 7)}) {
        const auto read = a->read(claim, swarm, static_cast<uint64_t>(piece));
        REQUIRE(!read);
        CHECK(read.error().kind() == ErrorKind::corrupt);
    }
}

TEST_CASE("no bit of a claim can be changed, and nothing left out or added") {
    const test::MembersCa ca;
    const auto a = ca.certify("node-a");
    const std::string claim = a->claim("swarm", 7, kDigest).value();
    for (size_t i = 0; i < claim.size() * 8; ++i) {
        std::string changed = claim;
        changed[i / 8] = static_cast<char>(changed[i / 8] ^ 1 << i % 8);
        // A signature may be written in more ways than one; what it says may not change.
        if (const auto read = a->read(changed, "swarm", 7)) CHECK((read->by == "node-a" && read->digest == kDigest));
    }
    for (size_t length = 0; length < claim.size(); ++length) CHECK(!a->read(claim.substr(0, length), "swarm", 7));
    CHECK(!a->read(claim + '\0', "swarm", 7));
    CHECK(!a->read(std::string(kClaimBytesMost + 1, 'x'), "swarm", 7));
}

TEST_CASE("who is certified by another CA vouches for nothing") {
    const test::MembersCa ca, other;
    const std::string claim = other.certify("node-a")->claim("swarm", 7, kDigest).value();
    const auto read = ca.certify("node-b")->read(claim, "swarm", 7);
    REQUIRE(!read);
    CHECK(read.error().kind() == ErrorKind::corrupt);
}

TEST_CASE("a member signs with its own key, and is certified by somebody") {
    const auto now = system_clock().unix_s();
    const net::KeyPair ca = net::make_ca("members", now, 1).value();
    net::KeyPair own = net::issue_client_certificate(ca, "node-a", now, 1).value();
    CHECK(!Identity::make(own, ""));
    own.key_pem = ca.key_pem;
    CHECK(!Identity::make(own, ca.certificate_pem));
}

TEST_CASE("a run is what its files are, in their order") {
    const Digest a{DigestKind::sha256, Sha256::of("a")}, b{DigestKind::sha256, Sha256::of("b")};
    CHECK(digest_of_run(std::vector{a, b}) != digest_of_run(std::vector{b, a}));
    // printf a | sha256sum and printf b | sha256sum, both as bytes: sha256sum of them.
    CHECK(to_hex(digest_of_run(std::vector{a, b})) ==
          "e5a01fee14e0ed5c48714f22180f25ad8365b53f9779f79dc4a3d7e93963f94a");
}

}  // namespace zcdp::swarm
