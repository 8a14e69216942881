#include <fcntl.h>
#include <fmt/format.h>

#include "src/datastore/server/many_files.hpp"
#include "src/datastore/server/requests.hpp"
#include "zcdp/base/paths.hpp"
#include "zcdp/net/conditions.hpp"

namespace zcdp::datastore {
namespace {

using net::server::FileRange, net::server::RangeAnswer, net::server::RangeKind;

constexpr int kOpenFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
constexpr const char* kBytes = "Content-Type: application/octet-stream\r\n";

Refused gone(const std::string& key, uint64_t version) {
    return {kGone, Error(ErrorKind::not_found, fmt::format("has no version {} any more", version), key,
                         "another was put since: get it anew")};
}

std::string version_headers(const FoundVersion& version) {
    return fmt::format("Zcdp-Version: {}\r\nZcdp-Snapshot: {}\r\nZcdp-Kind: {}\r\n", version.version,
                       version.snapshot.str(), name_of(version.kind));
}

}  // namespace

/// What a version has, open.
struct FileRequests::Opened {
    FoundVersion version;
    Fd file;
    uint64_t size_bytes = 0;
};

void FileRequests::add_to(net::server::Router& router, const net::server::Access& access) {
    router.add("GET", "/v1/manifests/{key...}", handler_of(*this, &FileRequests::manifest), access);
    router.add("GET", "/v1/files/{key...}", handler_of(*this, &FileRequests::file), access);
    router.add("POST", "/v1/files/{key...}", handler_of(*this, &FileRequests::many), access);
}

/// A retired one stays for as long as it is being read.
Answered<FoundVersion> FileRequests::version_of(const std::string& key, uint64_t version) {
    const int64_t now = parts_.now();
    ZCDP_TRY(const FoundVersion found, parts_.keys->find_to_read(key, version, now));
    if (found.state == FoundVersion::State::gone) return gone(key, version);
    if (found.state == FoundVersion::State::retired) parts_.in_use.note_read(found.snapshot, now);
    return found;
}

Answered<FileRequests::Opened> FileRequests::open_manifest(const std::string& key, uint64_t version) {
    Opened opened;
    ZCDP_TRY(opened.version, version_of(key, version));
    auto file = parts_.store->manifest_file(opened.version.snapshot);
    if (!file && file.error().kind() == ErrorKind::not_found) return gone(key, opened.version.version);
    if (!file) return std::move(file).error();
    opened.file = std::move(*file);
    const auto st = parts_.machine.fs.stat_fd(opened.file.get());
    if (!st) return system_error(st.error(), "looking at the manifest of", key);
    opened.size_bytes = static_cast<uint64_t>(st->st_size);
    return opened;
}

Answered<FileRequests::Opened> FileRequests::open_tree(const std::string& key, uint64_t version) {
    Opened opened;
    ZCDP_TRY(opened.version, version_of(key, version));
    const auto info = parts_.store->get(opened.version.snapshot);
    if (!info && info.error().kind() == ErrorKind::not_found) return gone(key, opened.version.version);
    if (!info) return info.error();
    auto tree = parts_.machine.fs.open(AT_FDCWD, info->tree_path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!tree && tree.error().value() == ENOENT) return gone(key, opened.version.version);
    if (!tree) return system_error(tree.error(), "opening", key);
    opened.file = std::move(*tree);
    return opened;
}

Answered<FileRequests::Opened> FileRequests::open_file(const std::string& key, uint64_t version,
                                                       const std::string& path) {
    ZCDP_TRY(Opened opened, open_tree(key, version));
    auto file = parts_.machine.fs.open_beneath(opened.file.get(), path.c_str(), kOpenFlags);
    const auto st = file ? parts_.machine.fs.stat_fd(file->get()) : SysResult<struct stat>(file.error());
    if (!st || !S_ISREG(st->st_mode)) return Error(ErrorKind::not_found, "has no file " + printable(path), key);
    opened.file = std::move(*file);
    opened.size_bytes = static_cast<uint64_t>(st->st_size);
    return opened;
}

/// The whole of it or the range that is asked for.
Answered<Response> FileRequests::respond(const Request& request, Opened opened) {
    const std::string tag = "\"" + opened.version.snapshot.str() + "\"";
    RangeAnswer range =
        net::server::evaluate_range(request.header("range"), request.header("if-range"), tag, opened.size_bytes);
    if (range.kind == RangeKind::unsatisfiable)
        return Refused(416, Error(ErrorKind::refused, fmt::format("has {} bytes", opened.size_bytes),
                                  std::string(request.parameter("key"))));
    std::string headers = kBytes + version_headers(opened.version) + "ETag: " + tag + "\r\nAccept-Ranges: bytes\r\n";
    const bool part = range.kind == RangeKind::part;
    if (part)
        headers += fmt::format("Content-Range: bytes {}-{}/{}\r\n", range.offset, range.offset + range.length - 1,
                               opened.size_bytes);
    else range.offset = 0, range.length = opened.size_bytes;
    if (request.method != "HEAD") parts_.counts.sent_bytes.add(range.length);
    return Response{part ? 206 : 200, std::move(headers),
                    FileRange{std::move(opened.file), range.offset, range.length}};
}

Task<Answered<Response>> FileRequests::manifest(Request& request, RequestBody&) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::get));
    ZCDP_CO_TRY(const uint64_t version, number_or_0(request, "version"));
    const auto open = [&] { return open_manifest(key, version); };
    ZCDP_CO_TRY(Opened opened, co_await offload(parts_.pool, open));
    co_return respond(request, std::move(opened));
}

Task<Answered<Response>> FileRequests::file(Request& request, RequestBody&) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::get));
    ZCDP_CO_TRY(const uint64_t version, number_or_0(request, "version"));
    const std::string* path = request.query_value("path");
    if (!path || !is_file_path(*path)) co_return Refused(Error(ErrorKind::refused, "names no file by ?path=", key));
    const auto open = [&] { return open_file(key, version, *path); };
    ZCDP_CO_TRY(Opened opened, co_await offload(parts_.pool, open));
    co_return respond(request, std::move(opened));
}

Task<Answered<Response>> FileRequests::many(Request& request, RequestBody& body) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::get));
    ZCDP_CO_TRY(const uint64_t version, number_or_0(request, "version"));
    auto share = std::make_shared<Budget::Share>(
        co_await parts_.budget.take(ManyFiles::kMemoryBytes + announced_bytes(request, ManyFiles::kPathsBytesMax)));
    ZCDP_CO_TRY(std::string text, co_await body.all(ManyFiles::kPathsBytesMax));
    ZCDP_CO_TRY(auto paths, ManyFiles::parse_paths(text));
    const auto open = [&] { return open_tree(key, version); };
    ZCDP_CO_TRY(Opened opened, co_await offload(parts_.pool, open));
    std::string headers = kBytes + version_headers(opened.version);
    auto files = std::make_shared<ManyFiles>(parts_.machine.fs, std::move(opened.file), std::move(paths));
    Response response{200, std::move(headers), [this, files](net::server::BodySink& sink) {
                          return files->send(parts_.pool, parts_.counts.sent_bytes, sink);
                      }};
    response.held = std::move(share);
    co_return response;
}

}  // namespace zcdp::datastore
