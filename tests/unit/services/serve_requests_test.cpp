// Requests as clients write them, and what is known of a file.
#include "src/services/serve/object.hpp"
#include "src/services/serve/uri.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp::services::serve;

TEST_CASE("a target is a path, or an address whose path counts") {
    for (const char* same : {"/data/a%20b?x=1", "http://host:9000/data/a%20b?x=1", "https://[::1]/data/a%20b?x=1"}) {
        const auto target = parse_target(same);
        REQUIRE_MESSAGE(target, same);
        CHECK(target->bucket == "data");
        CHECK(target->key == "a b");
        CHECK(*target->find("x") == "1");
    }
    CHECK(parse_target("http://host")->path == "/");
    CHECK(parse_target("http://host?list-type=2")->path == "/");
    CHECK(*parse_target("http://host?list-type=2")->find("list-type") == "2");
    CHECK(parse_target("//data/a")->bucket.empty());
    CHECK(parse_target("//data/a")->key == "data/a");
    for (const char* wrong : {"", "data/a", "*", "ftp://host/data", "/%zz"}) CHECK_MESSAGE(!parse_target(wrong), wrong);
}

TEST_CASE("files of any time have a time that can be shown, and tags that differ") {
    const auto at = [](int64_t second) {
        struct stat st{};
        st.st_mtim.tv_sec = second, st.st_size = 1, st.st_ino = 1;
        return object_stat(st);
    };
    CHECK(at(-5).modified_s() == 0);
    CHECK(at(1'700'000'000).modified_s() == 1'700'000'000);
    CHECK(at(20'000'000'000).modified_s() == 20'000'000'000);
    CHECK(at(900'000'000'000).modified_s() == 253'402'300'799);
    CHECK(etag(at(-5)) != etag(at(-6)));
    CHECK(etag(at(20'000'000'000)) != etag(at(20'000'000'001)));
    CHECK(etag(at(1)) == "\"3b9aca00-1-1\"");
}
