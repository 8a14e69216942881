// What an origin states of an object's content, as the store's index remembers it. Pure.
#pragma once

#include <string>

#include "zcdp/origin/origin.hpp"

namespace zcdp::sync {

/// "sha256:HEX", "sha256 of N parts:HEX", "crc64nvme:HEX", "crc64xz:HEX"; "" for what tells too few contents apart
/// (CRCs of 32 bits) or what a service keeps as the uploader wrote it (MD5, which Azure does not check).
std::string stated_sum(const origin::ObjectChecksum& checksum);

/// Whether nobody can make another content that has it. Such a sum means the same to whoever may read the object; a CRC
/// only to those who fetched the other one themselves, for anybody can write an object that has a CRC of his choice.
bool is_unforgeable(const origin::ObjectChecksum& checksum);

}  // namespace zcdp::sync
