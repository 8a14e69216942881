#include "src/datastore/client/put_list.hpp"

#include "zcdp/base/varint.hpp"

namespace zcdp::datastore {
namespace {

constexpr std::string_view kMagic = "zcdp digests 1\n";
constexpr uint8_t kKindMask = 3, kExecutable = 4, kHashed = 8, kSettled = 16;

void encode(std::string& out, const PutEntry& source) {
    const store::ManifestEntry& entry = source.entry;
    out.clear();
    out.push_back(static_cast<char>(static_cast<uint8_t>(entry.kind) | (entry.executable ? kExecutable : 0) |
                                    (source.hashed ? kHashed : 0) | (source.settled ? kSettled : 0)));
    sync::put_text(out, entry.path);
    switch (entry.kind) {
        case store::FileKind::directory: return;
        case store::FileKind::symlink: sync::put_text(out, entry.symlink_target); return;
        case store::FileKind::file: break;
    }
    put_varint(out, entry.size_bytes);
    sync::put_text(out, source.tag.str());
    if (!source.hashed) return;
    if (entry.chunks.empty()) sync::put_sha256(out, entry.digest.bytes);
    for (const Sha256Bytes& chunk : entry.chunks) sync::put_sha256(out, chunk);
}

/// The digests of a file whose size is known: one for each chunk.
bool decode_digests(sync::RecordFields& fields, store::ManifestEntry& entry) {
    const uint64_t count = chunk_count(entry.size_bytes);
    if (fields.left.size() / sizeof(Sha256Bytes) != count || fields.left.size() % sizeof(Sha256Bytes) != 0)
        return false;
    entry.chunks.reserve(count);
    for (uint64_t i = 0; i < count; ++i) entry.chunks.push_back(fields.sha256());
    entry.digest = digest_of_chunks(entry.chunks);
    if (count == 1) entry.chunks.clear();
    return fields.ok;
}

bool decode(std::string_view payload, PutEntry& into) {
    if (payload.empty()) return false;
    const auto flags = static_cast<uint8_t>(payload[0]);
    if ((flags & kKindMask) > 2) return false;
    sync::RecordFields fields{payload.substr(1)};
    store::ManifestEntry& entry = into.entry;
    entry.kind = static_cast<store::FileKind>(flags & kKindMask);
    entry.executable = (flags & kExecutable) != 0;
    into.hashed = (flags & kHashed) != 0;
    into.settled = (flags & kSettled) != 0;
    entry.path.assign(fields.text());
    entry.size_bytes = 0;
    entry.digest = {};
    entry.chunks.clear();
    entry.symlink_target.clear();
    into.tag = {};
    if (entry.kind == store::FileKind::symlink) entry.symlink_target.assign(fields.text());
    if (entry.kind == store::FileKind::file) {
        entry.size_bytes = fields.number();
        into.tag = Tag(fields.text());
        if (into.hashed) return fields.ok && decode_digests(fields, entry);
    }
    return fields.ok && fields.left.empty();
}

}  // namespace

PutListWriter::PutListWriter(Fs& fs, int fd) : records_(fs, fd, "the list of what is put", kMagic) {}

Result<> PutListWriter::add(const PutEntry& entry) {
    encode(payload_, entry);
    ++count_;
    return records_.add(payload_);
}

PutListReader::PutListReader(Fs& fs, int fd) : records_(fs, fd, kMagic) {}

bool PutListReader::next(PutEntry& into) {
    const auto payload = records_.next();
    return payload && decode(*payload, into);
}

Error PutList::cut_off() {
    return Error(ErrorKind::corrupt, "ends early", "the list of what is put", "look at the disk below TMPDIR");
}

}  // namespace zcdp::datastore
