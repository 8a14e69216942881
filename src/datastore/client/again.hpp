// What has broken off in the middle is asked for again, after a pause. That the server can be asked at all is looked
// after below (Client::send). Thread rule: the loop of whoever asks.
#pragma once

#include <cstdint>

#include "zcdp/base/error.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::datastore {

/// A server that is only asked for what it has, and says nothing for so long, is asked again.
inline constexpr uint32_t kReadSilenceMs = 30'000;

/// Whether to ask again after `error`, which ended attempt number `attempt`, from 1 on; waits first.
Task<bool> pause_before_again(Machine machine, Error error, uint32_t attempt);

}  // namespace zcdp::datastore
