// An answer's body into a file. Thread rule: the response's loop; the writes block it, and are short.
#pragma once

#include <cstdint>

#include "zcdp/base/fs.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::net {

/// The rest of the body into `file`, from offset 0 on. All three outlive the task. Errors: as read_some(); refused:
/// more than `limit_bytes`; those of the disk.
Task<Result<>> save_body(Response& answer, Fs& fs, int file, uint64_t limit_bytes);

}  // namespace zcdp::net
