#include "zcdp/api/types.hpp"

#include <charconv>

namespace zcdp::api {

uint64_t DatasetPlacement::replicas_wanted() const {
    if (Word<Replicas>::parse(replicas.text) == Replicas::all) return UINT64_MAX;
    uint64_t out = 0;
    std::from_chars(replicas.text.data(), replicas.text.data() + replicas.text.size(), out);
    return out;
}

}  // namespace zcdp::api
