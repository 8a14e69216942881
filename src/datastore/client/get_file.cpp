#include "src/datastore/client/get_file.hpp"

#include <fcntl.h>

#include <filesystem>

#include "src/datastore/client/on_a_loop.hpp"
#include "src/datastore/client/store_origin.hpp"
#include "zcdp/base/is_errno.hpp"
#include "zcdp/datastore/key.hpp"
#include "zcdp/sync/compare.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kPrivateDigits = 16;

Task<Result<store::ManifestEntry>> ask_entry(Client& client, Source& source) {
    const auto listing = source.list(client);
    ZCDP_CO_TRY(auto page, co_await listing->next());
    if (page.size() != 1 || page.front().entry.kind != store::FileKind::file ||
        page.front().entry.path != last_segment(source.name()))
        co_return Error(ErrorKind::corrupt, "the server says that it is a file, and its manifest is another",
                        source.name());
    co_return std::move(page.front().entry);
}

class GetFile {
  public:
    GetFile(std::shared_ptr<Source> source, const ServerAccess& access, const std::string& path,
            sync::SyncOptions options, Machine machine, sync::Progress& progress, std::stop_token stop)
        : source_(std::move(source)),
          access_(access),
          options_(std::move(options)),
          machine_(machine),
          progress_(progress),
          stop_(std::move(stop)),
          factory_(make_store_origin_factory(source_, access, machine)) {
        const auto whole = std::filesystem::absolute(path).lexically_normal();
        folder_ = whole.parent_path(), name_ = whole.filename().string();
    }
    Result<sync::SyncReport> run();

  private:
    std::string path() const { return (folder_ / name_).string(); }
    /// By the name that it is for, so that the next run finds it.
    std::string private_name() const { return ".zcdp-get-" + to_hex(Sha256::of(name_)).substr(0, kPrivateDigits); }
    Result<bool> is_here(const store::ManifestEntry& entry);
    Result<bool> has_content(const store::ManifestEntry& entry);
    Result<> fetch(sync::SyncReport& report);
    Result<> appear();

    std::shared_ptr<Source> source_;
    const ServerAccess& access_;
    sync::SyncOptions options_;
    Machine machine_;
    sync::Progress& progress_;
    const std::stop_token stop_;
    origin::OriginFactory factory_;
    std::filesystem::path folder_;
    std::string name_;
};

Result<sync::SyncReport> GetFile::run() {
    ZCDP_TRY(const auto entry, ask_on_a_loop<store::ManifestEntry>(access_, machine_, stop_, [this](Client& client) {
                 return ask_entry(client, *source_);
             }));
    sync::SyncReport report;
    report.objects = 1, report.bytes = entry.size_bytes;
    ZCDP_TRY(const bool here, is_here(entry));
    if (here) report.objects_reused = 1, report.bytes_reused = entry.size_bytes;
    else if (options_.dry_run) report.objects_fetched = 1, report.bytes_fetched = entry.size_bytes;
    else ZCDP_CHECK(fetch(report));
    report.path = path(), report.dry_run = options_.dry_run;
    return report;
}

Result<bool> GetFile::is_here(const store::ManifestEntry& entry) {
    const auto there = machine_.fs.stat(AT_FDCWD, path().c_str());
    if (!there && is_errno(there.error(), ENOENT)) return false;
    if (!there && is_errno(there.error(), ENOTDIR))
        return Error(ErrorKind::usage, "is no directory", folder_.string(), "choose another DEST");
    if (!there) return system_error(there.error(), "looking at", path());
    if (S_ISDIR(there->st_mode))
        return Error(ErrorKind::usage, "is a directory, and " + source_->name() + " is a file", path(),
                     "choose another DEST");
    if (!S_ISREG(there->st_mode) || static_cast<uint64_t>(there->st_size) != entry.size_bytes ||
        ((there->st_mode & S_IXUSR) != 0) != entry.executable)
        return false;
    return has_content(entry);
}

/// Read here and hashed: nothing remembers of one file what zcdp wrote.
Result<bool> GetFile::has_content(const store::ManifestEntry& entry) {
    sync::CompareOptions options;
    options.folder = folder_.string(), options.file = name_, options.read = false;
    bool same = true;
    const auto compared =
        sync::compare(options, factory_, machine_, [&](const sync::Difference&) { same = false; }, stop_);
    if (!compared && compared.error().kind() == ErrorKind::denied) return false;  // it is replaced without being read
    if (!compared) return compared.error();
    return same && compared->bytes == entry.size_bytes;
}

Result<> GetFile::fetch(sync::SyncReport& report) {
    options_.dest = (folder_ / private_name()).string();
    ZCDP_TRY(report, sync::run(options_, nullptr, factory_, machine_, progress_, stop_));
    return appear();
}

/// Out of the private folder to its place.
Result<> GetFile::appear() {
    Fs& fs = machine_.fs;
    const auto folder = fs.open_following(AT_FDCWD, folder_.c_str(), O_RDONLY | O_DIRECTORY);
    if (!folder) return system_error(folder.error(), "opening", folder_.string());
    const std::string made = private_name() + "/" + std::string(last_segment(source_->name()));
    if (auto named = fs.rename(folder->get(), made.c_str(), folder->get(), name_.c_str()); !named)
        return system_error(named.error(), "renaming", path());
    if (auto synced = fs.fsync(folder->get()); !synced)
        return system_error(synced.error(), "syncing", folder_.string());
    if (auto gone = remove_tree(fs, folder->get(), private_name()); !gone)
        return system_error(gone.error(), "removing", options_.dest);
    return {};
}

}  // namespace

Result<sync::SyncReport> get_file(std::shared_ptr<Source> source, const ServerAccess& access, const std::string& path,
                                  sync::SyncOptions options, Machine machine, sync::Progress& progress,
                                  std::stop_token stop) {
    return GetFile(std::move(source), access, path, std::move(options), machine, progress, std::move(stop)).run();
}

}  // namespace zcdp::datastore
