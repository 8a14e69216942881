// Materialising: each way conforms, file by file and for whole directories, and the suites catch what breaks a promise.
#include "tests/support/doctest.hpp"

#include <map>

#include "tests/support/fill_conformance.hpp"
#include "tests/support/materialiser_conformance.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/store/target.hpp"

using namespace zcdp;
using namespace zcdp::store;
using namespace zcdp::test;

namespace {

constexpr Way kWays[] = {Way::link, Way::clone_or_copy, Way::copy};

void check_none(Rules&& suite) {
    for (const std::string& line : suite.violations()) FAIL_CHECK(line);
}

void check_breaks(Rules&& suite, const std::string& rule) {
    CAPTURE(rule);
    CHECK(suite.breaks(rule));
}

Result<> filled(Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
    const Fd folder = *system_fs().open(AT_FDCWD, target.c_str(), O_RDONLY | O_DIRECTORY);
    const auto manifest = tree.manifest();
    ZCDP_TRY(const auto report, fill(fs, {tree.folder(), *manifest, tree.id()}, folder.get(), target, options));
    CHECK(report.files == tree.files());
    CHECK(report.bytes == tree.bytes());
    return {};
}

}  // namespace

TEST_CASE("a file conforms, by link, reflink and copy") {
    for (const Way way : kWays) {
        CAPTURE(static_cast<int>(way));
        check_none(MaterialiserConformance(make_materialiser, way));
    }
}

TEST_CASE("a directory that is not zcdp's is filled as promised, by link, reflink and copy") {
    for (const Way way : kWays) {
        CAPTURE(static_cast<int>(way));
        check_none(FillConformance({filled}, way));
    }
}

TEST_CASE("a snapshot of a store, with a file of two chunks, into a directory: made, then kept") {
    TempStore temp(system_fs(), true);
    const auto store = temp.open();
    const auto info = temp.snapshot(*store, {{"a", "of a"}, {"dir/b", "of b"}, {"dir/c", "of a"}});
    const TestTree large({{"large", {std::string(kChunkBytes + 5, 'l')}}, {"small", {"s"}}});
    const TempFolder target(true);
    const Fd folder = *system_fs().open(AT_FDCWD, target.path().c_str(), O_RDONLY | O_DIRECTORY);
    uint64_t placed = 0;
    FillOptions options;
    options.placed = [&](uint64_t bytes) { placed += bytes; };
    const auto put = [&](int tree, ManifestReader& manifest, const SnapshotId& id) {
        placed = 0;
        return fill(system_fs(), {tree, manifest, id}, folder.get(), target.path(), options);
    };
    const Fd tree = *system_fs().open(AT_FDCWD, info.tree_path.c_str(), O_RDONLY | O_DIRECTORY);
    for (const uint64_t kept : {0, 3}) {
        const auto report = put(tree.get(), **store->manifest(info.id), info.id);
        REQUIRE(report);
        CHECK(report->files == 3);
        CHECK(report->bytes == 12);
        CHECK(report->kept_files == kept);
        CHECK(report->kept_bytes == kept * 4);
        CHECK(placed == 12);
        CHECK(slurp(target.path() + "/dir/c") == "of a");
    }
    for (const uint64_t kept : {0, 2}) {
        const auto report = put(large.folder(), *large.manifest(), large.id());
        REQUIRE(report);
        CHECK(report->kept_files == kept);
        CHECK(placed == large.bytes());
        CHECK(large.differences(target.path()).empty());
    }
    const auto other = put(large.folder(), *large.manifest(), info.id);
    CHECK(!other);
    CHECK(other.error().kind() == ErrorKind::corrupt);
}

namespace {

/// Hands on to the kernel's, but for what a test makes it do wrong.
struct FaultyMaterialiser : Materialiser {
    FaultyMaterialiser(Fs& f, MaterialiserOptions o) : fs(f), options(std::move(o)) {
        below = make_materialiser(fs, options);
    }
    Result<Fd> make(const ManifestEntry& file, const std::string& name) override { return below->make(file, name); }
    Fs& fs;
    MaterialiserOptions options;
    std::unique_ptr<Materialiser> below;
};

template <class Faulty>
MaterialiserConformance suite_of_materialiser(Way way = Way::copy) {
    const auto maker = [](Fs& fs, MaterialiserOptions options) {
        return std::make_unique<Faulty>(fs, std::move(options));
    };
    return MaterialiserConformance(maker, way);
}

}  // namespace

