#include "src/datastore/client/put_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include "zcdp/base/ascii.hpp"
#include "zcdp/base/is_errno.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/origin/local.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kIgnoreBytesMost = 1 << 20;
constexpr const char* kIgnoreFile = ".zcdpignore";

/// What a path that was listed leads to has been taken away, or replaced by something that is no file.
bool is_gone(const boost::system::error_code& code) {
    return is_errno(code, ENOENT) || is_errno(code, ENOTDIR) || is_errno(code, ELOOP) || is_errno(code, EXDEV) ||
           is_errno(code, ENXIO);
}

Result<std::vector<std::string>> read_ignored(Fs& fs, int folder, const std::string& name) {
    const auto file = fs.open_following(folder, kIgnoreFile, O_RDONLY | O_NONBLOCK);
    if (!file && is_gone(file.error())) return std::vector<std::string>();
    if (!file) return system_error(file.error(), "opening", name);
    const auto st = fs.stat_fd(file->get());
    if (st && !S_ISREG(st->st_mode)) return std::vector<std::string>();  // says nothing; the walk finds it, too
    std::string text(kIgnoreBytesMost + 1, '\0');
    const auto got = fs.read(file->get(), std::as_writable_bytes(std::span(text)), 0);
    if (!got) return system_error(got.error(), "reading", name);
    if (*got == text.size()) return Error(ErrorKind::usage, "is longer than 1 MiB", name, "write fewer globs");
    return ignored_globs(std::string_view(text).substr(0, *got));
}

Error refused(const sync::ListingSummary& listed, const std::string& source) {
    const uint64_t others = listed.refused - 1;
    return Error(ErrorKind::refused,
                 fmt::format("cannot be put: {}{}", listed.refused_keys.front(),
                             others == 0 ? "" : fmt::format(" ({} more like it)", others)),
                 source, fmt::format("leave such names out with --exclude, or with a line in {}", kIgnoreFile));
}

store::FileKind kind_of(origin::EntryKind kind) {
    return kind == origin::EntryKind::directory ? store::FileKind::directory
           : kind == origin::EntryKind::symlink ? store::FileKind::symlink
                                                : store::FileKind::file;
}

/// Takes over what is listed, and with it what the cache knows.
class Lister {
  public:
    Lister(Fs& fs, int file, DigestCache& cache) : writer_(fs, file), cache_(cache) {}
    Result<> take(origin::Entry& listed) {
        source_.entry = {};
        source_.entry.path = std::move(listed.path);
        source_.entry.kind = kind_of(listed.kind);
        source_.entry.executable = listed.executable;
        source_.entry.size_bytes = listed.size_bytes;
        source_.entry.symlink_target = std::move(listed.symlink_target);
        source_.tag = std::move(listed.tag);
        source_.hashed = source_.settled = false;
        if (source_.entry.kind == store::FileKind::file) cache_.recall(source_);
        return writer_.add(source_);
    }
    Result<uint64_t> finish() {
        ZCDP_CHECK(writer_.finish());
        return writer_.count();
    }

  private:
    PutListWriter writer_;
    DigestCache& cache_;
    PutEntry source_;
};

}  // namespace

std::vector<std::string> ignored_globs(std::string_view text) {
    std::vector<std::string> globs;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trimmed(text.substr(0, end), " \t\r");
        if (!line.empty() && line[0] != '#') globs.emplace_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return globs;
}

std::string scratch_folder(const Machine& machine) {
    const std::string folder = machine.environment("TMPDIR");
    return folder.empty() ? "/tmp" : folder;
}

