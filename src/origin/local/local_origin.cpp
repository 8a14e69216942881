#include "src/origin/local/local_origin.hpp"

#include <fcntl.h>

#include <filesystem>

#include "src/origin/local/walk.hpp"
#include "src/origin/remote/rate_limiter.hpp"

namespace zcdp::origin::local {
namespace {

constexpr unsigned kReadThreads = 2;

/// What all loops share.
struct Directory {
    Directory(std::string p, Fd f, const OriginOptions& options, Machine on)
        : path(std::move(p)), fd(std::move(f)), machine(on), limiter(options.bytes_per_second), pool(kReadThreads),
          requests(on.metrics.counter("zcdp_origin_requests_total", "Requests sent to origins.")),
          bytes(on.metrics.counter("zcdp_origin_bytes_total", "Body bytes received from origins.")) {}
    ~Directory() { pool.join(); }
    std::string path;
    Fd fd;
    Machine machine;
    RateLimiter limiter;
    asio::thread_pool pool;
    Counter &requests, &bytes;
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& name) const {
        return system_error(code, action, path + "/" + name);
    }
};

class LocalListing final : public Listing {
  public:
    LocalListing(std::shared_ptr<Directory> directory, const Selection& selection)
        : directory_(std::move(directory)), walk_(directory_->machine.fs, directory_->fd.get(), directory_->path, selection) {}
    Task<Result<std::vector<Entry>>> next() override {
        return offload(directory_->pool, [this] { return walk_.page(); });
    }

  private:
    std::shared_ptr<Directory> directory_;
    Walk walk_;
};

class LocalBody final : public Body {
  public:
    LocalBody(std::shared_ptr<Directory> directory, Fd file, ReadSpec spec)
        : directory_(std::move(directory)), file_(std::move(file)), spec_(std::move(spec)), at_(spec_.offset_bytes),
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
        if (!st || tag_of(*st) != spec_.tag || *got == 0)
            return Error(ErrorKind::source_changed, "changed while it was being read", directory_->path + "/" + spec_.path);
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

    OriginIdentity identity() const override { return {"file://", directory_->path, "", "local"}; }
    std::unique_ptr<Listing> list(const Selection& selection) override { return std::make_unique<LocalListing>(directory_, selection); }

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
            if (!st || tag_of(*st) != spec.tag || static_cast<uint64_t>(st->st_size) != spec.object_bytes)
                return Error(ErrorKind::source_changed, "changed since it was listed", directory->path + "/" + spec.path);
            return std::unique_ptr<Body>(std::make_unique<LocalBody>(directory, std::move(file), spec));
        });
    }

    /// A local read that fails will fail again.
    Task<bool> retry_after(const Error&, uint32_t) override { co_return false; }
    uint32_t concurrency() const override { return 1024; }

  private:
    static Result<Fd> open(Directory& directory, const std::string& path) {
        auto file = directory.machine.fs.open_beneath(directory.fd.get(), path.c_str(), O_RDONLY | O_NONBLOCK);
        if (!file) return directory.error(file.error(), "opening", path);
        return std::move(*file);
    }
    std::shared_ptr<Directory> directory_;
};

}  // namespace

Result<OriginFactory> make_local_factory(const std::string& directory, const OriginOptions& options, Machine machine) {
    std::error_code code;
    const auto absolute = std::filesystem::canonical(directory, code);
    if (code) return system_error({code.value(), boost::system::system_category()}, "opening the source", directory);
    auto fd = machine.fs.open(AT_FDCWD, absolute.c_str(), O_RDONLY | O_DIRECTORY);
    if (!fd) return system_error(fd.error(), "opening the source", directory);
    auto shared = std::make_shared<Directory>(absolute.string(), std::move(*fd), options, machine);
    return OriginFactory([shared](asio::any_io_executor) -> Result<std::unique_ptr<Origin>> {
        return std::unique_ptr<Origin>(std::make_unique<LocalOrigin>(shared));
    });
}

}  // namespace zcdp::origin::local
