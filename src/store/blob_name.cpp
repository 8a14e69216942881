#include "zcdp/store/blob_name.hpp"

#include <charconv>
#include <system_error>

namespace zcdp::store {

std::string blob_name(const Digest& digest, bool executable, unsigned inode) {
    const std::string hex = digest.hex();
    std::string name = digest.kind == DigestKind::sha256 ? "sha256/" : "sha256tree/";
    name.append(hex, 0, 2).append("/").append(hex, 2);
    if (executable) name += ".x";
    if (inode > 0) name += "." + std::to_string(inode);
    return name;
}

std::optional<BlobFile> parse_blob_name(std::string_view folder, std::string_view name) {
    const size_t slash = folder.find('/');
    if (slash == folder.npos || name.size() < 62) return std::nullopt;
    BlobFile file;
    const auto digest = Digest::parse(std::string(folder.substr(0, slash)) + ":" +
                                      std::string(folder.substr(slash + 1)) + std::string(name.substr(0, 62)));
    if (!digest) return std::nullopt;
    file.digest = *digest;
    std::string_view rest = name.substr(62);
    if (rest.starts_with(".x")) file.executable = true, rest.remove_prefix(2);
    if (rest.empty()) return file;
    if (rest[0] != '.') return std::nullopt;
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), file.inode);
    if (error != std::errc() || end != rest.data() + rest.size() || file.inode == 0) return std::nullopt;
    return file;
}

}  // namespace zcdp::store
