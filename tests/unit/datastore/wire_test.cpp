#include "zcdp/datastore/wire.hpp"

#include "tests/support/doctest.hpp"

namespace zcdp::datastore {

TEST_CASE("targets: a key's slashes stay, everything else that is not plain is encoded") {
    CHECK(target_of("keys", "team/model v3") == "/v1/keys/team/model%20v3");
    CHECK(target_of("files", "a?b", "version=3") == "/v1/files/a%3Fb?version=3");
}

TEST_CASE("items, both ways") {
    const Item file{.key = "a/b",
                    .name = "b",
                    .kind = KeyKind::file,
                    .version = 3,
                    .versions = 2,
                    .size_bytes = 5,
                    .files = 1,
                    .snapshot = "ab",
                    .modified_unix_s = 7,
                    .expires_unix_s = 9};
    const Item folder{.key = "a", .name = "a", .is_directory = true};
    CHECK(parse_item(file.json()).value() == file);
    CHECK(parse_item(folder.json()).value() == folder);
    const ItemPage page{{file, folder}, "a/b"};
    const auto back = parse_item_page(page.json());
    REQUIRE(back);
    CHECK(back->items == page.items);
    CHECK(back->next == "a/b");
    for (const char* wrong : {"", "[]", "{}", R"({"key":3})", R"({"key":"a","kind":"queue","version":1})"})
        CHECK(!parse_item(wrong));
}

TEST_CASE("an upload's words, both ways") {
    const UploadIntent intent{
        .kind = KeyKind::file, .files = 1, .bytes = 5, .snapshot = "ab", .if_version = 0, .force = true};
    const auto read = parse_upload_intent(intent.json());
    REQUIRE(read);
    CHECK(read->kind == KeyKind::file);
    CHECK(read->bytes == 5);
    CHECK(read->if_version == uint64_t{0});
    CHECK(read->force);
    CHECK(!parse_upload_intent(R"({"kind":"tree"})")->if_version);
    CHECK(parse_upload_intent(R"({"kind":"heap"})").error().kind() == ErrorKind::refused);
    const auto begun = parse_upload_begun(UploadBegun{"id", true, 4}.json());
    REQUIRE(begun);
    CHECK((begun->upload == "id" && begun->present && begun->version == 4));
    const auto committed = parse_committed(Committed{"a", "ab", 2, true}.json());
    REQUIRE(committed);
    CHECK((committed->key == "a" && committed->snapshot == "ab" && committed->version == 2 && committed->unchanged));
}

TEST_CASE("an error travels with its kind, and one that says nothing has its status'") {
    const Error error(ErrorKind::no_space, "12 bytes are free", "a/b", "remove something");
    const Error back = parse_error(status_of(error.kind()), error_json(error));
    CHECK(back.kind() == ErrorKind::no_space);
    CHECK(back.line() == error.line());
    CHECK(parse_error(404, "<html>").kind() == ErrorKind::not_found);
    CHECK(parse_error(412, "").kind() == ErrorKind::source_changed);
    CHECK(parse_error(418, "{}").kind() == ErrorKind::failed);
}

}  // namespace zcdp::datastore
