// What the objects of a source are called in messages.
#include "src/sync/fetch/job.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp;
using namespace zcdp::sync;

TEST_CASE("an object is named below its source; of a source that is one object it is the source") {
    const origin::OriginIdentity folder{"https://s3", "b", "d/x/", "anonymous"},
        object{"https://s3", "b", "d/", "anonymous", true};
    CHECK(object_name("s3://b/d/x", folder, "x") == "s3://b/d/x/x");
    CHECK(object_name("s3://b/d/x/", folder, "y/z") == "s3://b/d/x/y/z");
    CHECK(object_name("s3://b/d/x", object, "x") == "s3://b/d/x");
    CHECK(object_name("s3://b/d/x?versionId=1", object, "x") == "s3://b/d/x");
    CHECK(object_name("s3://b/x", object, "x") == "s3://b/x");
    CHECK(object_name("/data/set", {"file://", "/data/set", "", "local"}, "x") == "/data/set/x");
    const origin::OriginIdentity file{"file://", "/data", "", "local", true};
    CHECK(object_name("/data/x", file, "x") == "/data/x");
    CHECK(object_name("/x", file, "x") == "/x");
    CHECK(object_name("x", file, "x") == "x");
    CHECK(object_name("a/x", file, "x") == "a/x");
    CHECK(object_name("file:///data/x", file, "x") == "file:///data/x");
    CHECK(object_name("https://host/d/SHA256SUMS", {"https://host", "https://host/d/SHA256SUMS", "", "anonymous"},
                      "x") == "https://host/d/x");
}
