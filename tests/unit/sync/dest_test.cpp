// A DEST holds what every way to put a tree into a directory promises (tests/support/fill_conformance.hpp).
#include "tests/support/doctest.hpp"

#include "src/sync/place/dest.hpp"
#include "tests/support/fill_conformance.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::sync;
using namespace zcdp::test;

namespace {

Result<> placed(Fs& fs, const TestTree& tree, const std::string& target, const store::FillOptions& options) {
    static Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    ZCDP_TRY(const auto dest, Dest::open(target, fs, system_clock(), system_random(), {"test", 0, {}, log}));
    dest->take_from(*system_fs().open(AT_FDCWD, tree.path().c_str(), O_RDONLY | O_DIRECTORY), options.way);
    for (const store::ManifestEntry& entry : tree.manifest_entries()) ZCDP_CHECK(dest->place(entry, {}));
    ZCDP_CHECK(dest->finish(false));
    return {};
}

}  // namespace

TEST_CASE("a DEST is filled as promised, by link, reflink and copy") {
    for (const store::Way way : {store::Way::link, store::Way::clone_or_copy, store::Way::copy}) {
        CAPTURE(static_cast<int>(way));
        for (const std::string& line : FillConformance({placed, false}, way).violations()) FAIL_CHECK(line);
    }
}
