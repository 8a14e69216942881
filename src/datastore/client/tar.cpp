#include "src/datastore/client/tar.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace zcdp::datastore {
namespace {

constexpr size_t kBlockBytes = 512;
constexpr uint64_t kSizeMost = 077777777777;  ///< eleven octal digits

/// The header block of POSIX.1-1988, "ustar".
struct Block {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
        user[32], group[32], device_major[8], device_minor[8], prefix[155], padding[12];
};
static_assert(sizeof(Block) == kBlockBytes);

template <size_t N>
void put(char (&field)[N], std::string_view text) {
    std::memcpy(field, text.data(), std::min(N, text.size()));
}

/// Octal digits that fill the field but for the zero at its end.
template <size_t N>
void put_number(char (&field)[N], uint64_t value) {
    put(field, fmt::format("{:0{}o}", value, N - 1));
}

std::string block(std::string_view name, std::string_view link, char type, uint64_t size, bool executable) {
    Block block{};
    put(block.name, name), put(block.link, link);
    put_number(block.mode, type == '5' || executable ? 0755 : 0644);
    put_number(block.uid, 0), put_number(block.gid, 0), put_number(block.mtime, 0);
    put_number(block.size, size);
    block.type = type;
    put(block.magic, "ustar"), put(block.version, "00");
    put_number(block.device_major, 0), put_number(block.device_minor, 0);
    std::memset(block.checksum, ' ', sizeof block.checksum);  // counted as spaces
    std::string bytes(reinterpret_cast<const char*>(&block), sizeof block);
    unsigned sum = 0;
    for (const char c : bytes) sum += static_cast<unsigned char>(c);
    put(block.checksum, fmt::format("{:06o}", sum));
    block.checksum[6] = 0;
    bytes.assign(reinterpret_cast<const char*>(&block), sizeof block);
    return bytes;
}

bool fits(std::string_view text, size_t bytes) {
    return text.size() <= bytes && std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

/// "LENGTH NAME=VALUE\n", where the length counts its own digits.
std::string record(std::string_view name, std::string_view value) {
    const size_t rest = name.size() + value.size() + 3;
    size_t length = rest + 1;
    while (rest + std::to_string(length).size() != length) ++length;
    return fmt::format("{} {}={}\n", length, name, value);
}

char type_of(store::FileKind kind) {
    switch (kind) {
        case store::FileKind::directory: return '5';
        case store::FileKind::symlink: return '2';
        case store::FileKind::file: break;
    }
    return '0';
}

}  // namespace

std::string tar_header(const store::ManifestEntry& entry) {
    std::string records;
    if (!fits(entry.path, sizeof Block::name)) records += record("path", entry.path);
    if (!fits(entry.symlink_target, sizeof Block::link)) records += record("linkpath", entry.symlink_target);
    if (entry.size_bytes > kSizeMost) records += record("size", std::to_string(entry.size_bytes));
    std::string header;
    if (!records.empty()) header = block("PaxHeaders/entry", "", 'x', records.size(), false) + records;
    header += tar_padding(records.size());
    return header + block(entry.path, entry.symlink_target, type_of(entry.kind),
                          entry.size_bytes > kSizeMost ? 0 : entry.size_bytes, entry.executable);
}

std::string tar_padding(uint64_t size_bytes) {
    return std::string((kBlockBytes - size_bytes % kBlockBytes) % kBlockBytes, '\0');
}

std::string tar_end() { return std::string(2 * kBlockBytes, '\0'); }

}  // namespace zcdp::datastore
