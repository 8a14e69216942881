#include "src/datastore/client/version.hpp"

#include <charconv>

#include "src/datastore/client/again.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/net/save_body.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::datastore {
namespace {

/// A hundred million files.
constexpr uint64_t kManifestBytesMost = 16ull << 30;

Result<Version> version_of(const net::Response& answer, const std::string& key) {
    Version version;
    version.key = key;
    version.number = number_of(answer.header("zcdp-version"));
    version.snapshot = std::string(answer.header("zcdp-snapshot"));
    const auto kind = parse_key_kind(answer.header("zcdp-kind"));
    if (version.number == 0 || !kind || !store::SnapshotId::parse(version.snapshot))
        return Error(ErrorKind::corrupt, "the server does not say which version it sends", key,
                     "is this a data store?");
    version.kind = *kind;
    return version;
}

Task<Result<>> save_manifest(net::Response& answer, Version& version, const std::string& scratch_folder,
                             Machine machine) {
    ZCDP_CO_TRY(Fd file, open_scratch(machine.fs, scratch_folder, machine.random));
    version.manifest = std::make_shared<Fd>(std::move(file));
    co_return co_await net::save_body(answer, machine.fs, version.manifest->get(), kManifestBytesMost);
}

}  // namespace

uint64_t number_of(std::string_view text) {
    uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, wrong] = std::from_chars(text.data(), end, number);
    return wrong == std::errc() && stopped == end ? number : 0;
}

Task<Result<Version>> fetch_version(Client& client, std::string key, uint64_t number, std::string scratch_folder,
                                    Machine machine) {
    for (uint32_t attempt = 1;; ++attempt) {
        net::Request request;
        request.target = target_of("manifests", key, number == 0 ? "" : "version=" + std::to_string(number));
        ZCDP_CO_TRY(const auto answer, co_await client.send(std::move(request)));
        ZCDP_CO_TRY(Version version, version_of(*answer, key));
        const auto saved = co_await save_manifest(*answer, version, scratch_folder, machine);
        if (saved) co_return version;
        const Error error = Error(saved.error()).about(key);
        const bool again = co_await pause_before_again(machine, error, attempt);
        if (!again) co_return error;
    }
}

}  // namespace zcdp::datastore
