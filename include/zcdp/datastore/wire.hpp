// What clients and data stores say to each other in JSON (docs/formats.md, "Between clients and data stores"): targets,
// items, uploads, errors. The records of an upload's bodies are records.hpp's. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::datastore {

enum class KeyKind : uint8_t { tree = 1, file = 2 };
/// "tree", "file".
std::string_view name_of(KeyKind kind);
/// The inverse; nullopt for another word.
std::optional<KeyKind> parse_key_kind(std::string_view name);

/// A key, or a folder of keys.
struct Item {
    std::string key, name;
    bool is_directory = false;
    KeyKind kind = KeyKind::tree;
    uint64_t version = 0;   ///< 0: a folder
    uint64_t versions = 0;  ///< how many are kept
    uint64_t size_bytes = 0, files = 0;
    std::string snapshot;
    int64_t modified_unix_s = 0;
    int64_t expires_unix_s = 0;  ///< 0: never

    std::string json() const;
    bool operator==(const Item&) const = default;
};
/// Errors: corrupt.
Result<Item> parse_item(std::string_view json);

struct ItemPage {
    std::vector<Item> items;
    std::string next;  ///< "" when this is the last

    std::string json() const;
};
/// Errors: corrupt.
Result<ItemPage> parse_item_page(std::string_view json);

/// How an upload begins.
struct UploadIntent {
    KeyKind kind = KeyKind::tree;
    uint64_t files = 0, bytes = 0;
    std::string snapshot;                ///< what the manifest will be, where that is known; "" else
    std::optional<uint64_t> if_version;  ///< the key's version has to be this one; 0: there must be none
    bool force = false;                  ///< make a version also when nothing changed

    std::string json() const;
};
/// Errors: refused: a client sent it.
Result<UploadIntent> parse_upload_intent(std::string_view json);

struct UploadBegun {
    std::string upload;  ///< its ID
    bool present = false;
    uint64_t version = 0;

    std::string json() const;
};
/// Errors: corrupt.
Result<UploadBegun> parse_upload_begun(std::string_view json);

struct Committed {
    std::string key, snapshot;
    uint64_t version = 0;
    bool unchanged = false;

    std::string json() const;
};
/// Errors: corrupt.
Result<Committed> parse_committed(std::string_view json);

/// {"error": {"kind", "what", "object", "hint"}}.
std::string error_json(const Error& error);
/// The inverse; of a body that is no such object an error that names the status, of a kind that fits it.
Error parse_error(int status, std::string_view body);
/// The HTTP status of an error's kind.
int status_of(ErrorKind kind);

/// "/v1/VERB/" and the key, each component percent-encoded; `query` ("version=3"), encoded already, is appended.
std::string target_of(std::string_view verb, std::string_view key, std::string_view query = {});

}  // namespace zcdp::datastore
