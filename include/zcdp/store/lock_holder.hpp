// What ROOT/lock says of whoever owns the store (docs/formats.md).
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace zcdp::store {

struct LockHolder {
    std::string name;    ///< for people: "zcdp sync, pid 123"
    std::string socket;  ///< the unix socket at which the holder takes orders; empty: it takes none
};

/// The file's text: a line "socket=PATH" where there is one, then the name.
std::string lock_text(const LockHolder& holder);

/// What a lock's text says. Text of a zcdp from before the field has the socket in the name, and is read as well.
LockHolder parse_lock(std::string_view text);

}  // namespace zcdp::store
