// What every Materialiser must do (include/zcdp/store/materialise.hpp), as a list of what one does not. How whole
// directories are filled is held to its promises in fill_conformance.hpp.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/faulty_fs.hpp"
#include "tests/support/ready_tree.hpp"
#include "tests/support/rules.hpp"

namespace zcdp::test {

using MaterialiserMaker =
    std::function<std::unique_ptr<store::Materialiser>(Fs& fs, store::MaterialiserOptions options)>;

/// A file system that has no reflinks, no copy_file_range, no room for one more link: whatever `answers` name.
class LimitedFs final : public ForwardingFs {
  public:
    using ForwardingFs::ForwardingFs;
    int link_answer = 0, clone_answer = 0, copy_answer = 0;

    SysResult<> link(int a, const char* b, int c, const char* d) override {
        return link_answer ? SysResult<>(error(link_answer)) : below_.link(a, b, c, d);
    }
    SysResult<> clone(int a, int b) override {
        return clone_answer ? SysResult<>(error(clone_answer)) : below_.clone(a, b);
    }
    SysResult<uint64_t> copy(int a, int b, uint64_t at, uint64_t size) override {
        if (copy_answer) return error(copy_answer);
        return below_.copy(a, b, at, size);
    }

  private:
    static boost::system::error_code error(int number) { return {number, boost::system::system_category()}; }
};

class MaterialiserConformance : public Rules {
  public:
    MaterialiserConformance(MaterialiserMaker maker, store::Way way) : maker_(std::move(maker)), way_(way) {}

  private:
    void check_all() override {
        what_is_there_already();
        failing_disk();
        damaged_store();
        capable_file_systems();
        for (const bool in_memory : {true, false}) sizes(in_memory);
    }

    static constexpr uint64_t kLong = (16 << 20) + 5;  ///< copied past the page cache

    /// A folder to make files in, and the materialiser that makes them.
    struct Trial {
        Trial(const MaterialiserConformance& suite, const TestTree& tree, Fs& fs = system_fs(), bool in_memory = true)
            : folder(in_memory),
              target(*system_fs().open(AT_FDCWD, folder.path().c_str(), O_RDONLY | O_DIRECTORY)),
              materialiser(suite.maker_(
                  fs, {tree.folder(), target.get(), suite.way_, "/shown", [this](uint64_t n) { placed += n; }})) {}
        std::string at(const std::string& name) const { return folder.path() + "/" + name; }
        size_t names() const {
            return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
        }
        TempFolder folder;
        Fd target;
        std::atomic<uint64_t> placed{0};
        std::unique_ptr<store::Materialiser> materialiser;
    };

    static const store::ManifestEntry& only(const TestTree& tree) { return tree.manifest_entries().at(0); }
    static std::string content(uint64_t size) {
        std::string text(size, 'x');
        for (size_t at = 0; at + 8 <= size; at += 4096) text.replace(at, 8, std::to_string(10'000'000 + at / 4096));
        return text;
    }

    void sizes(bool in_memory) {
        for (const uint64_t size : {uint64_t{0}, uint64_t{5}, uint64_t{3 << 20}, kLong})
            for (const bool executable : {false, true}) {
                const TestTree tree({{"dir/file", {content(size), executable}}}, in_memory);
                Trial trial(*this, tree, system_fs(), in_memory);
                made(tree, trial);
            }
    }

    /// The one file of `tree`, made.
    void made(const TestTree& tree, Trial& trial) {
        const bool linked = way_ == store::Way::link;
        const std::string before = tree.state(!linked), source = tree.path() + "/" + only(tree).path;
        auto file = trial.materialiser->make(only(tree), "name");
        expect(file.has_value(), "a file of the tree is made");
        if (!file) return;
        const TreeEntry& entry = tree.entries().begin()->second;
        const struct stat st = stat_of(trial.at("name"));
        expect(slurp(trial.at("name")) == entry.content, "the file has the entry's bytes");
        expect(((st.st_mode & 0100) != 0) == entry.executable, "the file is as executable as the entry");
        expect(trial.names() == 1, "nothing but the name asked for is in the target");
        expect(trial.placed == entry.content.size(), "what is placed is counted once, byte for byte");
        expect(tree.state(!linked) == before, "the store's file stays as it is");
        expect((st.st_ino == stat_of(source).st_ino) == linked, "a copy is a file of its own, a link is the store's");
        if (linked) return expect(!*file, "a link has nothing to be synced");
        const auto open = system_fs().stat_fd(file->get());
        expect(open && open->st_ino == st.st_ino, "the file is given open, to be synced");
        expect((st.st_mode & 0200) != 0, "a copy can be written to by its owner");
    }

