#include "src/datastore/client/put_body.hpp"

#include "zcdp/origin/local.hpp"

namespace zcdp::datastore {
namespace {

/// From here on sendfile(2) costs less than a copy.
constexpr uint64_t kHeldPieceBytes = 128 << 10;
constexpr size_t kHeaderBytes = 96;  ///< at most, of one record

bool is_held(const Piece& piece) { return piece.length_bytes() <= kHeldPieceBytes; }

Error changed(const PutSource& source, const Piece& piece) {
    return Error(ErrorKind::source_changed, "changed while it was put", source.name_of(piece.file->entry.path));
}

Result<std::shared_ptr<const Fd>> open_unchanged(const PutSource& source, Fs& fs, const Piece& piece) {
    ZCDP_TRY(auto file, source.open(piece.file->entry.path));
    const auto st = fs.stat_fd(file->get());
    if (!st) return system_error(st.error(), "looking at", source.name_of(piece.file->entry.path));
    const bool same = static_cast<uint64_t>(st->st_size) == piece.file->entry.size_bytes &&
                      origin::local::tag_of(*st) == piece.file->tag;
    if (!same) return changed(source, piece);
    return file;
}

Result<> append_bytes(std::string& out, const PutSource& source, Fs& fs, const Piece& piece, int file) {
    const size_t had = out.size();
    out.resize(had + piece.length_bytes());
    const auto room = std::as_writable_bytes(std::span(out).subspan(had));
    const auto got = fs.read(file, room, piece.offset_bytes());
    if (!got) return system_error(got.error(), "reading", source.name_of(piece.file->entry.path));
    return *got == room.size() ? Result<>() : changed(source, piece);
}

}  // namespace

uint64_t held_bytes_of(const Pieces& pieces) {
    uint64_t bytes = 1;
    for (const Piece& piece : pieces) bytes += kHeaderBytes + (is_held(piece) ? piece.length_bytes() : 0);
    return bytes;
}

Result<std::vector<net::BodyPart>> make_body(const PutSource& source, Fs& fs, const Pieces& pieces) {
    std::vector<net::BodyPart> parts;
    std::string held;
    held.reserve(held_bytes_of(pieces));
    const auto end_part = [&](std::shared_ptr<const Fd> file, uint64_t offset, uint64_t length) {
        parts.push_back(
            {std::make_shared<const std::string>(std::exchange(held, {})), std::move(file), offset, length});
    };
    for (const Piece& piece : pieces) {
        ZCDP_TRY(auto file, open_unchanged(source, fs, piece));
        append_header(held, piece.header());
        if (is_held(piece)) ZCDP_CHECK(append_bytes(held, source, fs, piece, file->get()));
        else end_part(std::move(file), piece.offset_bytes(), piece.length_bytes());
    }
    held.push_back(kRecordsEnd);
    end_part(nullptr, 0, 0);
    return parts;
}

Result<> check_unchanged(const PutSource& source, Fs& fs, const Pieces& pieces) {
    std::string bytes;
    for (const Piece& piece : pieces) {
        ZCDP_TRY(const auto file, open_unchanged(source, fs, piece));
        bytes.clear();
        ZCDP_CHECK(append_bytes(bytes, source, fs, piece, file->get()));
        if (Sha256::of(bytes) != piece.header().chunk_digest) return changed(source, piece);
    }
    return {};
}

}  // namespace zcdp::datastore
