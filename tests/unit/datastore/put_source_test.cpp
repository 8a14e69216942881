// What of a source is put, what is left out, and what is refused.
#include "src/datastore/client/put_source.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "tests/support/put_bench.hpp"

namespace zcdp::datastore {
namespace {

struct Bench : test::PutBench {
    Result<PutList> listed(const PutFilter& filter = {}) {
        auto cache = DigestCache::none(machine);
        return list(source(), cache, filter);
    }
    std::vector<std::string> paths_with(const PutFilter& filter = {}) {
        const auto all = listed(filter);
        REQUIRE(all);
        return paths(*all);
    }
    using Paths = std::vector<std::string>;
};

}  // namespace

TEST_CASE_FIXTURE(Bench, "files, executables, empty folders and symlinks that stay inside are put, in byte order") {
    write("b/x", "1");
    write("b-y", "2");
    write("a", "3");
    std::filesystem::create_directory(path("tree/empty"));
    std::filesystem::create_symlink("b/x", path("tree/link"));
    REQUIRE(::chmod(path("tree/a").c_str(), 0755) == 0);
    const auto all = listed();
    REQUIRE(all);
    CHECK(paths(*all) == Paths{"a", "b-y", "b/x", "empty/", "link"});
    const auto each = entries(*all);
    CHECK(each[0].entry.executable);
    CHECK_FALSE(each[1].entry.executable);
    CHECK(each[3].entry.kind == store::FileKind::directory);
    CHECK(each[4].entry.symlink_target == "b/x");
}

TEST_CASE_FIXTURE(Bench, "what zcdp keeps in a destination is no part of it, but only at the top") {
    write("a", "1");
    write(".zcdp/state", "2");
    write("deep/.zcdp/x", "3");
    CHECK(paths_with() == Paths{"a", "deep/.zcdp/x"});
}

TEST_CASE_FIXTURE(Bench, "what is left out: .zcdpignore, --exclude, --include") {
    for (const char* name : {"a.o", "a.c", "b/c.o", "b/d", "#x", "log/1"}) write(name, "");
    write(".zcdpignore", "# objects\n  *.o  \r\n\n/log/\n");
    CHECK(paths_with() == Paths{"#x", ".zcdpignore", "a.c", "b/d"});
    CHECK(paths_with({{}, {"b/"}}) == Paths{"#x", ".zcdpignore", "a.c"});
    CHECK(paths_with({{"*.c", "*.o"}, {}}) == Paths{"a.c"});
}

TEST_CASE_FIXTURE(Bench, "a .zcdpignore that is too long is an error, one that is a folder or a FIFO hangs nobody") {
    write(".zcdpignore", std::string((1 << 20) + 1, '#'));
    const auto too_long = listed();
    REQUIRE_FALSE(too_long);
    CHECK(too_long.error().kind() == ErrorKind::usage);
    std::filesystem::remove(path("tree/.zcdpignore"));
    REQUIRE(::mkfifo(path("tree/.zcdpignore").c_str(), 0600) == 0);
    const auto fifo = listed();
    REQUIRE_FALSE(fifo);  // it cannot be put, as any FIFO
    CHECK(fifo.error().kind() == ErrorKind::refused);
}

TEST_CASE_FIXTURE(Bench, "what cannot be put is refused by name, with a count, and may be left out") {
    write("a", "1");
    std::filesystem::create_symlink("../outside", path("tree/out"));
    std::filesystem::create_symlink("/etc/passwd", path("tree/root"));
    REQUIRE(::mkfifo(path("tree/pipe").c_str(), 0600) == 0);
    write("bad\nname", "2");
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path("tree/sock");
    REQUIRE(name.size() < sizeof address.sun_path);
    name.copy(address.sun_path, name.size());
    REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const auto all = listed();
    ::close(socket);
    REQUIRE_FALSE(all);
    CHECK(all.error().kind() == ErrorKind::refused);
    CHECK(all.error().line().find("bad\\x0aname") != std::string::npos);
    CHECK(all.error().line().find("(4 more like it)") != std::string::npos);
    CHECK(paths_with({{}, {"bad*", "out", "pipe", "root", "sock"}}) == Paths{"a"});
}

TEST_CASE_FIXTURE(Bench, "a file is its own list; a slash at the end of a directory's name changes nothing") {
    write("a", "12345");
    const PutSource file = source("tree/a");
    CHECK(file.is_file());
    auto cache = DigestCache::none(machine);
    const auto one = list(file, cache);
    REQUIRE(one);
    CHECK(paths(*one) == Paths{"a"});
    CHECK(entries(*one)[0].entry.size_bytes == 5);
    const auto none = list(file, cache, {{}, {"a"}});
    REQUIRE_FALSE(none);
    CHECK(none.error().kind() == ErrorKind::not_found);
    CHECK(source("tree/").cache_name() == source("tree").cache_name());
    std::filesystem::create_symlink("a", path("tree/link"));
    CHECK(paths(*list(source("tree/link"), cache)) == Paths{"link"});
}

TEST_CASE_FIXTURE(Bench, "an empty directory is an empty list; what is not there, or neither of the two, is an error") {
    std::filesystem::create_directory(path("tree"));
    CHECK(paths_with().empty());
    const auto missing = PutSource::open(path("missing"), machine);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind() == ErrorKind::not_found);
    const auto device = PutSource::open("/dev/null", machine);
    REQUIRE_FALSE(device);
    CHECK(device.error().kind() == ErrorKind::refused);
}

TEST_CASE_FIXTURE(Bench, "standard input is put as it was read, and what cannot be read is an error") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const std::string content = test::many_bytes(200'000);
    std::thread writer([&] {
        for (size_t at = 0; at < content.size(); at += 1000)
            REQUIRE(::write(ends[1], content.data() + at, 1000) == 1000);
        ::close(ends[1]);
    });
    const auto input = spool_input(ends[0], folder.path(), machine, progress, {});
    writer.join();
    ::close(ends[0]);
    REQUIRE(input);
    CHECK(input->is_file());
    CHECK(input->cache_name().empty());
    const auto prepared = prepare(*input, "some/key");
    REQUIRE(prepared);
    CHECK(entries(prepared->list)[0].entry.digest.bytes == Sha256::of(content));
    const Fd unreadable(::open("/dev/null", O_WRONLY));
    CHECK_FALSE(spool_input(unreadable.get(), folder.path(), machine, progress, {}));
    REQUIRE(::pipe(ends) == 0);
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = spool_input(ends[0], folder.path(), machine, progress, stop.get_token());
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().kind() == ErrorKind::interrupted);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace zcdp::datastore
