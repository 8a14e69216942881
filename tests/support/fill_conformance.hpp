// What every way to put a ready tree into a directory must do (include/zcdp/store/materialise.hpp), as a list of what
// one does not: killed or without power at each call, with a full disk, with things in the way.
#pragma once

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "tests/support/faulty_fs.hpp"
#include "tests/support/lossy_fs.hpp"
#include "tests/support/ready_tree.hpp"
#include "tests/support/rules.hpp"

namespace zcdp::test {

/// What is under test.
struct FillUnderTest {
    /// `tree` into the existing directory `target`, with all file work through `fs`.
    std::function<Result<>(Fs& fs, const TestTree& tree, const std::string& target, const store::FillOptions& options)>
        run;
    /// The directory is not zcdp's: owners and modes as asked, no state of zcdp's, what is there already is somebody's.
    bool foreign = true;
};

class FillConformance : public Rules {
  public:
    FillConformance(FillUnderTest under_test, store::Way way) : under_test_(std::move(under_test)) {
        options_.way = way;
    }

  private:
    void check_all() override {
        whole();
        again();
        planted_symlinks();
        if (under_test_.foreign) {
            beside();
            in_the_way();
            left_over();
            refused();
            stopped();
            owned();
        }
        for (const BarrierKind promise : {BarrierKind::each, BarrierKind::journal}) cut_everywhere(promise);
        full_disk();
    }

    using Setup = std::function<void(const std::string& target)>;

    Result<> run(const std::string& target, Fs& fs = system_fs()) {
        return under_test_.run(fs, tree_, target, options_);
    }
    bool whole_in(const std::string& target) const { return tree_.differences(target).empty(); }
    /// Of zcdp's own, what begins with .zcdp; a DEST keeps its state there.
    bool nothing_left(const std::string& target) const {
        for (const auto& entry : std::filesystem::directory_iterator(target)) {
            const std::string name = entry.path().filename();
            if (name.starts_with(".zcdp") && (under_test_.foreign || name != ".zcdp")) return false;
        }
        return true;
    }
    store::Ownership ownership() const {
        const bool root = ::geteuid() == 0;
        return {root ? 12345 : ::geteuid(), root ? 23456 : ::getegid(), 0640, 0750, 02770};
    }
    /// Every file's and symlink's inode.
    std::map<std::string, uint64_t> inodes(const std::string& target) const {
        std::map<std::string, uint64_t> all;
        for (const auto& [name, entry] : tree_.entries())
            if (!name.ends_with('/')) all[name] = stat_of(target + "/" + name).st_ino;
        return all;
    }

    void whole() {
        const TempFolder target(true);
        const bool linked = options_.way == store::Way::link;
        const std::string before = tree_.state(!linked);
        expect(run(target.path()).has_value(), "a tree is put into an empty directory");
        expect(whole_in(target.path()), "the tree is there as the manifest has it");
        expect(nothing_left(target.path()), "nothing of zcdp's own is left behind");
        expect(tree_.state(!linked) == before, "the store's tree stays as it is");
        const uint64_t made = stat_of(target.path() + "/a").st_ino, stores = stat_of(tree_.path() + "/a").st_ino;
        expect((made == stores) == linked, "a copy is a file of its own, a link is the store's");
    }

    /// A second run finds everything there; a third puts back what is missing.
    void again() {
        const TempFolder target(true);
        (void)run(target.path());
        const auto before = inodes(target.path());
        expect(run(target.path()).has_value() && inodes(target.path()) == before, "what is there already is kept");
        std::filesystem::remove(target.path() + "/dir/deep/b");
        std::filesystem::remove_all(target.path() + "/empty folder");
        expect(run(target.path()) && whole_in(target.path()), "what somebody took away is put back");
        auto after = inodes(target.path());
        after["dir/deep/b"] = before.at("dir/deep/b");
        expect(after == before, "what is there already is kept");
    }

