// What an entry of an origin is called in a manifest. Pure.
#pragma once

#include "zcdp/origin/origin.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::sync {

constexpr store::FileKind file_kind(origin::EntryKind kind) {
    switch (kind) {
        case origin::EntryKind::file: return store::FileKind::file;
        case origin::EntryKind::directory: return store::FileKind::directory;
        case origin::EntryKind::symlink: return store::FileKind::symlink;
        case origin::EntryKind::other: break;  // refused before anything is made of it
    }
    return store::FileKind::file;
}

}  // namespace zcdp::sync
