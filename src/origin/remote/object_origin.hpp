// An Origin over any Protocol: every answer is checked against what was asked for before a byte of it is handed out.
#pragma once

#include <memory>

#include "src/origin/remote/requester.hpp"

namespace zcdp::origin {

std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Remote> remote, std::unique_ptr<Protocol> protocol,
                                           asio::any_io_executor executor);
/// The same on a Requester that others use as well.
std::unique_ptr<Origin> make_object_origin(std::shared_ptr<Requester> requester);

}  // namespace zcdp::origin
