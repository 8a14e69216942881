#include "src/origin/local/local_origin.hpp"

#include <fcntl.h>

#include <filesystem>
#include <utility>

#include "src/origin/local/walk.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/origin/metrics.hpp"
#include "zcdp/transfer/rate_limiter.hpp"

namespace zcdp::origin::local {
namespace {

constexpr unsigned kReadThreads = 2;

/// What all loops share.
struct Directory {
    Directory(std::string p, std::string only, Fd f, const OriginOptions& options, Machine on)
        : path(std::move(p)),
          file(std::move(only)),
          fd(std::move(f)),
          follow(options.follow_symlinks),
          machine(on),
          limiter(options.bytes_per_second),
          pool(kReadThreads),
          requests(on.metrics.counter(metric::requests)),
          bytes(on.metrics.counter(metric::bytes)) {}
    ~Directory() { pool.join(); }
    std::string path;
    std::string file;  ///< the one file of it that is the source; "": all
    Fd fd;
    const bool follow;  ///< symlinks
    Machine machine;
    transfer::RateLimiter limiter;
    asio::thread_pool pool;
    Counter &requests, &bytes;
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& name) const {
        return system_error(code, action, path + "/" + name);
    }
};

class LocalListing final : public Listing {
  public:
    LocalListing(std::shared_ptr<Directory> directory, const Selection& selection)
        : directory_(std::move(directory)),
          walk_(directory_->machine.fs, directory_->fd.get(), directory_->path, selection, directory_->follow) {}
    Task<Result<std::vector<Entry>>> next() override {
        return offload(directory_->pool, [this] { return walk_.page(); });
    }
    bool is_ordered() const override { return true; }

  private:
    std::shared_ptr<Directory> directory_;
    Walk walk_;
};

/// The source is one file: where a symlink of its name leads, for the user named it.
class OneFile final : public Listing {
  public:
    OneFile(std::shared_ptr<Directory> directory, const Selection& selection)
        : directory_(std::move(directory)), selection_(selection) {}
    Task<Result<std::vector<Entry>>> next() override {
        if (std::exchange(listed_, true) || selection_.of(directory_->file) == Selection::Verdict::leave)
            co_return std::vector<Entry>();
        co_return co_await offload(directory_->pool, [directory = directory_]() -> Result<std::vector<Entry>> {
            const auto file =
                directory->machine.fs.open_following(directory->fd.get(), directory->file.c_str(), O_PATH);
            if (!file) return directory->error(file.error(), "looking at", directory->file);
            const auto st = directory->machine.fs.stat_fd(file->get());
            if (!st) return directory->error(st.error(), "looking at", directory->file);
            return std::vector<Entry>{file_entry(directory->file, *st)};
        });
    }

  private:
    std::shared_ptr<Directory> directory_;
    const Selection& selection_;
    bool listed_ = false;
};

class LocalBody final : public Body {
  public:
    LocalBody(std::shared_ptr<Directory> directory, Fd file, ReadSpec spec)
        : directory_(std::move(directory)),
          file_(std::move(file)),
          spec_(std::move(spec)),
          at_(spec_.offset_bytes),
          left_(spec_.length_bytes) {}

    Task<Result<size_t>> read_some(std::span<std::byte> into) override {
        if (left_ == 0) co_return size_t{0};
        if (into.size() > left_) into = into.first(left_);
        auto got = co_await offload(directory_->pool, [this, into] { return read(into); });
        if (got) {
            at_ += *got, left_ -= *got;
            directory_->bytes.add(*got);
            const uint64_t rest = directory_->limiter.rest_ms(*got, directory_->machine.clock.monotonic_ns());
            if (rest > 0) co_await sleep_ms(rest);
        }
        co_return got;
    }
    /// A local read that fails will fail again.
    Task<Result<>> resume(Error broken, uint32_t) override { co_return broken; }
    const ObjectChecksum& checksum() const override { return none_; }

  private:
    Result<size_t> read(std::span<std::byte> into) {
        Fs& fs = directory_->machine.fs;
        const auto got = fs.read(file_.get(), into, at_);
        if (!got) return directory_->error(got.error(), "reading", spec_.path);
        // Written to meanwhile: what was read may be half of the old and half of the new.
        const auto st = fs.stat_fd(file_.get());
        if (!st) return directory_->error(st.error(), "looking at", spec_.path);
        if (tag_of(*st) != spec_.tag || *got == 0)
            return Error(ErrorKind::source_changed, "changed while it was being read",
                         directory_->path + "/" + spec_.path);
        return *got;
    }

    std::shared_ptr<Directory> directory_;
    Fd file_;
    ReadSpec spec_;
    uint64_t at_, left_;
    ObjectChecksum none_;
};

class LocalOrigin final : public Origin {
  public:
    explicit LocalOrigin(std::shared_ptr<Directory> directory) : directory_(std::move(directory)) {}

