#include "src/store/core.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>

namespace zcdp::store {

Result<> commit_all(Core& core) {
    const auto done = core.barrier == BarrierKind::syncfs ? core.fs.sync_fs(core.partial.get())
                                                          : commit_journal(core.fs, core.partial.get(), "barrier");
    if (!done) return core.error(done.error(), "making durable what is in", "");
    return {};
}

Result<> make_blob_folder(Core& core, const Digest& digest) {
    const std::string name = blob_name(digest, false);
    const std::string folder = name.substr(0, name.rfind('/'));
    if (auto made = make_directories(core.fs, core.cas.get(), folder, 0755); !made)
        return core.error(made.error(), "making the folder", "cas/" + folder);
    return {};
}

bool blob_on_disk(Core& core, const BlobRef& blob) {
    const auto st = core.fs.stat(core.cas.get(), blob_name(blob.digest, blob.executable).c_str());
    return st && S_ISREG(st->st_mode) && static_cast<uint64_t>(st->st_size) == blob.size_bytes;
}

std::string quoted(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == '%' || c == 0x7f)
            out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        else out += c;
    }
    return out;
}

std::string unquoted(std::string_view quoted) {
    std::string out;
    for (size_t i = 0; i < quoted.size(); ++i) {
        unsigned value = 0;
        if (quoted[i] == '%' && i + 2 < quoted.size() &&
            std::from_chars(quoted.data() + i + 1, quoted.data() + i + 3, value, 16).ec == std::errc()) {
            out += static_cast<char>(value);
            i += 2;
        } else {
            out += quoted[i];
        }
    }
    return out;
}

std::string encode_meta(const Meta& meta) {
    return fmt::format("zcdp snapshot 1\nname {}\nrevision {}\npinned {}\ncreated {}\n", quoted(meta.name),
                       quoted(meta.revision.str()), meta.pinned ? 1 : 0, meta.created_unix_s);
}

Meta decode_meta(const std::string& text) {
    Meta meta;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = std::string_view(text).substr(begin, end - begin);
        begin = end + 1;
        const size_t space = line.find(' ');
        const std::string_view key = line.substr(0, space);
        const std::string_view value = space == line.npos ? std::string_view() : line.substr(space + 1);
        if (key == "name") meta.name = unquoted(value);
        if (key == "revision") meta.revision = Revision(unquoted(value));
        if (key == "pinned") meta.pinned = value == "1";
        if (key == "created") std::from_chars(value.data(), value.data() + value.size(), meta.created_unix_s);
    }
    return meta;
}

namespace {

Result<> each_of_folder(Core& core, int kind_dir, const std::string& kind, const std::string& name,
                        const std::function<Result<>(const FoundBlob&)>& each) {
    const std::string folder = kind + "/" + name;
    auto dir = core.fs.open(kind_dir, name.c_str(), O_RDONLY | O_DIRECTORY);
    if (!dir) return {};
    auto files = core.fs.list(dir->get());
    if (!files) return core.error(files.error(), "reading", "cas/" + folder);
    for (const DirEntry& file : *files) {
        const auto blob = parse_blob_name(folder, file.name);
        const auto st = core.fs.stat(dir->get(), file.name.c_str());
        if (blob && st) ZCDP_CHECK(each({dir->get(), folder, file.name, *blob, *st}));
    }
    return {};
}

}  // namespace

Result<> for_each_blob_file(Core& core, const std::function<Result<>(const FoundBlob&)>& each) {
    for (const char* kind : {"sha256", "sha256tree"}) {
        auto kind_dir = core.fs.open(core.cas.get(), kind, O_RDONLY | O_DIRECTORY);
        if (!kind_dir) continue;
        auto folders = core.fs.list(kind_dir->get());
        if (!folders) return core.error(folders.error(), "reading", "cas");
        for (const DirEntry& folder : *folders)
            ZCDP_CHECK(each_of_folder(core, kind_dir->get(), kind, folder.name, each));
    }
    return {};
}

Result<> write_meta(Core& core, const SnapshotInfo& info) {
    const std::string path = info.id.str() + "/meta";
    const std::string text = encode_meta({info.name, info.revision, info.pinned, info.created_unix_s});
    if (auto put = replace_file(core.fs, core.snapshots.get(), path, text, 0644); !put)
        return core.error(put.error(), "writing", "snapshots/" + path);
    return {};
}

std::string tree_path(const Core& core, const SnapshotId& id) { return core.root + "/snapshots/" + id.str() + "/tree"; }

Result<> put_into_quarantine(Core& core, int dir, const std::string& name, const std::string& why) {
    const std::string base = name.substr(name.rfind('/') + 1);
    const std::string kept = fmt::format("{}-{}-{}", core.clock.unix_s(), core.random.hex(8), base);
    if (auto moved = core.fs.rename(dir, name.c_str(), core.quarantine.get(), kept.c_str()); !moved)
        return core.error(moved.error(), "moving to quarantine", name);
    (void)core.fs.fsync(core.quarantine.get());
    core.log.warn("moved to quarantine", {{"what", name}, {"as", kept}, {"error", why}});
    return {};
}

}  // namespace zcdp::store
