// Any bytes as the answer to a batch of short files, in pieces of any size: refused, or the same files however it is
// cut, each where it says, and never a byte more than there is room for.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "src/datastore/client/batch_answer.hpp"

namespace {

using zcdp::datastore::BatchAnswer;

/// What became known, as text.
std::string read_in_steps(std::string_view bytes, const std::vector<uint64_t>& sizes, size_t step) {
    BatchAnswer answer(sizes);
    bool wrong = false;
    while (!bytes.empty() && !answer.room().empty() && !wrong) {
        const size_t length = std::min({step, bytes.size(), answer.room().size()});
        std::memcpy(answer.room().data(), bytes.data(), length);
        wrong = !answer.came(length);
        bytes.remove_prefix(length);
    }
    std::string known = wrong ? "wrong" : "";
    for (size_t i = 0; i < answer.known(); ++i) {
        const auto file = answer.file(i);
        if (file && file->length != sizes[i]) std::abort();
        if (file) known.append(reinterpret_cast<const char*>(file->bytes().data()), file->length);
        known += file ? "+" : "-";
    }
    return known;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const size_t files = std::min<size_t>(data[0] % 8, size - 1);
    const std::vector<uint64_t> sizes(data + 1, data + 1 + files);
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1 + files, size - 1 - files);
    const std::string whole = read_in_steps(bytes, sizes, size);
    if (read_in_steps(bytes, sizes, 1) != whole || read_in_steps(bytes, sizes, 7) != whole) std::abort();
    return 0;
}
