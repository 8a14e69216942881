// Any bytes as a manifest on disk: entries or `corrupt`. What was read whole writes back to the same id.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "zcdp/store/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace zcdp;
    const Fd in(::memfd_create("manifest", 0)), out(::memfd_create("again", 0));
    if (::write(in.get(), data, size) != static_cast<ssize_t>(size)) return 0;
    const auto reader = store::ManifestReader::create(system_fs(), in.get());
    const auto writer = store::ManifestWriter::create(system_fs(), out.get());
    while (true) {
        auto entry = reader->next();
        if (!entry) return 0;
        if (!*entry) break;
        if (!writer->add(**entry)) std::abort();
    }
    const auto id = writer->finish();
    if (!id || *id != reader->id()) std::abort();
    return 0;
}
