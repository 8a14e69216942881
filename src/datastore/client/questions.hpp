// What is asked in one request. Thread rule: the client's loop.
#pragma once

#include <string>

#include "zcdp/datastore/client.hpp"

namespace zcdp::datastore {

/// What lies below `prefix` and after the key `after` ("": from the first on). `client` outlives the task. Errors: also
/// corrupt: a listing that does not go on.
Task<Result<ItemPage>> ask_page(Client& client, std::string prefix, bool recursive, std::string after);

}  // namespace zcdp::datastore
