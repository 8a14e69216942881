// A temporary folder for one test.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/support/doctest.hpp"

namespace zcdp::test {

/// A folder that is gone with this object.
class TempFolder {
  public:
    /// Below $TMPDIR or /tmp, or in memory for tests that change very much.
    explicit TempFolder(bool in_memory = false) {
        const char* base = ::getenv("TMPDIR");
        const bool shm = in_memory && ::access("/dev/shm", W_OK) == 0;
        path_ = std::string(shm ? "/dev/shm" : base ? base : "/tmp") + "/zcdp-test-XXXXXX";
        REQUIRE(::mkdtemp(path_.data()) != nullptr);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace zcdp::test
