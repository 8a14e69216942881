// A store in a temporary folder, and small snapshots in it.
#pragma once

#include <map>
#include <string>

#include "tests/support/temp_folder.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/store/store.hpp"

namespace zcdp::test {

class TempStore {
  public:
    explicit TempStore(Fs& fs = system_fs(), bool in_memory = false) : folder_(in_memory), fs_(fs) {}

    const std::string& root() const { return folder_.path(); }
    store::StoreOptions options() const {
        store::StoreOptions options;
        options.root = root();
        options.holder = "test holder";
        return options;
    }
    Result<std::unique_ptr<store::Store>> try_open(const store::StoreOptions& options) {
        return store::Store::open(options, fs_, system_clock(), system_random(), log_, metrics_);
    }
    std::unique_ptr<store::Store> open() {
        auto store = try_open(options());
        if (!store) FAIL(store.error().line());
        return std::move(*store);
    }

    static std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
    static store::BlobRef ref(std::string_view content) {
        return {{DigestKind::sha256, Sha256::of(content)}, content.size(), false};
    }
    /// Stages, commits and builds these files.
    store::SnapshotInfo snapshot(store::Store& store, const std::map<std::string, std::string>& files,
                                 const std::string& name = "test") {
        auto incoming = store.incoming();
        REQUIRE(incoming);
        for (const auto& [path, content] : files) REQUIRE((*incoming)->stage(ref(content), bytes(content)));
        REQUIRE((*incoming)->commit({"e", "b", "c"}, {}));
        auto builder = store.build_snapshot();
        REQUIRE(builder);
        for (const auto& [path, content] : files) {
            store::ManifestEntry entry;
            entry.path = path, entry.size_bytes = content.size(), entry.digest = ref(content).digest;
            REQUIRE((*builder)->add(entry));
        }
        auto info = (*builder)->commit(name, Revision("revision"));
        REQUIRE(info);
        return *info;
    }

  private:
    TempFolder folder_;
    Fs& fs_;
    Logger log_{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics_;
};

}  // namespace zcdp::test