    /// Killed (all calls from one on fail), or the power cut, at each call that changes something.
    void cut_everywhere(BarrierKind promise) {
        for (uint64_t nth = 1;; ++nth) {
            const TempFolder target(true), kept(true), names_kept(true);
            LossyFs fs(system_fs(), target.path(), promise);
            fs.is_durable(tree_.path());
            fs.cut_at(nth);
            const auto ran = run(target.path(), fs);
            fs.lay_down(kept.path());
            fs.commit_by_itself();
            fs.lay_down(names_kept.path());
            if (!fs.is_cut()) {
                expect(fs.calls() > 20, "all file work goes through the Fs that is given");
                expect(ran.has_value(), "a tree is put into an empty directory");
                expect(whole_in(kept.path()), "at the end all of it is durable");
                expect(nothing_left(kept.path()), "that nothing is left behind is durable, too");
                return;
            }
            expect(!ran || whole_in(target.path()), "who says that it is done has done it");
            goes_on(target.path(), "whenever it is killed");
            goes_on(kept.path(), "when the power was cut");
            goes_on(names_kept.path(), "when the power was cut");
        }
    }
    void goes_on(const std::string& target, const std::string& when) {
        expect(tree_.differences(target, false).empty(), "a file under its final name is whole, " + when);
        auto before = inodes(target);
        expect(run(target).has_value(), "running it again goes on, " + when);
        expect(whole_in(target), "running it again ends it, " + when);
        expect(nothing_left(target), "running it again leaves nothing behind, " + when);
        if (!under_test_.foreign) return;  // a DEST believes nothing that it has not written down
        const auto after = inodes(target);
        for (const auto& [name, inode] : before)
            expect(inode == 0 || after.at(name) == inode, "what had its name is not begun again, " + when);
    }

    void full_disk() {
        for (uint64_t nth = 1;; ++nth) {
            const TempFolder target(true);
            FaultyFs fs(system_fs());
            fs.fail(nth, ENOSPC);
            const auto ran = run(target.path(), fs);
            if (!fs.failed()) return expect(ran.has_value(), "a tree is put into an empty directory");
            if (!ran) {
                expect(ran.error().kind() == ErrorKind::no_space, "a full disk: no_space");
                expect(ran.error().object().starts_with(target.path()), "a full disk is told with the path");
            }
            expect(!ran || whole_in(target.path()), "who says that it is done has done it");
            goes_on(target.path(), "when the disk was full");
        }
    }

    /// Symlinks that somebody put where folders and files go.
    void planted_symlinks() {
        for (const char* at : {"dir", "a", ".zcdp-partial", "bin/run", "empty folder"}) {
            const TempFolder target(true), outside(true);
            std::filesystem::create_directories(target.path() + "/bin");
            std::ofstream(outside.path() + "/there") << "the content of a";
            const bool folder = std::filesystem::path(at).filename() != "a";
            std::filesystem::create_symlink(outside.path() + (folder ? "" : "/there"), target.path() + "/" + at);
            const struct stat before = stat_of(outside.path()), file_before = stat_of(outside.path() + "/there");
            (void)run(target.path());
            const struct stat after = stat_of(outside.path()), file_after = stat_of(outside.path() + "/there");
            expect(std::distance(std::filesystem::directory_iterator(outside.path()), {}) == 1 &&
                       before.st_mode == after.st_mode && before.st_uid == after.st_uid &&
                       slurp(outside.path() + "/there") == "the content of a" &&
                       file_before.st_ino == file_after.st_ino && file_before.st_mode == file_after.st_mode &&
                       file_before.st_uid == file_after.st_uid,
                   "nothing outside is touched through a symlink");
        }
    }

