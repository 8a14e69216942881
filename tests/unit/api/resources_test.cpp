// Quantities as Kubernetes writes them, and what a pod asks for.
#include <boost/json/parse.hpp>

#include "tests/support/doctest.hpp"
#include "zcdp/api/core.hpp"

namespace zcdp::api {
namespace {

Amounts asked(const char* spec) {
    return pod_requests(from_json<Pod>(json::parse(std::string(R"({"spec":)") + spec + "}")).value());
}

}  // namespace

TEST_CASE("quantities are read in thousandths, rounded up, with every suffix that Kubernetes has") {
    CHECK(parse_quantity("100m") == 100);
    CHECK(parse_quantity("0.1") == 100);
    CHECK(parse_quantity("2") == 2000);
    CHECK(parse_quantity("1.5") == 1500);
    CHECK(parse_quantity("1k") == 1'000'000);
    CHECK(parse_quantity("1Ki") == 1'024'000);
    CHECK(parse_quantity("64Mi") == (int64_t{64} << 20) * 1000);
    CHECK(parse_quantity("1e3") == 1'000'000);
    CHECK(parse_quantity("1E").value() > parse_quantity("1P").value());  // no exponent
    CHECK(parse_quantity("1n") == 1);
    CHECK(parse_quantity("999Ei") == parse_quantity("998Ei"));  // more than anybody has
    for (const char* none : {"", "m", "1 Gi", "1KI", "1b", "-1", "nan", "1Gib"}) {
        INFO(none);
        CHECK_FALSE(parse_quantity(none).has_value());
    }
}

TEST_CASE("a pod asks for its containers together, or for an init container that needs more, sidecars beside both") {
    CHECK(
        amount_of(
            asked(
                R"({"containers":[{"resources":{"requests":{"cpu":"300m"}}},{"resources":{"requests":{"cpu":"1"}}},{}]})"),
            "cpu") == 1300);
    CHECK(
        amount_of(
            asked(
                R"({"initContainers":[{"resources":{"requests":{"cpu":"2"}}}],"containers":[{"resources":{"requests":{"cpu":"1"}}}]})"),
            "cpu") == 2000);
    const char* const sidecar =
        R"({"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"500m"}}},{"resources":{"requests":{"cpu":"2"}}}],
        "containers":[{"resources":{"requests":{"cpu":"1"}}}],"overhead":{"cpu":"50m","memory":"1Mi"}})";
    CHECK(amount_of(asked(sidecar), "cpu") == 2550);
    CHECK(amount_of(asked(sidecar), "memory") == (1 << 20) * int64_t{1000});
    CHECK(amount_of(
              asked(R"({"containers":[{"resources":{"requests":{"cpu":"3"}}}],"resources":{"requests":{"cpu":"4"}}})"),
              "cpu") == 4000);
    CHECK(asked("{}") == Amounts{{"pods", 1000}});
}

TEST_CASE("free covers wanted: each resource, and none of one that is not there") {
    const Amounts free = amounts_of({{"cpu", {"2"}}, {"memory", {"1Gi"}}});
    CHECK(covers(free, amounts_of({{"cpu", {"2"}}})));
    CHECK_FALSE(covers(free, amounts_of({{"cpu", {"2001m"}}})));
    CHECK_FALSE(covers(free, amounts_of({{"nvidia.com/gpu", {"1"}}})));
}

}  // namespace zcdp::api
