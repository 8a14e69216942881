// Short files of one key's version, many in a request (docs/formats.md, `POST /v1/files`). Thread rule: the client's
// loop.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/datastore/client/batch_answer.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/datastore/client.hpp"

namespace zcdp::datastore {

struct BatchWish {
    std::string path;
    uint64_t size_bytes = 0;
};
/// Where batches go, and of which snapshot the answers have to be.
struct BatchDoor {
    std::string target, snapshot;
};
/// What became of a wish; called once for each that is known, in their order. not_found: there is no such file.
using BatchKnown = std::function<void(size_t index, Result<BatchFile> outcome)>;

/// Asks until all is known; what breaks off is asked for again, without what has come. `client` outlives the task.
/// Errors, of all that is not known: not_found: the version; source_changed: another snapshot, a file of another size.
Task<Result<>> ask_batch(Client& client, BatchDoor door, std::vector<BatchWish> wishes, BatchKnown known,
                         Machine machine);

}  // namespace zcdp::datastore
