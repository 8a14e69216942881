// A ready tree as a store has it, and its manifest: files 0444 or 0555 of one fixed time, folders, symlinks.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/temp_folder.hpp"
#include "zcdp/store/materialise.hpp"

namespace zcdp::test {

/// What a path is; a folder's ends in '/'.
struct TreeEntry {
    std::string content = {};
    bool executable = false;
    std::string symlink_target = {};
};
using TreeEntries = std::map<std::string, TreeEntry>;

inline const TreeEntries& small_tree() {
    static const TreeEntries entries = {
        {"a", {"the content of a"}},
        {"bin/run", {"#!/bin/sh\n", true}},
        {"dir/deep/b", {"b's"}},
        {"dir/same", {"the content of a"}},
        {"dir/up", {"", false, "../a"}},
        {"empty folder/", {}},
        {"nothing", {}},
        {"only/folders/b", {"b's"}},
        {"to", {"", false, "dir/deep/b"}},
    };
    return entries;
}

inline std::string slurp(const std::filesystem::path& path) {
    std::error_code gone;
    const auto size_bytes = std::filesystem::file_size(path, gone);
    std::string content(gone ? 0 : size_bytes, '\0');
    std::ifstream(path, std::ios::binary).read(content.data(), static_cast<std::streamsize>(content.size()));
    return content;
}

inline struct stat stat_of(const std::filesystem::path& path) {
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) st.st_ino = 0;
    return st;
}

class TestTree {
  public:
    explicit TestTree(TreeEntries entries = small_tree(), bool in_memory = true)
        : entries_(std::move(entries)), folder_(in_memory) {
        std::filesystem::create_directory(path());
        for (const auto& [name, entry] : entries_) put(name, entry);
        folder_fd_ = *system_fs().open(AT_FDCWD, path().c_str(), O_RDONLY | O_DIRECTORY);
        manifest_ = *system_fs().open(AT_FDCWD, (folder_.path() + "/manifest").c_str(), O_RDWR | O_CREAT, 0600);
        const auto writer = store::ManifestWriter::create(system_fs(), manifest_.get());
        for (const auto& entry : manifest_entries_) REQUIRE(writer->add(entry));
        id_ = *writer->finish();
    }

    std::string path() const { return folder_.path() + "/tree"; }
    int folder() const { return folder_fd_.get(); }
    const TreeEntries& entries() const { return entries_; }
    const std::vector<store::ManifestEntry>& manifest_entries() const { return manifest_entries_; }
    const store::SnapshotId& id() const { return id_; }
    std::unique_ptr<store::ManifestReader> manifest() const {
        return store::ManifestReader::create(system_fs(), manifest_.get());
    }
    uint64_t files() const { return files_; }
    uint64_t bytes() const { return bytes_; }

    /// What differs in `target`, one line each. What is below a name that begins with .zcdp is not looked at; with
    /// `whole` false an entry may be missing.
    std::vector<std::string> differences(const std::filesystem::path& target, bool whole = true) const {
        std::vector<std::string> found;
        for (const auto& [name, entry] : entries_) {
            const struct stat st = stat_of(target / name);
            if (st.st_ino == 0) {
                if (whole) found.push_back(name + " is missing");
            } else if (name.ends_with('/')) {
                if (!S_ISDIR(st.st_mode)) found.push_back(name + " is no folder");
            } else if (!entry.symlink_target.empty()) {
                if (!S_ISLNK(st.st_mode) || std::filesystem::read_symlink(target / name) != entry.symlink_target)
                    found.push_back(name + " is another symlink");
            } else if (!S_ISREG(st.st_mode) || slurp(target / name) != entry.content) {
                found.push_back(name + " has another content");
            } else if (whole && ((st.st_mode & 0100) != 0) != entry.executable) {
                found.push_back(name + " is not as executable as it should be");
            }
        }
        return found;
    }
    /// How the store's files are: nothing here may change.
    std::string state(bool with_links) const {
        std::string text;
        for (const auto& [name, entry] : entries_) {
            const struct stat st = stat_of(path() + "/" + name);
            for (const auto number : {uint64_t{st.st_mode}, uint64_t{st.st_uid}, uint64_t{st.st_gid},
                                      static_cast<uint64_t>(st.st_mtim.tv_sec), static_cast<uint64_t>(st.st_size),
                                      with_links && !S_ISDIR(st.st_mode) ? uint64_t{st.st_nlink} : 0})
                text += std::to_string(number) + " ";
            if (S_ISREG(st.st_mode)) text += slurp(path() + "/" + name);
        }
        return text;
    }

  private:
    void put(const std::string& name, const TreeEntry& entry) {
        const std::filesystem::path at = std::filesystem::path(path()) / name;
        store::ManifestEntry listed;
        listed.path = name;
        std::filesystem::create_directories(at.parent_path());
        if (name.ends_with('/')) {
            listed.kind = store::FileKind::directory;
        } else if (!entry.symlink_target.empty()) {
            listed.kind = store::FileKind::symlink, listed.symlink_target = entry.symlink_target;
            std::filesystem::create_symlink(entry.symlink_target, at);
        } else {
            describe(listed, entry);
            std::ofstream(at, std::ios::binary) << entry.content;
            ::chmod(at.c_str(), entry.executable ? 0555 : 0444);
            const timespec times[2] = {{1, 0}, {1, 0}};
            ::utimensat(AT_FDCWD, at.c_str(), times, 0);
        }
        manifest_entries_.push_back(std::move(listed));
    }
    void describe(store::ManifestEntry& listed, const TreeEntry& entry) {
        const auto bytes = std::as_bytes(std::span(entry.content));
        listed.executable = entry.executable, listed.size_bytes = bytes.size();
        std::vector<Sha256Bytes> chunks;
        for (uint64_t i = 0; i < chunk_count(bytes.size()); ++i)
            chunks.push_back(Sha256::of(bytes.subspan(i * kChunkBytes, chunk_length(bytes.size(), i))));
        listed.digest = digest_of_chunks(chunks);
        if (chunks.size() > 1) listed.chunks = std::move(chunks);
        ++files_, bytes_ += bytes.size();
    }

    const TreeEntries entries_;
    TempFolder folder_;
    Fd folder_fd_, manifest_;
    std::vector<store::ManifestEntry> manifest_entries_;
    store::SnapshotId id_;
    uint64_t files_ = 0, bytes_ = 0;
};

}  // namespace zcdp::test