TEST_CASE("the suite of materialisers catches one that breaks a promise") {
    struct LastByteMissing : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            auto made = below->make(file, name);
            if (made && *made && file.size_bytes > 0) (void)fs.truncate(made->get(), file.size_bytes - 1);
            return made;
        }
    };
    check_breaks(suite_of_materialiser<LastByteMissing>(), "the file has the entry's bytes");
    struct AlwaysLinks : FaultyMaterialiser {
        AlwaysLinks(Fs& f, MaterialiserOptions o) : FaultyMaterialiser(f, o) {
            o.way = Way::link;
            below = make_materialiser(f, std::move(o));
        }
    };
    check_breaks(suite_of_materialiser<AlwaysLinks>(), "a copy is a file of its own, a link is the store's");
    check_breaks(suite_of_materialiser<AlwaysLinks>(), "the store's file stays as it is");
    struct NeverExecutable : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            ManifestEntry plain = file;
            plain.executable = false;
            return below->make(plain, name);
        }
    };
    check_breaks(suite_of_materialiser<NeverExecutable>(), "the file is as executable as the entry");
    struct TwoNames : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            ZCDP_TRY(const Fd first, below->make(file, name + ".new"));
            return below->make(file, name);
        }
    };
    check_breaks(suite_of_materialiser<TwoNames>(), "nothing but the name asked for is in the target");
    struct TakesOver : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            (void)fs.unlink(options.target, name.c_str());
            return below->make(file, name);
        }
    };
    check_breaks(suite_of_materialiser<TakesOver>(), "a name that is taken is an error");
    check_breaks(suite_of_materialiser<TakesOver>(), "what has the name already stays as it is");
    struct WritesThroughSymlinks : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            const auto content = read_file(fs, options.source, file.path.c_str(), 64 << 20);
            Fd to(::openat(options.target, name.c_str(), O_RDWR | O_CREAT, 0755));
            if (content && to) (void)fs.write(to.get(), std::as_bytes(std::span(*content)), 0);
            return to;
        }
    };
    check_breaks(suite_of_materialiser<WritesThroughSymlinks>(), "nothing is written through a symlink");
    struct BelievesTheStore : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            ManifestEntry shorter = file;
            if (const auto st = fs.stat(options.source, file.path.c_str()))
                shorter.size_bytes = static_cast<uint64_t>(st->st_size);
            return below->make(shorter, name);
        }
    };
    check_breaks(suite_of_materialiser<BelievesTheStore>(), "a store's file that is too short: corrupt");
    struct AnyError : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            auto made = below->make(file, name);
            if (!made) return Error(ErrorKind::failed, "went wrong");
            return made;
        }
    };
    check_breaks(suite_of_materialiser<AnyError>(), "a full disk: no_space");
    check_breaks(suite_of_materialiser<AnyError>(), "a full disk is told with the file's path");
    check_breaks(suite_of_materialiser<AnyError>(), "a store's file that is missing is an error");
    check_breaks(suite_of_materialiser<AnyError>(Way::link), "a link to another file system: usage");
    struct ClosesTheFile : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            ZCDP_TRY(const Fd made, below->make(file, name));
            return Fd();
        }
    };
    check_breaks(suite_of_materialiser<ClosesTheFile>(), "the file is given open, to be synced");
    struct CountsTwice : FaultyMaterialiser {
        CountsTwice(Fs& f, MaterialiserOptions o) : FaultyMaterialiser(f, o) {
            o.placed = [placed = o.placed](uint64_t bytes) { placed(bytes), placed(bytes); };
            below = make_materialiser(f, std::move(o));
        }
    };
    check_breaks(suite_of_materialiser<CountsTwice>(), "what is placed is counted once, byte for byte");
    struct OneWayOnly : FaultyMaterialiser {
        using FaultyMaterialiser::FaultyMaterialiser;
        Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
            const auto from = fs.open(options.source, file.path.c_str(), O_RDONLY, 0);
            auto to = fs.open(options.target, name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0755);
            if (!from || !to) return Error(ErrorKind::failed, "cannot be opened");
            if (auto copied = fs.copy(from->get(), to->get(), 0, file.size_bytes); !copied)
                return system_error(copied.error(), "copying", file.path);
            return std::move(*to);
        }
    };
    check_breaks(suite_of_materialiser<OneWayOnly>(), "a file of the tree is made");
}

