#include "src/datastore/client/digest_cache.hpp"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace zcdp::datastore {
namespace {

constexpr int64_t kSettledNs = 2'000'000'000;
constexpr std::string_view kTemporary = ".tmp";
/// What a run that was killed left goes after this; a source that nobody has put for so long is forgotten.
constexpr int64_t kTemporaryKeptS = 24 * 3600, kKeptS = 90 * 24 * 3600;
constexpr size_t kCopyBytes = 256 << 10;

int64_t ns_of(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

/// "" where nothing says where caches are.
std::string cache_folder(const Machine& machine) {
    std::string base = machine.environment("XDG_CACHE_HOME");
    if (const std::string home = machine.environment("HOME"); base.empty() && !home.empty()) base = home + "/.cache";
    return base.starts_with('/') ? base + "/zcdp-digests" : "";
}

/// Makes the folder; what leads there may be symlinks of the user's.
Result<Fd> open_folder(Fs& fs, const std::string& path) {
    std::error_code ignored;
    const std::string real = std::filesystem::weakly_canonical(path, ignored).string();
    if (auto made = make_directories(fs, AT_FDCWD, real, 0700); !made)
        return system_error(made.error(), "making the folder", path);
    auto folder = fs.open(AT_FDCWD, real.c_str(), O_RDONLY | O_DIRECTORY);
    if (!folder) return system_error(folder.error(), "opening the folder", path);
    return std::move(*folder);
}

SysResult<> copy_file(Fs& fs, int from, int to) {
    std::vector<std::byte> buffer(kCopyBytes);
    for (uint64_t at = 0;;) {
        const auto got = fs.read(from, buffer, at);
        if (!got) return got.error();
        if (*got == 0) return {};
        if (auto put = fs.write(to, std::span(buffer).first(*got), at); !put) return put;
        at += *got;
    }
}

}  // namespace

bool is_settled(const struct stat& st, int64_t walk_began_ns) {
    return std::max(ns_of(st.st_mtim), ns_of(st.st_ctim)) + kSettledNs <= walk_began_ns;
}

DigestCache DigestCache::open(Machine machine, const std::string& source_path, uint64_t device, bool ignored) {
    const std::string folder = cache_folder(machine);
    const std::string known_by = source_path + '\0' + std::to_string(device);
    const std::string name = folder.empty() ? "" : to_hex(Sha256::of(known_by)).substr(0, 32);
    DigestCache cache(machine, folder, name);
    if (folder.empty() || ignored) {
        cache.stale_ = true;
        return cache;
    }
    if (auto file = machine.fs.open_following(AT_FDCWD, (folder + "/" + name).c_str(), O_RDONLY)) {
        cache.file_ = std::move(*file);
        cache.reader_.emplace(machine.fs, cache.file_.get());
        cache.advance();
    }
    return cache;
}

void DigestCache::advance() {
    do has_ = reader_->next(at_);
    while (has_ && at_.entry.kind != store::FileKind::file);
    if (!has_) reader_.reset();
}

bool DigestCache::recall(PutEntry& file) {
    while (has_ && at_.entry.path < file.entry.path) stale_ = true, advance();
    const bool same = has_ && at_.entry.path == file.entry.path && at_.entry.size_bytes == file.entry.size_bytes &&
                      at_.tag == file.tag && at_.hashed && at_.settled;
    if (!same) {
        stale_ = true;
        return false;
    }
    file.entry.digest = at_.entry.digest;
    file.entry.chunks = std::move(at_.entry.chunks);
    file.hashed = file.settled = true;
    advance();
    return true;
}

void DigestCache::save(const PutList& list) {
    if (folder_.empty()) return;
    if (!stale_ && !has_) {
        (void)machine_.fs.set_times(file_.get(), machine_.clock.unix_s());  // it is still of use
        return;
    }
    if (const auto done = replace(list); !done)
        machine_.log.info("no digests are remembered", {{"folder", folder_}, {"error", done.error().line()}});
}

Result<> DigestCache::replace(const PutList& list) {
    Fs& fs = machine_.fs;
    ZCDP_TRY(const Fd folder, open_folder(fs, folder_));
    const std::string temporary = name_ + "." + machine_.random.hex(12) + std::string(kTemporary);
    const auto write = [&]() -> SysResult<> {
        auto file = fs.open(folder.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (!file) return file.error();
        if (auto copied = copy_file(fs, list.file.get(), file->get()); !copied) return copied;
        return fs.rename(folder.get(), temporary.c_str(), folder.get(), name_.c_str());
    };
    if (auto written = write(); !written) {
        (void)fs.unlink(folder.get(), temporary.c_str());
        return system_error(written.error(), "writing", temporary);
    }
    sweep(folder.get());
    return {};
}

void DigestCache::sweep(int folder) {
    Fs& fs = machine_.fs;
    const auto entries = fs.list(folder);
    if (!entries) return;
    for (const DirEntry& entry : *entries) {
        const auto st = fs.stat(folder, entry.name.c_str());
        if (!st || !S_ISREG(st->st_mode)) continue;
        const int64_t kept_s = entry.name.ends_with(kTemporary) ? kTemporaryKeptS : kKeptS;
        if (machine_.clock.unix_s() - st->st_mtim.tv_sec > kept_s) (void)fs.unlink(folder, entry.name.c_str());
    }
}

}  // namespace zcdp::datastore
