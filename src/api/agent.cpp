#include "zcdp/api/agent.hpp"

namespace zcdp::api {

WireError to_wire(const Error& error) {
    return {std::string(name(error.kind())), error.what(), error.object(), error.hint()};
}

Error from_wire(const WireError& wire) {
    for (int kind = 0; kind <= static_cast<int>(ErrorKind::busy); ++kind)
        if (name(static_cast<ErrorKind>(kind)) == wire.kind)
            return Error(static_cast<ErrorKind>(kind), wire.what, wire.object, wire.hint);
    return Error(ErrorKind::failed, wire.what, wire.object, wire.hint);
}

}  // namespace zcdp::api