    bool has_ownership(const std::string& target) const {
        const store::Ownership asked = ownership();
        bool all = true;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(target)) {
            const struct stat st = stat_of(entry.path());
            const auto listed = tree_.entries().find(std::filesystem::relative(entry.path(), target));
            const bool executable = listed != tree_.entries().end() && listed->second.executable;
            const mode_t mode = S_ISDIR(st.st_mode) ? asked.folder_mode
                                : executable        ? asked.executable_mode
                                                    : asked.file_mode;
            all = all && st.st_uid == asked.uid && st.st_gid == asked.gid &&
                  (S_ISLNK(st.st_mode) || (st.st_mode & 07777) == mode);
        }
        return all;
    }

    void owned() {
        const std::string before = tree_.state(true);
        options_.ownership = ownership();
        const TempFolder target(true);
        const struct stat itself = stat_of(target.path());
        const auto ran = run(target.path());
        if (options_.way == store::Way::link) {
            expect(!ran && ran.error().kind() == ErrorKind::usage, "links with an ownership: usage");
        } else {
            expect(ran && has_ownership(target.path()), "owners and modes are as asked");
            const auto inodes_before = inodes(target.path());
            ::chmod((target.path() + "/a").c_str(), 0600);
            ::chmod((target.path() + "/dir").c_str(), 0700);
            expect(run(target.path()) && has_ownership(target.path()), "owners and modes are put right again");
            expect(inodes(target.path()) == inodes_before, "what is there already is kept");
            cut_and_owned();
        }
        expect(stat_of(target.path()).st_uid == itself.st_uid && stat_of(target.path()).st_mode == itself.st_mode,
               "the directory itself stays whose it was");
        expect(tree_.state(true) == before, "the store's tree stays as it is");
        options_.ownership.reset();
    }
    void cut_and_owned() {
        for (uint64_t nth = 1;; nth += 3) {
            const TempFolder target(true);
            LossyFs fs(system_fs(), target.path(), BarrierKind::each);
            fs.cut_at(nth);
            (void)run(target.path(), fs);
            if (!fs.is_cut()) return;
            expect(run(target.path()) && has_ownership(target.path()), "a killed run's owners and modes are put right");
        }
    }

    /// What is not the tree's.
    void beside() {
        const TempFolder target(true);
        std::filesystem::create_directories(target.path() + "/lost+found");
        ::chmod((target.path() + "/lost+found").c_str(), 0700);
        std::filesystem::create_directories(target.path() + "/dir/theirs");
        std::ofstream(target.path() + "/dir/theirs/file") << "theirs";
        const std::vector<std::string> names = {"/lost+found", "/dir/theirs", "/dir/theirs/file"};
        std::vector<struct stat> before;
        for (const std::string& name : names) before.push_back(stat_of(target.path() + name));
        if (options_.way != store::Way::link) options_.ownership = ownership();
        expect(run(target.path()) && whole_in(target.path()), "a volume's lost+found is in nobody's way");
        options_.ownership.reset();
        for (size_t i = 0; i < names.size(); ++i) {
            const struct stat after = stat_of(target.path() + names[i]);
            expect(after.st_ino == before[i].st_ino && after.st_mode == before[i].st_mode &&
                       after.st_uid == before[i].st_uid && after.st_mtim.tv_nsec == before[i].st_mtim.tv_nsec,
                   "what is not the tree's is left alone");
        }
        expect(slurp(target.path() + "/dir/theirs/file") == "theirs", "what is not the tree's is left alone");
    }

