// The flags of every command that asks a data store, and how those commands say what went wrong.
#pragma once

#include <string>

#include "src/modes/command_line.hpp"
#include "src/modes/context.hpp"
#include "zcdp/datastore/client.hpp"

namespace zcdp::modes {

struct DataStoreFlags {
    std::string server, token_file, ca_bundle, ns;
    bool json = false;
};
/// Adds --server, --token-file, --ca-bundle, -n and --json; `flags` must outlive the parsing.
void add_data_store_flags(Command command, DataStoreFlags& flags);

/// What the flags and the environment say. Errors: usage (no server, a namespace beside one), those of reading the
/// files.
Result<datastore::ServerAccess> server_access(const DataStoreFlags& flags, const Machine& machine);

/// As report(); with `json` the error is also an object on stdout.
int report(const Error& error, bool json);

}  // namespace zcdp::modes
