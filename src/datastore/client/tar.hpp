// A tree as a tar stream (POSIX.1-2001, "pax"): headers and padding; the contents are the caller's. Owners are 0, times
// are 0, so that one tree is one stream. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "zcdp/store/manifest.hpp"

namespace zcdp::datastore {

/// What comes before an entry's content: one ustar header, and before it a pax one where the path, the target or the
/// size do not fit into that or are no ASCII.
std::string tar_header(const store::ManifestEntry& entry);
/// The zeros between a content of so many bytes and the next header.
std::string tar_padding(uint64_t size_bytes);
/// What ends the stream.
std::string tar_end();

}  // namespace zcdp::datastore
