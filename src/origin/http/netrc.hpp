// Names and passwords for hosts, from a ~/.netrc (GNU inetutils: The .netrc file), as `curl -n` reads it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace zcdp::origin::http {

struct Login {
    std::string user, password;
};

/// What the file says of `host`: the first "machine" of that name, in any case, else what follows "default". Words are
/// parted by white space or stand in quotes (with \" \\ \n \r \t); '#' where a word of its own begins is a comment to
/// the line's end; a "macdef" ends at an empty line; what else there is, is passed over. Nothing when the file says
/// nothing of it.
std::optional<Login> netrc_login(std::string_view text, std::string_view host);

}  // namespace zcdp::origin::http
