#include "src/datastore/client/batch_answer.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "tests/support/doctest.hpp"
#include "zcdp/base/little_endian.hpp"

namespace zcdp::datastore {
namespace {

std::string file(std::string_view content) {
    std::string out;
    put_u64(out, content.size());
    return out.append(content);
}

std::string no_file() {
    std::string out;
    put_u64(out, UINT64_MAX);
    return out;
}

/// Fed in pieces of `step` bytes, and never more than there is room for.
Result<> feed(BatchAnswer& answer, std::string_view bytes, size_t step) {
    while (!bytes.empty()) {
        const size_t length = std::min({step, bytes.size(), answer.room().size()});
        REQUIRE(length > 0);
        std::memcpy(answer.room().data(), bytes.data(), length);
        ZCDP_CHECK(answer.came(length));
        bytes.remove_prefix(length);
    }
    return {};
}

std::string text(const std::optional<BatchFile>& file) {
    REQUIRE(file);
    return {reinterpret_cast<const char*>(file->bytes().data()), file->length};
}

}  // namespace

TEST_CASE("a batch's files are known one after the other, however the answer is cut") {
    const std::string bytes = file("one") + file("") + no_file() + file("and the last");
    for (size_t step = 1; step <= bytes.size(); ++step) {
        BatchAnswer answer({3, 0, 7, 12});
        REQUIRE(feed(answer, bytes, step));
        REQUIRE(answer.is_whole());
        CHECK(text(answer.file(0)) == "one");
        CHECK(text(answer.file(1)).empty());
        CHECK(!answer.file(2));
        CHECK(text(answer.file(3)) == "and the last");
    }
}

TEST_CASE("a file is known with its last byte, and not before") {
    const std::string bytes = file("one") + file("two");
    BatchAnswer answer({3, 3});
    REQUIRE(feed(answer, std::string_view(bytes).substr(0, 10), 10));
    CHECK(answer.known() == 0);
    REQUIRE(feed(answer, std::string_view(bytes).substr(10, 1), 1));
    CHECK(answer.known() == 1);
    CHECK(!answer.is_whole());
}

TEST_CASE("a file of another size than was listed ends a batch, those before it are good") {
    BatchAnswer answer({3, 3, 3});
    const auto fed = feed(answer, file("one") + file("four") + file("two"), 1000);
    REQUIRE(!fed);
    CHECK(fed.error().kind() == ErrorKind::source_changed);
    CHECK(answer.known() == 1);
    CHECK(text(answer.file(0)) == "one");
}

TEST_CASE("a file outlives the answer that it came with") {
    std::optional<BatchFile> kept;
    {
        BatchAnswer answer({3});
        REQUIRE(feed(answer, file("one"), 1000));
        kept = answer.file(0);
    }
    CHECK(text(kept) == "one");
}

}  // namespace zcdp::datastore
