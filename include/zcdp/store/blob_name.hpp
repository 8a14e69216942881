// What a blob's file is called below cas/ (docs/formats.md "The store"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "zcdp/base/digest.hpp"

namespace zcdp::store {

/// "sha256/ab/cdef…": a blob's name below cas/, with ".x" for the executable twin and ".N" for the Nth inode more at a
/// link limit (0: the first).
std::string blob_name(const Digest& digest, bool executable, unsigned inode = 0);

/// The inverse; nullopt for anything else in a folder of cas/. `folder` is "sha256/ab".
struct BlobFile {
    Digest digest;
    bool executable = false;
    unsigned inode = 0;
};
std::optional<BlobFile> parse_blob_name(std::string_view folder, std::string_view name);

}  // namespace zcdp::store
