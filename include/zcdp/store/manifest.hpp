// The manifest: the canonical list of a tree, read and written as a stream (docs/formats.md "Manifest").
// A snapshot's id is the SHA-256 of the uncompressed manifest, so equal content has an equal id wherever it came from.
//
// Thread rule: a reader or writer belongs to one thread at a time. Memory: one entry and zstd's window.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::store {

/// An immutable tree's name: 64 hex digits, the SHA-256 of its manifest.
struct SnapshotId {
    Sha256Bytes bytes{};
    auto operator<=>(const SnapshotId&) const = default;
    std::string str() const { return to_hex(bytes); }
    static std::optional<SnapshotId> parse(std::string_view hex);
};

enum class FileKind : uint8_t { file = 0, directory = 1, symlink = 2 };

struct ManifestEntry {
    std::string path;  ///< relative; a directory's ends in '/'; only empty directories are listed
    FileKind kind = FileKind::file;
    bool executable = false;
    uint64_t size_bytes = 0;          ///< files only
    Digest digest;                    ///< files only
    std::vector<Sha256Bytes> chunks;  ///< files of more than one chunk: their digests in order; else empty
    std::string symlink_target;       ///< symlinks only
};

struct ManifestTotals {
    uint64_t files = 0, directories = 0, symlinks = 0;
    uint64_t bytes = 0;  ///< sum of file sizes
};

/// Writes compressed bytes to `fd` from offset 0. add() refuses paths that are out of order, repeated, or no paths.
class ManifestWriter {
  public:
    virtual ~ManifestWriter() = default;
    virtual Result<> add(const ManifestEntry& entry) = 0;
    /// Ends the stream; the id of the whole. Not durable yet.
    virtual Result<SnapshotId> finish() = 0;
    virtual const ManifestTotals& totals() const = 0;
    static std::unique_ptr<ManifestWriter> create(Fs& fs, int fd);
};

/// Reads `fd` from offset 0; every limit of docs/formats.md is checked, and the id at the end.
class ManifestReader {
  public:
    virtual ~ManifestReader() = default;
    /// The next entry, nullopt at the end (only after the trailer was checked). corrupt for anything else.
    virtual Result<std::optional<ManifestEntry>> next() = 0;
    /// After the end: the id of what was read.
    virtual SnapshotId id() const = 0;
    virtual const ManifestTotals& totals() const = 0;
    /// Uncompressed, it may have `bytes_most`; one with more is corrupt, before more of it is held.
    static std::unique_ptr<ManifestReader> create(Fs& fs, int fd, uint64_t bytes_most = UINT64_MAX);
};

}  // namespace zcdp::store
