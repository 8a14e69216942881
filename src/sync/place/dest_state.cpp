#include "src/sync/place/dest_state.hpp"

#include <fcntl.h>

#include "zcdp/base/varint.hpp"

namespace zcdp::sync {
namespace {

constexpr std::string_view kMagic = "zcdp destination 1\n";
constexpr std::string_view kMagicAnyVersion = "zcdp destination ";

std::string encode(const DestRecord& record) {
    const store::ManifestEntry& entry = record.entry;
    std::string out;
    out.push_back(
        static_cast<char>(static_cast<uint8_t>(entry.kind) | (entry.executable ? 4 : 0) | (record.extra ? 8 : 0)));
    put_text(out, entry.path);
    if (entry.kind == store::FileKind::symlink) put_text(out, entry.symlink_target);
    if (entry.kind != store::FileKind::file) return out;
    put_text(out, record.tag.str());
    put_varint(out, entry.size_bytes);
    put_varint(out, static_cast<uint64_t>(record.mtime_ns));
    put_varint(out, record.inode);
    out.push_back(static_cast<char>(entry.digest.kind));
    put_sha256(out, entry.digest.bytes);
    put_varint(out, entry.chunks.size());
    for (const auto& chunk : entry.chunks) put_sha256(out, chunk);
    return out;
}

bool decode(std::string_view payload, DestRecord& into) {
    RecordFields fields{payload};
    into = {};
    const uint64_t flags = fields.number();
    if ((flags & 3) > 2) return false;
    store::ManifestEntry& entry = into.entry;
    entry.kind = static_cast<store::FileKind>(flags & 3);
    entry.executable = (flags & 4) != 0;
    into.extra = (flags & 8) != 0;
    entry.path = fields.text();
    if (entry.kind == store::FileKind::symlink) entry.symlink_target = fields.text();
    if (entry.kind != store::FileKind::file) return fields.ok && fields.left.empty();
    into.tag = Tag(fields.text());
    entry.size_bytes = fields.number();
    into.mtime_ns = static_cast<int64_t>(fields.number());
    into.inode = fields.number();
    entry.digest.kind = fields.number() == 2 ? DigestKind::sha256tree : DigestKind::sha256;
    entry.digest.bytes = fields.sha256();
    const uint64_t chunks = fields.number();
    if (chunks > fields.left.size() / sizeof(Sha256Bytes)) return false;
    for (uint64_t i = 0; i < chunks; ++i) entry.chunks.push_back(fields.sha256());
    return fields.ok && fields.left.empty();
}

}  // namespace

bool as_it_was_put(const DestRecord& record, const struct stat& st) {
    switch (record.entry.kind) {
        case store::FileKind::directory: return S_ISDIR(st.st_mode);
        case store::FileKind::symlink: return S_ISLNK(st.st_mode);
        case store::FileKind::file: break;
    }
    return S_ISREG(st.st_mode) && static_cast<uint64_t>(st.st_size) == record.entry.size_bytes &&
           int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec == record.mtime_ns &&
           st.st_ino == record.inode;
}

DestStateWriter::DestStateWriter(Fs& fs, Fd file, std::string name)
    : file_(std::move(file)), records_(fs, file_.get(), std::move(name), kMagic) {}

Result<> DestStateWriter::add(const DestRecord& record) { return records_.add(encode(record)); }

DestRecordReader::DestRecordReader(Fs& fs, Fd file) : file_(std::move(file)), records_(fs, file_.get(), kMagic) {}

bool DestRecordReader::next(DestRecord& into) {
    const auto payload = records_.next();
    return payload && decode(*payload, into);
}

Result<std::unique_ptr<DestState>> DestState::open(Fs& fs, int folder, const std::string& name) {
    auto state = std::unique_ptr<DestState>(new DestState);
    for (const char* file : {"state", "journal"}) {
        auto fd = fs.open(folder, file, O_RDONLY);
        if (!fd && fd.error() == boost::system::errc::no_such_file_or_directory) continue;
        if (!fd) return system_error(fd.error(), "opening", name + "/" + file);
        char magic[kMagic.size()] = {};
        const auto got = fs.read(fd->get(), std::as_writable_bytes(std::span(magic)), 0);
        const std::string_view begin(magic, got ? *got : 0);
        if (begin.starts_with(kMagicAnyVersion) && begin != kMagic)
            return Error(ErrorKind::refused, "was written by a newer zcdp", name + "/" + file, "use that one");
        (*file == 's' ? state->state_ : state->journal_).emplace(fs, std::move(*fd));
    }
    return state;
}

bool DestState::next(DestRecord& into) {
    const auto advance = [](std::optional<DestRecordReader>& reader, std::optional<DestRecord>& record) {
        if (!record && reader && !reader->next(record.emplace())) record.reset(), reader.reset();
    };
    advance(state_, from_state_);
    advance(journal_, from_journal_);
    if (!from_state_ && !from_journal_) return false;
    const bool journal = !from_state_ || (from_journal_ && from_journal_->entry.path <= from_state_->entry.path);
    if (journal) {
        if (from_state_ && from_state_->entry.path == from_journal_->entry.path) from_state_.reset();
        into = std::move(*from_journal_);
        from_journal_.reset();
    } else {
        into = std::move(*from_state_);
        from_state_.reset();
    }
    return true;
}

}  // namespace zcdp::sync