    /// Something of somebody's at `name`: refused by name, and it stays as it is.
    void blocked(const std::string& name, const Setup& put) {
        const TempFolder target(true);
        std::filesystem::create_directories(
            (target.path() + "/" + name).substr(0, target.path().size() + 1 + name.rfind('/')));
        put(target.path());
        const struct stat before = stat_of(target.path() + "/" + name);
        const std::string content = S_ISREG(before.st_mode) ? slurp(target.path() + "/" + name) : "";
        const auto ran = run(target.path());
        expect(!ran && ran.error().kind() == ErrorKind::refused &&
                   ran.error().object().starts_with(target.path() + "/" + name),
               "what is in an entry's place is refused by name");
        const struct stat after = stat_of(target.path() + "/" + name);
        expect(after.st_ino == before.st_ino && after.st_mode == before.st_mode && after.st_uid == before.st_uid &&
                   (!S_ISREG(after.st_mode) || slurp(target.path() + "/" + name) == content),
               "what is in an entry's place stays as it is");
        expect(nothing_left(target.path()), "after an error nothing of zcdp's own is left, either");
    }
    void in_the_way() {
        const auto file = [](const std::string& name, const std::string& text) {
            return [name, text](const std::string& target) { std::ofstream(target + "/" + name) << text; };
        };
        blocked("dir/deep/b", file("dir/deep/b", "shorter"));
        blocked("dir/deep/b", file("dir/deep/b", "???"));  // as long as it should be
        blocked("to", file("to", "dir/deep/b"));
        blocked("dir", file("dir", "no folder"));
        blocked("empty folder", file("empty folder", ""));
        blocked("a", [](const std::string& target) { std::filesystem::create_directory(target + "/a"); });
        blocked("a", [](const std::string& target) { ::mkfifo((target + "/a").c_str(), 0600); });
        blocked("a", [](const std::string& target) { std::filesystem::create_symlink("nothing", target + "/a"); });
        blocked("to", [](const std::string& target) { std::filesystem::create_symlink("a", target + "/to"); });
        blocked("dir", [](const std::string& target) { std::filesystem::create_symlink("bin", target + "/dir"); });
        if (options_.way != store::Way::link)
            blocked("a", [this](const std::string& target) {
                std::filesystem::create_hard_link(tree_.path() + "/a", target + "/a");
            });
        same_size_and_time();
    }
    /// Bytes that went bad behind a file's size and times.
    void same_size_and_time() {
        if (options_.way == store::Way::link) return;  // there they would be the store's
        const TempFolder target(true);
        (void)run(target.path());
        const std::string at = target.path() + "/dir/same";
        const struct stat before = stat_of(at);
        std::ofstream(at, std::ios::in | std::ios::out) << "THE";
        const timespec times[2] = {before.st_atim, before.st_mtim};
        ::utimensat(AT_FDCWD, at.c_str(), times, 0);
        const auto ran = run(target.path());
        expect(!ran && ran.error().kind() == ErrorKind::refused && ran.error().object() == at,
               "a file's bytes are looked at, not its size and time");
    }

    /// What an earlier run, or somebody, has left under zcdp's own name.
    void left_over() {
        const TempFolder target(true);
        std::filesystem::create_directories(target.path() + "/.zcdp-partial/deep/er");
        std::ofstream(target.path() + "/.zcdp-partial/0") << "half of somethi";
        expect(run(target.path()) && whole_in(target.path()) && nothing_left(target.path()),
               "what a killed run left is swept");
    }

    void refused() {
        TreeEntries hostile = small_tree();
        hostile[".zcdp-partial/0"] = {"mine"};
        const TestTree tree(hostile);
        const TempFolder target(true);
        const auto ran = under_test_.run(system_fs(), tree, target.path(), options_);
        expect(!ran && ran.error().kind() == ErrorKind::refused, "an entry with the name of zcdp's own: refused");
        Fd held = *system_fs().open(AT_FDCWD, target.path().c_str(), O_RDONLY | O_DIRECTORY);
        if (::flock(held.get(), LOCK_EX | LOCK_NB) != 0) return;
        const auto second = run(target.path());
        expect(!second && second.error().kind() == ErrorKind::busy, "two at once: busy");
    }

    void stopped() {
        std::stop_source source;
        options_.stop = source.get_token();
        source.request_stop();
        const TempFolder target(true);
        const auto ran = run(target.path());
        expect(!ran && ran.error().kind() == ErrorKind::interrupted, "stopped: interrupted");
        options_.stop = {};
        goes_on(target.path(), "when it was stopped");
    }

    FillUnderTest under_test_;
    store::FillOptions options_;
    const TestTree tree_;
};

}  // namespace zcdp::test
