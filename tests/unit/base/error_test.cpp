#include "zcdp/base/error.hpp"

#include <doctest/doctest.h>

#include <cerrno>

using namespace zcdp;

TEST_CASE("an error is one line: object, what, hint") {
    const Error error(ErrorKind::denied, "403 AccessDenied", "s3://b/k", "check the policy");
    CHECK(error.line() == "s3://b/k: 403 AccessDenied; check the policy");
}

TEST_CASE("a hostile object name cannot write control sequences into the terminal") {
    const Error error(ErrorKind::refused, "no path", "a\x1b[2Jb\n\xff\xc2\x9b");
    CHECK(error.line() == "a\\x1b[2Jb\\x0a\\xff\\xc2\\x9b: no path");
}

TEST_CASE("full disks, missing files and missing rights keep their kinds") {
    CHECK(exit_code(errno_error(ENOSPC, "write", "f").kind()) == 6);
    CHECK(exit_code(errno_error(ENOENT, "open", "f").kind()) == 4);
    CHECK(exit_code(errno_error(EACCES, "open", "f").kind()) == 5);
    CHECK(exit_code(errno_error(EIO, "read", "f").kind()) == 1);
}
