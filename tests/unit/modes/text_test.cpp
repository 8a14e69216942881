// What a person sees: progress lines that fit.

#include "src/modes/progress_text.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp;
using namespace zcdp::modes;

namespace {

Moment half_way() {
    Moment moment;
    moment.phase = sync::Phase::fetching;
    moment.objects_done = 1234, moment.objects_total = 20000;
    moment.bytes_done = 512ull << 20, moment.bytes_total = 1ull << 30;
    moment.bytes_per_second = 256 << 20;
    moment.connections = 12;
    moment.long_files = {{"model-00001-of-00002.safetensors", 3ull << 30, 5ull << 30},
                         {"日本語/モデル.bin", 1, 2},
                         {"bad\x1b[31m\xff", 0, 0}};
    return moment;
}

size_t characters(const std::string& text) {
    size_t count = 0;
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return count;
}

}  // namespace

TEST_CASE("a plain line says percent, bytes, rate, time left, objects and connections") {
    const std::string line = plain_line(half_way());
    for (const char* part : {"50%", "512", "1", "/s", "ETA 2", "1,234 of 20,000 objects", "12 connections"}) {
        INFO(line);
        CHECK(line.find(part) != std::string::npos);
    }
}

TEST_CASE("for programs a moment is an object with the figures of its phase") {
    Moment moment = half_way();
    CHECK(json_line(moment) == R"({"progress":{"phase":"fetching","bytes_done":536870912,"bytes_total":1073741824,)"
                               R"("files_done":1234,"files_total":20000}})");
    moment.phase = sync::Phase::placing;
    moment.bytes_placed = 1, moment.bytes_to_place = 2, moment.files_placed = 3, moment.files_to_place = 4;
    CHECK(json_line(moment) ==
          R"({"progress":{"phase":"placing","bytes_done":1,"bytes_total":2,"files_done":3,"files_total":4}})");
}

TEST_CASE("a put says what it hashes, and then what it sends") {
    Moment moment = half_way();
    moment.phase = sync::Phase::hashing;
    CHECK(plain_line(moment) == "hashing: 50% 512 MiB of 1 GiB  256 MiB/s  ETA 2 s  1,234 of 20,000 files");
    CHECK(bar_lines(moment, 120, 24).size() == 1);
    moment.phase = sync::Phase::sending;
    CHECK(plain_line(moment).starts_with("sending: 50% 512 MiB of 1 GiB"));
    CHECK(bar_lines(moment, 120, 24)[0].starts_with("[############............] sending: 50%"));
}

TEST_CASE("no line is wider than the terminal, and none has control bytes") {
    for (size_t columns = 1; columns < 200; ++columns) {
        for (const size_t rows : {1, 2, 3, 24}) {
            const auto lines = bar_lines(half_way(), columns, rows);
            REQUIRE(!lines.empty());
            REQUIRE(lines.size() <= std::max<size_t>(1, rows));
            REQUIRE(characters(lines[0]) <= columns);
            for (const std::string& line : lines)
                for (const char c : line) REQUIRE(static_cast<unsigned char>(c) >= 0x20);
        }
    }
}

TEST_CASE("nothing to fetch is all of it") {
    Moment moment;
    moment.phase = sync::Phase::fetching;
    CHECK(plain_line(moment).find("100%") != std::string::npos);
    CHECK(plain_line(moment).find("ETA") == std::string::npos);
}

TEST_CASE("a rate settles on what is steady, and starts anew after a step back") {
    Rate rate;
    double now = 0;
    for (uint64_t second = 1; second <= 20; ++second) now = rate.add(second * 1000, second * 1000);
    CHECK(now > 990);
    CHECK(now < 1010);
    CHECK(rate.add(0, 21'000) < now);
    CHECK(rate.add(0, 21'000) >= 0);
}
