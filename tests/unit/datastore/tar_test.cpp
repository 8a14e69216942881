#include "src/datastore/client/tar.hpp"

#include <string>

#include "tests/support/doctest.hpp"

namespace zcdp::datastore {
namespace {

using store::FileKind;

store::ManifestEntry entry(std::string path, FileKind kind = FileKind::file, uint64_t size = 0) {
    store::ManifestEntry out;
    out.path = std::move(path), out.kind = kind, out.size_bytes = size;
    return out;
}

std::string field(const std::string& block, size_t offset, size_t length) {
    const std::string whole = block.substr(offset, length);
    return whole.substr(0, whole.find('\0'));
}

/// The sum that a reader makes of a block (POSIX.1-1988).
bool sums_up(const std::string& block) {
    unsigned sum = 0;
    for (size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
    return std::stoul(field(block, 148, 8), nullptr, 8) == sum;
}

}  // namespace

TEST_CASE("a short path is one ustar header") {
    auto file = entry("bin/run", FileKind::file, 10);
    file.executable = true;
    const std::string header = tar_header(file);
    REQUIRE(header.size() == 512);
    CHECK(sums_up(header));
    CHECK(field(header, 0, 100) == "bin/run");
    CHECK(field(header, 100, 8) == "0000755");
    CHECK(field(header, 124, 12) == "00000000012");
    CHECK(field(header, 136, 12) == "00000000000");
    CHECK(header[156] == '0');
    CHECK(header.substr(257, 8) == std::string("ustar\0"
                                               "00",
                                               8));
}

TEST_CASE("folders and symlinks") {
    const std::string folder = tar_header(entry("empty/", FileKind::directory));
    CHECK(folder[156] == '5');
    CHECK(field(folder, 100, 8) == "0000755");
    auto link = entry("link", FileKind::symlink);
    link.symlink_target = "bin/run";
    const std::string header = tar_header(link);
    CHECK(header[156] == '2');
    CHECK(field(header, 157, 100) == "bin/run");
}

TEST_CASE("what does not fit into ustar has a pax header before it") {
    const std::string path = std::string(120, 'd') + "/" + std::string(120, 'f');
    const std::string header = tar_header(entry(path));
    REQUIRE(header.size() == 3 * 512);
    CHECK(sums_up(header));
    CHECK(sums_up(header.substr(1024)));
    CHECK(header[156] == 'x');
    CHECK(field(header, 512, 512) == "251 path=" + path + "\n");
    const std::string foreign = tar_header(entry("caf\xc3\xa9"));
    CHECK(field(foreign, 512, 512) == "14 path=caf\xc3\xa9\n");
}

TEST_CASE("a record's length counts its own digits, also where they become more") {
    for (size_t length = 80; length < 1010; ++length) {
        const std::string path(length, 'p');
        const std::string header = tar_header(entry(path));
        if (length <= 100) {
            CHECK(header.size() == 512);
            continue;
        }
        const size_t stated = std::stoul(header.substr(512, 5));
        CHECK(header.substr(512, stated) == std::to_string(stated) + " path=" + path + "\n");
    }
}

TEST_CASE("a size of more than eleven octal digits is said in pax") {
    const std::string header = tar_header(entry("huge", FileKind::file, uint64_t{8} << 30));
    CHECK(field(header, 512, 512) == "19 size=8589934592\n");
    CHECK(tar_header(entry("less", FileKind::file, (uint64_t{8} << 30) - 1)).size() == 512);
}

TEST_CASE("contents are filled up to whole blocks") {
    CHECK(tar_padding(0).empty());
    CHECK(tar_padding(1).size() == 511);
    CHECK(tar_padding(512).empty());
    CHECK(tar_padding(513).size() == 511);
    CHECK(tar_end().size() == 1024);
}

}  // namespace zcdp::datastore
