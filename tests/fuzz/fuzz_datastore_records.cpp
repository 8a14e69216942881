// Any bytes as an upload's records, in pieces of any size: refused, or read alike however they were cut, and written
// again as what was read. As an answer and as an upload's words, too.
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/datastore/key.hpp"
#include "zcdp/datastore/records.hpp"
#include "zcdp/datastore/wire.hpp"

namespace {

using namespace zcdp;
using namespace zcdp::datastore;
using Found = RecordReader::Found;

/// What was read, written again; bytes are not told apart from headers.
struct Read {
    std::string written;
    bool wrong = false, ended = false;
    bool operator==(const Read&) const = default;
};

bool take(RecordReader& reader, Read& read) {
    while (true) {
        const auto found = reader.next();
        if (!found) return read.wrong = true, false;
        switch (*found) {
            case Found::nothing: return true;
            case Found::end: read.ended = true; return true;
            case Found::content: append_record(read.written, reader.content()); break;
            case Found::header: append_header(read.written, reader.header()); break;
            case Found::bytes:
                read.written.append(reinterpret_cast<const char*>(reader.bytes().data()), reader.bytes().size());
                break;
        }
    }
}

Read read_in_steps(std::string_view body, RecordReader::Bodies bodies, size_t step) {
    RecordReader reader(bodies);
    Read read;
    for (; !body.empty(); body.remove_prefix(std::min(step, body.size())))
        if (!reader.feed(body.substr(0, step)) || !take(reader, read)) return read.wrong = true, read;
    return read;
}

void records(std::string_view body, RecordReader::Bodies bodies) {
    const Read whole = read_in_steps(body, bodies, body.size() + 1);
    if (whole.wrong) return;
    if (whole.ended && whole.written + kRecordsEnd != body) std::abort();
    if (read_in_steps(body, bodies, 1) != whole || read_in_steps(body, bodies, 37) != whole) std::abort();
}

template <class Parse>
void round_trip(const Parse& parse, std::string_view text) {
    const auto first = parse(text);
    if (!first) return;
    const std::string written = first->json();
    const auto second = parse(written);
    if (!second || second->json() != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    records(text, RecordReader::Bodies::none);
    records(text, RecordReader::Bodies::follow);
    round_trip(parse_item, text);
    round_trip(parse_item_page, text);
    round_trip(parse_upload_intent, text);
    round_trip(parse_upload_begun, text);
    round_trip(parse_committed, text);
    (void)parse_error(404, text).line();
    if (const auto key = parse_key(text); key && !key->key.empty() && !is_key(key->key)) std::abort();
    return 0;
}
