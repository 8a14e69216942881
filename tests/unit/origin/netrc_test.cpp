// Names and passwords from a ~/.netrc.
#include "src/origin/http/netrc.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::origin::http {
namespace {

/// "USER PASSWORD"; "-" when the file says nothing of the host.
std::string login(const char* text, const char* host = "data.example") {
    const auto found = netrc_login(text, host);
    return found ? found->user + " " + found->password : "-";
}

}  // namespace

TEST_CASE("a machine's login and password, on one line or on many, in any order") {
    CHECK(login("machine data.example login me password pw") == "me pw");
    CHECK(login("machine other login you password no\nmachine\tData.Example\r\n\tpassword pw\r\n\tlogin me\r\n") ==
          "me pw");
    CHECK(login("machine data.example login me account x password pw machine z login z") == "me pw");
    CHECK(login("machine data.example login me") == "me ");
    CHECK(login("machine data.example") == " ");
    CHECK(login("machine data.example login a password 1\nmachine data.example login b password 2") == "a 1");
}

TEST_CASE("the default is for who is not named, and another host's is nobody's") {
    CHECK(login("machine other login you password no default login me password pw") == "me pw");
    CHECK(login("machine data.example login you password yes default login me password pw") == "you yes");
    for (const char* text :
         {"", "machine example login me password pw", "machine sub.data.example login me password pw", "machine",
          "login me password pw", "# machine data.example login me password pw"})
        CHECK_MESSAGE(login(text) == "-", text);
}

TEST_CASE("words in quotes, comments and macros") {
    CHECK(login("machine data.example login \"m e\" password \"a\\\"b\\\\c#d\\n\"") == "m e a\"b\\c#d\n");
    CHECK(login("# mine\nmachine data.example # the store\n login me # who\n password #pw") == "me #pw");
    CHECK(
        login("macdef init\nmachine data.example login no password no\n\nmachine data.example login me password pw") ==
        "me pw");
    CHECK(login("machine other macdef x\nlogin no\n\nmachine data.example login me password pw") == "me pw");
    CHECK(login("machine data.example login \"open password pw") == "open password pw ");
    CHECK(login("\xef\xbb\xbfmachine data.example login me password pw") == "me pw");
}

}  // namespace zcdp::origin::http
