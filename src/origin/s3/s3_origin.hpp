// S3 and what speaks its protocol, as an Origin.
#pragma once

#include "src/origin/s3/shared.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin::s3 {

std::unique_ptr<Origin> make_s3_origin(std::shared_ptr<Shared> shared, asio::any_io_executor executor);

}  // namespace zcdp::origin::s3
