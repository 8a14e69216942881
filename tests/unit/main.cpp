#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // as the product's main: sendfile to a peer that has gone is an error, not an end
    return doctest::Context(argc, argv).run();
}
