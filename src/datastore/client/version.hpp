// One version of a key as a client has it: what the server says of it, and its manifest in a file without a name.
// Thread rule: the client's loop; the manifest's file may be read anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "zcdp/base/fs.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/datastore/client.hpp"
#include "zcdp/datastore/wire.hpp"

namespace zcdp::datastore {

struct Version {
    std::string key;
    uint64_t number = 0;
    KeyKind kind = KeyKind::tree;
    std::string snapshot;
    std::shared_ptr<Fd> manifest;  ///< not looked into yet
};

/// `number` 0: the present version. `client` outlives the task. Errors: not_found (the key, or that version of it);
/// corrupt: an answer that does not say what it is; those of the disk that `scratch_folder` is on.
Task<Result<Version>> fetch_version(Client& client, std::string key, uint64_t number, std::string scratch_folder,
                                    Machine machine);

/// A number in decimal and nothing else; 0 otherwise. Pure.
uint64_t number_of(std::string_view text);

}  // namespace zcdp::datastore