    OriginIdentity identity() const override {
        OriginIdentity out{"file://", directory_->path, "", "local", !directory_->file.empty()};
        out.is_local = true;
        return out;
    }
    std::unique_ptr<Listing> list(const Selection& selection) override {
        if (!directory_->file.empty()) return std::make_unique<OneFile>(directory_, selection);
        return std::make_unique<LocalListing>(directory_, selection);
    }

    Task<Result<ObjectInfo>> head(std::string path) override {
        return offload(directory_->pool, [directory = directory_, path]() -> Result<ObjectInfo> {
            ZCDP_TRY(const Fd file, open(*directory, path));
            const auto st = directory->machine.fs.stat_fd(file.get());
            if (!st) return directory->error(st.error(), "looking at", path);
            return ObjectInfo{static_cast<uint64_t>(st->st_size), tag_of(*st), {}};
        });
    }

    Task<Result<std::unique_ptr<Body>>> read(ReadSpec spec) override {
        return offload(directory_->pool, [directory = directory_, spec]() -> Result<std::unique_ptr<Body>> {
            directory->requests.add();
            ZCDP_TRY(Fd file, open(*directory, spec.path));
            const auto st = directory->machine.fs.stat_fd(file.get());
            if (!st) return directory->error(st.error(), "looking at", spec.path);
            if (!S_ISREG(st->st_mode) || tag_of(*st) != spec.tag ||
                static_cast<uint64_t>(st->st_size) != spec.object_bytes)
                return Error(ErrorKind::source_changed, "changed since it was listed",
                             directory->path + "/" + spec.path);
            return std::unique_ptr<Body>(std::make_unique<LocalBody>(directory, std::move(file), spec));
        });
    }

    /// A local read that fails will fail again.
    Task<bool> retry_after(const Error&, uint32_t) override { co_return false; }
    uint32_t concurrency() const override { return 1024; }

  private:
    static Result<Fd> open(Directory& directory, const std::string& path) {
        Fs& fs = directory.machine.fs;
        constexpr int flags = O_RDONLY | O_NONBLOCK;
        auto file = directory.follow || path == directory.file
                        ? fs.open_following(directory.fd.get(), path.c_str(), flags)
                        : fs.open_beneath(directory.fd.get(), path.c_str(), flags);
        if (!file) return directory.error(file.error(), "opening", path);
        return std::move(*file);
    }
    std::shared_ptr<Directory> directory_;
};

}  // namespace

Result<std::string> path_of_url(const std::string& url) {
    constexpr std::string_view scheme = "file://";
    const size_t slash = url.find('/', scheme.size());
    const std::string host = url.substr(scheme.size(), slash == std::string::npos ? slash : slash - scheme.size());
    if (!host.empty() && host != "localhost")
        return Error(ErrorKind::usage, "names the host " + host + ", and files are read on this machine alone", url,
                     "write file:///DIR or DIR");
    if (slash == std::string::npos) return Error(ErrorKind::usage, "has no path", url, "write file:///DIR or DIR");
    std::string path;
    for (size_t i = slash; i < url.size(); ++i) {
        std::string piece = url.substr(i, 3);
        if (url[i] != '%' || piece.size() < 3 || !percent_decode(piece, false)) {
            path += url[i];
            continue;
        }
        if (piece.front() == '\0') return Error(ErrorKind::usage, "has a NUL in its path", url);
        path += piece;
        i += 2;
    }
    return path;
}

Result<OriginFactory> make_local_factory(const std::string& path, const OriginOptions& options, Machine machine) {
    std::error_code code;
    const auto absolute = std::filesystem::canonical(path, code);
    if (code) return system_error({code.value(), boost::system::system_category()}, "opening the source", path);
    std::string folder = absolute.string(), file;
    const auto kind = std::filesystem::status(absolute, code).type();
    if (kind == std::filesystem::file_type::regular) {
        // It keeps the name that it was given by, whatever a symlink of that name leads to.
        const std::filesystem::path given(path);
        file = given.filename().string();
        folder = std::filesystem::canonical(given.has_parent_path() ? given.parent_path() : ".", code).string();
        if (code)
            return system_error({code.value(), boost::system::system_category()}, "opening the folder of the source",
                                path);
    } else if (!code && kind != std::filesystem::file_type::directory) {
        return Error(ErrorKind::refused, "is neither a directory nor a file", path);
    }
    auto fd = machine.fs.open(AT_FDCWD, folder.c_str(), (file.empty() ? O_RDONLY : O_PATH) | O_DIRECTORY);
    if (!fd) return system_error(fd.error(), "opening the source", path);
    auto shared = std::make_shared<Directory>(std::move(folder), std::move(file), std::move(*fd), options, machine);
    return OriginFactory([shared](asio::any_io_executor) -> Result<std::unique_ptr<Origin>> {
        return std::unique_ptr<Origin>(std::make_unique<LocalOrigin>(shared));
    });
}

}  // namespace zcdp::origin::local
