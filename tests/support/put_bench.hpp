// What tests of putting need: a folder that is put, a cache of its own, and the machine.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "src/datastore/client/put_manifest.hpp"
#include "tests/support/forwarding_fs.hpp"
#include "tests/support/temp_folder.hpp"

namespace zcdp::test {

/// Lets a test do something whenever a file is read or opened.
struct MeddlingFs : ForwardingFs {
    MeddlingFs() : ForwardingFs(system_fs()) {}
    SysResult<size_t> read(int fd, std::span<std::byte> into, uint64_t offset) override {
        if (before_read) before_read(offset);
        return ForwardingFs::read(fd, into, offset);
    }
    SysResult<Fd> open_beneath(int dir, const char* path, int flags, mode_t mode) override {
        ++opened;
        return ForwardingFs::open_beneath(dir, path, flags, mode);
    }
    std::function<void(uint64_t offset)> before_read;  ///< of any thread
    std::atomic<int> opened = 0;
};

struct PutBench {
    PutBench() { cache_home = folder.path() + "/cache"; }
    std::string path(const std::string& name) const { return folder.path() + "/" + name; }
    void write(const std::string& name, const std::string& content) const {
        const std::filesystem::path whole = path("tree/" + name);
        std::filesystem::create_directories(whole.parent_path());
        std::ofstream(whole) << content;
    }
    /// As it would be had it been written long before.
    void age(const std::string& name) const {
        const timespec times[2] = {{1'000'000, 0}, {1'000'000, 0}};
        REQUIRE(::utimensat(AT_FDCWD, path("tree/" + name).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
    }
    datastore::PutSource source(const std::string& name = "tree") {
        auto opened = datastore::PutSource::open(path(name), machine);
        REQUIRE(opened);
        return std::move(*opened);
    }
    Result<datastore::PutList> list(const datastore::PutSource& of, datastore::DigestCache& cache,
                                    const datastore::PutFilter& filter = {}) {
        return of.list(filter, cache, folder.path(), progress, {});
    }
    Result<datastore::Prepared> prepare(const datastore::PutSource& of, const std::string& key = "a/key",
                                        bool ignore_cache = false) {
        auto cache = datastore::DigestCache::open(machine, of.cache_name(), of.device(), ignore_cache);
        auto listed = list(of, cache);
        if (!listed) return listed.error();
        datastore::FileHasher hasher(of, machine, 2, clock.unix_ns(), progress, {});
        auto prepared = datastore::prepare(of, std::move(*listed), key, hasher, folder.path(), machine, progress);
        if (prepared) cache.save(prepared->list);
        return prepared;
    }
    std::vector<datastore::PutEntry> entries(const datastore::PutList& of) {
        std::vector<datastore::PutEntry> out;
        REQUIRE(of.read(fs, [&](const datastore::PutEntry& entry) -> Result<> {
            out.push_back(entry);
            return {};
        }));
        return out;
    }
    std::vector<std::string> paths(const datastore::PutList& of) {
        std::vector<std::string> out;
        for (const datastore::PutEntry& one : entries(of)) out.push_back(one.entry.path);
        return out;
    }

    TempFolder folder{/*in_memory=*/true};
    MeddlingFs fs;
    ManualClock clock{system_clock().unix_ns() + 60'000'000'000};  ///< what is written now is old enough
    SeededRandom random{1};
    Metrics metrics;
    Logger log{clock, 2, LogLevel::off, LogFormat::text};
    sync::Progress progress;
    inline static std::string cache_home;
    Machine machine{
        fs,     clock,
        random, metrics,
        log,    [](const char* name) {
                        return std::string(name) == "XDG_CACHE_HOME" ? cache_home : std::string(); }};
};

inline std::string many_bytes(size_t count, unsigned seed = 1) {
    std::string out(count, '\0');
    SeededRandom random(seed);
    random.fill(std::as_writable_bytes(std::span(out)));
    return out;
}

}  // namespace zcdp::test
