#include "zcdp/api/dataset_key.hpp"

#include <unordered_set>

#include "tests/support/doctest.hpp"

namespace zcdp::api {

TEST_CASE("a Dataset's key is written NAMESPACE/NAME and read from nothing else") {
    const DatasetKey key{"team-a", "llama"};
    CHECK(key.text() == "team-a/llama");
    CHECK(DatasetKey::parse("team-a/llama") == key);
    for (const char* text : {"", "/", "llama", "team-a/", "/llama", "team-a/llama/", "a/b/c"})
        CHECK_FALSE(DatasetKey::parse(text).has_value());
    CHECK(DatasetKey{"a", "z"} < DatasetKey{"b", "a"});
    CHECK(std::unordered_set<DatasetKey>{key, key, {"team-a", "other"}}.size() == 2);
}

TEST_CASE("a claim's key of its Dataset is in the claim's namespace") {
    DatasetClaim claim;
    claim.metadata.namespace_ = "team-a", claim.metadata.name = "claim", claim.spec.dataset = "llama";
    CHECK(dataset_key(claim) == DatasetKey{"team-a", "llama"});
    CHECK(dataset_key(DatasetRef{"n", "d", "uid"}) == DatasetKey{"n", "d"});
}

}  // namespace zcdp::api
