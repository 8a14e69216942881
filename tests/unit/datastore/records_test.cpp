#include "zcdp/datastore/records.hpp"

#include <string>
#include <vector>

#include "tests/support/doctest.hpp"

namespace zcdp::datastore {
namespace {

using Bodies = RecordReader::Bodies;
using Found = RecordReader::Found;

ContentRecord one_byte() { return {Digest{DigestKind::sha256, Sha256::of("a")}, 1, false, {}}; }

ContentRecord long_zeros() {
    const std::string zeros(kChunkBytes, '\0');
    ContentRecord record{{}, kChunkBytes + 1, true, {Sha256::of(zeros), Sha256::of(std::string(1, '\0'))}};
    record.digest = digest_of_chunks(record.chunks);
    return record;
}

std::string body_of(const std::vector<ContentRecord>& records) {
    std::string body;
    for (const ContentRecord& record : records) append_record(body, record);
    return body + kRecordsEnd;
}

/// Fed in pieces of `step` bytes; what was read, or the error.
Result<std::vector<ContentRecord>> read_contents(std::string_view body, size_t step) {
    RecordReader reader(Bodies::none);
    std::vector<ContentRecord> out;
    bool ended = false;
    for (size_t at = 0; at < body.size(); at += step) {
        ZCDP_CHECK(reader.feed(body.substr(at, step)));
        while (true) {
            ZCDP_TRY(const Found found, reader.next());
            if (found == Found::content) out.push_back(reader.content());
            ended = found == Found::end;
            if (found != Found::content) break;
        }
    }
    if (!ended) return Error(ErrorKind::corrupt, "cut off");
    return out;
}

}  // namespace

TEST_CASE("records without bytes: the vector of docs/formats.md, in pieces of any size") {
    const std::vector<ContentRecord> records = {one_byte(), long_zeros()};
    const std::string body = body_of(records);
    CHECK(to_hex_of(body) ==
          "0101ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
          "068180800463af2582fbcfb2d99bb9e647355c3f58d108117d10c72d35bf2441fff6f3cff8"
          "2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74"
          "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
          "ff");
    for (const size_t step : {size_t{1}, size_t{7}, body.size()}) {
        const auto read = read_contents(body, step);
        REQUIRE(read);
        CHECK(*read == records);
    }
}

TEST_CASE("records with bytes: whole contents and chunks") {
    const ContentRecord zeros = long_zeros();
    const ChunkHeader whole{one_byte().digest, 1, false, 0, one_byte().digest.bytes};
    const ChunkHeader last{zeros.digest, zeros.size_bytes, true, 1, zeros.chunks[1]};
    std::string body;
    append_header(body, whole), body += 'a';
    append_header(body, last), body += '\0';
    body += kRecordsEnd;
    for (const size_t step : {size_t{1}, size_t{33}, body.size()}) {
        RecordReader reader(Bodies::follow);
        std::vector<ChunkHeader> headers;
        std::string bytes;
        bool ended = false;
        for (size_t at = 0; at < body.size(); at += step) {
            REQUIRE(reader.feed(std::string_view(body).substr(at, step)));
            for (Found found = Found::bytes; found != Found::nothing && !ended;) {
                found = reader.next().value();
                if (found == Found::header) headers.push_back(reader.header());
                if (found == Found::bytes)
                    bytes.append(reinterpret_cast<const char*>(reader.bytes().data()), reader.bytes().size());
                ended = found == Found::end;
            }
        }
        CHECK(ended);
        CHECK(headers == std::vector{whole, last});
        CHECK(bytes == std::string("a\0", 2));
    }
}

TEST_CASE("what is no record is corrupt") {
    const std::string body = body_of({long_zeros()});
    CHECK(!read_contents(body.substr(0, body.size() - 1), 9));  // no end
    CHECK(!read_contents(body + "x", body.size() + 1));         // something behind it
    CHECK(!read_contents(body + "x", body.size()));
    for (const size_t at : {size_t{0}, size_t{5}, size_t{40}}) {
        std::string damaged = body;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        CAPTURE(at);
        CHECK(!read_contents(damaged, damaged.size()));
    }
    CHECK(!read_contents(std::string("\x01\x80\x00", 3) + std::string(40, 'x'), 64));  // a number in a longer form
    std::string beyond;
    ChunkHeader header{long_zeros().digest, kChunkBytes + 1, false, 2, {}};
    append_header(beyond, header);
    RecordReader reader(Bodies::follow);
    REQUIRE(reader.feed(beyond));
    CHECK(reader.next().error().kind() == ErrorKind::corrupt);
}

TEST_CASE("a content whose digests are promised and never come costs no memory") {
    std::string body;
    ContentRecord record{Digest{DigestKind::sha256tree, {}}, uint64_t{1} << 50, false, {}};
    append_record(body, record);
    RecordReader reader(Bodies::none);
    REQUIRE(reader.feed(body));
    CHECK(reader.next().value() == Found::nothing);
}

}  // namespace zcdp::datastore