namespace {

/// Fills as it should, over a file system that does something wrong.
template <class FaultyFs>
FillConformance suite_over(Way way = Way::copy) {
    return FillConformance({[](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
                               FaultyFs faulty(fs);
                               return filled(faulty, tree, target, options);
                           }},
                           way);
}

using Run = std::function<Result<>(Fs& fs, const TestTree& tree, const std::string& target, const FillOptions&)>;
FillConformance suite_of(const Run& run, Way way = Way::copy) { return FillConformance({run}, way); }

}  // namespace

TEST_CASE("a file system without RENAME_NOREPLACE is filled as promised") {
    struct LikeNfs : ForwardingFs {
        using ForwardingFs::ForwardingFs;
        SysResult<> rename_new(int, const char*, int, const char*) override {
            return boost::system::error_code(EINVAL, boost::system::system_category());
        }
    };
    check_none(suite_over<LikeNfs>());
}

TEST_CASE("the suite of filled directories catches what a call left out does") {
    struct NoBarrier : ForwardingFs {
        using ForwardingFs::ForwardingFs;
        SysResult<> fdatasync(int) override { return {}; }
        SysResult<> fsync(int) override { return {}; }
        SysResult<> wait_writeback(int) override { return {}; }
    };
    struct NotDurable : NoBarrier {
        using NoBarrier::NoBarrier;
        SysResult<> sync_fs(int) override { return {}; }
    };
    check_breaks(suite_over<NotDurable>(), "at the end all of it is durable");
    struct JournalOnly : ForwardingFs {  // names are committed, bytes are not waited for
        using ForwardingFs::ForwardingFs;
        SysResult<> fdatasync(int) override { return {}; }
        SysResult<> wait_writeback(int) override { return {}; }
    };
    check_breaks(suite_over<JournalOnly>(), "a file under its final name is whole, when the power was cut");
    struct ForgetsModes : ForwardingFs {
        using ForwardingFs::ForwardingFs;
        SysResult<> chmod_fd(int, mode_t) override { return {}; }
    };
    check_breaks(suite_over<ForgetsModes>(), "owners and modes are as asked");
    if (::geteuid() == 0) {
        struct ForgetsOwners : ForwardingFs {
            using ForwardingFs::ForwardingFs;
            SysResult<> chown(int, const char*, uid_t, gid_t) override { return {}; }
        };
        check_breaks(suite_over<ForgetsOwners>(), "owners and modes are as asked");
    }
    struct FollowsSymlinks : ForwardingFs {
        using ForwardingFs::ForwardingFs;
        SysResult<Fd> open_beneath(int dir, const char* path, int flags, mode_t) override {
            return below_.open_following(dir, path, flags);
        }
    };
    check_breaks(suite_over<FollowsSymlinks>(), "nothing outside is touched through a symlink");
    struct SeesNothing : ForwardingFs {  // what is there is replaced
        using ForwardingFs::ForwardingFs;
        SysResult<> rename_new(int a, const char* b, int c, const char* d) override {
            return below_.rename(a, b, c, d);
        }
        SysResult<struct stat> stat(int dir, const char* path) override {
            const std::string_view name = path;  // a temporary file has a number
            if (name == ".zcdp-partial" || name.find_first_not_of("0123456789") == name.npos)
                return below_.stat(dir, path);
            return boost::system::error_code(ENOENT, boost::system::system_category());
        }
    };
    check_breaks(suite_over<SeesNothing>(), "what is in an entry's place is refused by name");
    check_breaks(suite_over<SeesNothing>(), "what is in an entry's place stays as it is");
    check_breaks(suite_over<SeesNothing>(), "what is there already is kept");
    struct DoesNotSweep : ForwardingFs {
        using ForwardingFs::ForwardingFs;
        SysResult<> rmdir(int, const char*) override { return {}; }
    };
    check_breaks(suite_over<DoesNotSweep>(), "nothing of zcdp's own is left behind");
}