    /// What a file system cannot do is done another way.
    void capable_file_systems() {
        for (const int number : {EOPNOTSUPP, EXDEV, EINVAL, ENOTTY, ENOSYS}) {
            LimitedFs fs(system_fs());
            fs.clone_answer = fs.copy_answer = number;
            const TestTree tree({{"file", {content(3 << 20)}}});
            Trial trial(*this, tree, fs);
            made(tree, trial);
        }
        LimitedFs fs(system_fs());
        fs.clone_answer = EIO;
        const TestTree tree({{"file", {content(5)}}});
        if (way_ == store::Way::clone_or_copy) {
            Trial trial(*this, tree, fs);
            expect(!trial.materialiser->make(only(tree), "name"), "a reflink that fails is an error");
        }
        if (way_ != store::Way::link) return;
        fs.link_answer = EMLINK;
        Trial full(*this, tree, fs);
        const auto copied = full.materialiser->make(only(tree), "name");
        expect(copied && *copied && slurp(full.at("name")) == content(5),
               "a file that has all the links it can have is copied");
        fs.link_answer = EXDEV;
        Trial far(*this, tree, fs);
        const auto linked = far.materialiser->make(only(tree), "name");
        expect(!linked && linked.error().kind() == ErrorKind::usage, "a link to another file system: usage");
        expect(far.names() == 0, "a link that cannot be leaves nothing");
    }

    void what_is_there_already() {
        const TestTree tree({{"file", {"new"}}});
        Trial trial(*this, tree);
        std::ofstream(trial.at("taken")) << "old";
        expect(!trial.materialiser->make(only(tree), "taken"), "a name that is taken is an error");
        expect(slurp(trial.at("taken")) == "old", "what has the name already stays as it is");
        const TempFolder outside(true);
        for (const char* leads_to : {"/missing", "/there"}) {
            std::ofstream(outside.path() + "/there") << "outside";
            std::filesystem::create_symlink(outside.path() + leads_to, trial.at("symlink"));
            expect(!trial.materialiser->make(only(tree), "symlink"), "a symlink in the file's place is an error");
            expect(
                slurp(outside.path() + "/there") == "outside" && !std::filesystem::exists(outside.path() + "/missing"),
                "nothing is written through a symlink");
            std::filesystem::remove(trial.at("symlink"));
        }
    }

    void damaged_store() {
        const TestTree tree({{"file", {content(3 << 20)}}});
        for (const int copy_answer : {0, EXDEV}) {
            LimitedFs fs(system_fs());
            fs.clone_answer = EXDEV, fs.copy_answer = copy_answer;
            Trial trial(*this, tree, fs);
            store::ManifestEntry longer = only(tree);
            ++longer.size_bytes;
            const auto made = trial.materialiser->make(longer, "name");
            expect(way_ == store::Way::link || (!made && made.error().kind() == ErrorKind::corrupt),
                   "a store's file that is too short: corrupt");
        }
        Trial trial(*this, tree);
        store::ManifestEntry missing = only(tree);
        missing.path = "missing";
        const auto made = trial.materialiser->make(missing, "name");
        expect(!made && (way_ == store::Way::link || made.error().kind() == ErrorKind::not_found),
               "a store's file that is missing is an error");
    }

    void failing_disk() {
        const TestTree tree({{"file", {content(5)}}});
        for (const int number : {ENOSPC, EDQUOT})
            for (uint64_t nth = 1;; ++nth) {
                FaultyFs fs(system_fs());
                Trial trial(*this, tree, fs);
                fs.fail(nth, number);
                const auto made = trial.materialiser->make(only(tree), "name");
                if (!fs.failed()) {
                    expect(made.has_value(), "a file of the tree is made");
                    break;
                }
                expect(!made && made.error().kind() == ErrorKind::no_space, "a full disk: no_space");
                expect(!made && made.error().object() == "/shown/file", "a full disk is told with the file's path");
            }
    }

    MaterialiserMaker maker_;
    const store::Way way_;
};

}  // namespace zcdp::test