Result<PutSource> PutSource::open(const std::string& written, Machine machine) {
    PutSource source(machine);
    source.written_ = written;
    std::error_code code;
    const auto given = std::filesystem::path(written).lexically_normal();
    const auto absolute = std::filesystem::canonical(written, code);
    if (code)
        return system_error({code.value(), boost::system::system_category()}, "opening the source", written)
            .advise("SRC is a directory or a file of this machine, or - for standard input");
    source.folder_path_ = absolute.string();
    const auto type = std::filesystem::status(absolute, code).type();
    if (type == std::filesystem::file_type::regular) {
        // It keeps the name that it was given by, whatever a symlink of that name leads to.
        source.file_name_ = given.filename().string();
        source.folder_path_ = std::filesystem::canonical(given.has_parent_path() ? given.parent_path() : ".", code);
        if (code)
            return system_error({code.value(), boost::system::system_category()}, "opening the source's folder",
                                written);
    } else if (type != std::filesystem::file_type::directory) {
        return Error(ErrorKind::refused, "is neither a directory nor a file", written);
    }
    auto folder =
        machine.fs.open(AT_FDCWD, source.folder_path_.c_str(), (source.is_file() ? O_PATH : O_RDONLY) | O_DIRECTORY);
    if (!folder) return system_error(folder.error(), "opening the source", written);
    source.folder_ = std::move(*folder);
    if (const auto st = machine.fs.stat_fd(source.folder_.get())) source.device_ = st->st_dev;
    return source;
}

PutSource PutSource::of_file(std::string name, Fd file, Machine machine) {
    PutSource source(machine);
    source.written_ = source.file_name_ = std::move(name);
    source.spool_ = std::make_shared<const Fd>(std::move(file));
    return source;
}

std::string PutSource::cache_name() const {
    if (spool_) return "";
    return is_file() ? folder_path_ + "/" + file_name_ : folder_path_;
}

std::string PutSource::name_of(const std::string& path) const {
    if (is_file()) return written_;
    return written_ + (written_.ends_with('/') ? "" : "/") + path;
}

Result<std::shared_ptr<const Fd>> PutSource::open(const std::string& path) const {
    if (spool_) return spool_;
    constexpr int flags = O_RDONLY | O_NONBLOCK;
    auto file = is_file() ? machine_.fs.open_following(folder_.get(), file_name_.c_str(), flags)
                          : machine_.fs.open_beneath(folder_.get(), path.c_str(), flags);
    if (!file && is_gone(file.error()))
        return Error(ErrorKind::source_changed, "is no more the file that was listed", name_of(path));
    if (!file) return system_error(file.error(), "opening", name_of(path));
    return std::make_shared<const Fd>(std::move(*file));
}

Result<PutList> PutSource::list_spool(const std::string& scratch) const {
    PutList list;
    ZCDP_TRY(list.file, open_scratch(machine_.fs, scratch, machine_.random));
    const auto st = machine_.fs.stat_fd(spool_->get());
    if (!st) return system_error(st.error(), "looking at", written_);
    PutEntry source;
    source.entry.path = file_name_;
    source.entry.size_bytes = static_cast<uint64_t>(st->st_size);
    source.tag = origin::local::tag_of(*st);
    PutListWriter writer(machine_.fs, list.file.get());
    ZCDP_CHECK(writer.add(source));
    ZCDP_CHECK(writer.finish());
    list.count = writer.count();
    return list;
}

Result<PutList> PutSource::list(const PutFilter& filter, DigestCache& cache, const std::string& scratch,
                                sync::Progress& progress, std::stop_token stop) const {
    if (spool_) return list_spool(scratch);
    sync::SyncOptions options;
    options.source = written_;
    options.include = filter.include, options.exclude = filter.exclude;
    options.skip_bad_keys = true;  // counted, and refused below all together
    if (!is_file()) {
        ZCDP_TRY(auto ignored, read_ignored(machine_.fs, folder_.get(), name_of(kIgnoreFile)));
        options.exclude.insert(options.exclude.end(), ignored.begin(), ignored.end());
    }
    const std::string url = "file://" + uri_encode(is_file() ? cache_name() : folder_path_, /*keep_slash=*/true);
    ZCDP_TRY(const auto origin, origin::make_origin_factory(url, {}, machine_));
    PutList list;
    ZCDP_TRY(list.file, open_scratch(machine_.fs, scratch, machine_.random));
    Lister lister(machine_.fs, list.file.get(), cache);
    ZCDP_TRY(const auto listed, sync::list_source(options, origin, machine_, scratch, progress, std::move(stop),
                                                  [&](origin::Entry& entry) { return lister.take(entry); }));
    if (listed.refused > 0) return refused(listed, written_);
    ZCDP_TRY(list.count, lister.finish());
    if (is_file() && list.count == 0)
        return Error(ErrorKind::not_found, "is left out by --include or --exclude", written_);
    return list;
}

}  // namespace zcdp::datastore
