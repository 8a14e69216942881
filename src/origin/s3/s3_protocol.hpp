// S3 (docs.aws.amazon.com/AmazonS3/latest/API): signed requests to one bucket, and what its answers mean.
// Thread rule: belongs to its loop; what it shares with the other loops is S3Bucket.
#pragma once

#include <memory>

#include "src/origin/remote/protocol.hpp"
#include "src/origin/s3/answers.hpp"
#include "src/origin/s3/s3_bucket.hpp"

namespace zcdp::origin::s3 {

std::unique_ptr<Protocol> make_s3_protocol(std::shared_ptr<S3Bucket> shared);

}  // namespace zcdp::origin::s3