TEST_CASE("the suite of filled directories catches a recipe that breaks a promise") {
    const auto in_place = [](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions&) -> Result<> {
        const Fd folder = *system_fs().open(AT_FDCWD, target.c_str(), O_RDONLY | O_DIRECTORY);
        TargetFolders folders(fs, folder.get(), target);
        for (const ManifestEntry& entry : tree.manifest_entries()) {
            ZCDP_TRY(const auto into, folders.of(entry.path, true));
            const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
            if (entry.kind == FileKind::symlink)
                (void)fs.symlink(entry.symlink_target.c_str(), into->get(), name.c_str());
            if (entry.kind != FileKind::file || fs.stat(into->get(), name.c_str())) continue;
            ZCDP_CHECK(make_materialiser(fs, {tree.folder(), into->get(), Way::copy, target})->make(entry, name));
        }
        return {};
    };
    check_breaks(suite_of(in_place), "a file under its final name is whole, whenever it is killed");
    check_breaks(suite_of(in_place), "running it again ends it, whenever it is killed");
    const auto by_size = [](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
        TreeEntries left;
        for (const auto& [name, entry] : tree.entries()) {
            const struct stat st = stat_of(target + "/" + name);
            if (!S_ISREG(st.st_mode) || static_cast<size_t>(st.st_size) != entry.content.size()) left[name] = entry;
        }
        return filled(fs, TestTree(left), target, options);
    };
    check_breaks(suite_of(by_size), "a file's bytes are looked at, not its size and time");
    const auto from_nothing = [](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
        for (const char* name : {"a", "bin", "dir", "nothing", "to"}) std::filesystem::remove_all(target + "/" + name);
        return filled(fs, tree, target, options);
    };
    check_breaks(suite_of(from_nothing), "what is there already is kept");
    check_breaks(suite_of(from_nothing), "what had its name is not begun again, whenever it is killed");
    check_breaks(suite_of(from_nothing), "what is not the tree's is left alone");
    const auto hides_errors = [](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
        (void)filled(fs, tree, target, options);
        return Result<>();
    };
    check_breaks(suite_of(hides_errors), "who says that it is done has done it");
    const auto takes_all = [](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
        auto done = filled(fs, tree, target, options);
        for (const auto& entry : std::filesystem::recursive_directory_iterator(target))
            if (!entry.is_symlink()) ::chmod(entry.path().c_str(), 0777);
        return done;
    };
    check_breaks(suite_of(takes_all), "what is not the tree's is left alone");
    check_breaks(suite_of(takes_all, Way::link), "the store's tree stays as it is");
    const auto own_too = [](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
        if (options.ownership) ::chmod(target.c_str(), options.ownership->folder_mode);
        return filled(fs, tree, target, options);
    };
    check_breaks(suite_of(own_too), "the directory itself stays whose it was");
    const auto without = [](Fs& fs, const TestTree& tree, const std::string& target, FillOptions options) {
        options.ownership.reset();
        return filled(fs, tree, target, options);
    };
    check_breaks(suite_of(without, Way::link), "links with an ownership: usage");
    const auto no_folders = [](Fs& fs, const TestTree& tree, const std::string& target, const FillOptions& options) {
        TreeEntries left = tree.entries();
        left.erase("empty folder/");
        return filled(fs, TestTree(left), target, options);
    };
    check_breaks(suite_of(no_folders), "the tree is there as the manifest has it");
    const auto unstoppable = [](Fs& fs, const TestTree& tree, const std::string& target, FillOptions options) {
        options.stop = {};
        return filled(fs, tree, target, options);
    };
    check_breaks(suite_of(unstoppable), "stopped: interrupted");
}
