// What a data store's server counts. Thread rule: constants.
#pragma once

#include "zcdp/base/metrics.hpp"

namespace zcdp::datastore::metric {

inline constexpr MetricName requests{"zcdp_datastore_requests_total", "Requests answered, whatever the answer."};
inline constexpr MetricName refused{"zcdp_datastore_requests_refused_total",
                                    "What reached the server and was no request that it understands."};
inline constexpr MetricName denied{"zcdp_datastore_requests_denied_total",
                                   "Requests without a token that counts, or without the right."};
inline constexpr MetricName received_bytes{"zcdp_datastore_received_bytes_total",
                                           "Bytes of chunks that clients uploaded."};
inline constexpr MetricName sent_bytes{"zcdp_datastore_sent_bytes_total",
                                       "Bytes of files and manifests that clients were answered."};
inline constexpr MetricName copied_bytes{
    "zcdp_datastore_copied_bytes_total",
    "Bytes of chunks that an upload needed and that were in another file of the store: nobody sent them."};
inline constexpr MetricName versions{"zcdp_datastore_versions_total", "Versions that keys were switched to."};
inline constexpr MetricName keys{"zcdp_datastore_keys", "Keys."};
inline constexpr MetricName blob_bytes{"zcdp_datastore_blob_bytes",
                                       "Bytes of files in the store, each content once; what quotas are held against."};
inline constexpr MetricName uploads{"zcdp_datastore_uploads", "Uploads that have begun and have not ended."};
inline constexpr MetricName evicted{"zcdp_datastore_snapshots_evicted_total",
                                    "Snapshots that no version needed any more and that are gone."};
inline constexpr MetricName upkeep_errors{"zcdp_datastore_upkeep_errors_total",
                                          "Attempts to take away what is needed no more that failed; each is tried "
                                          "again."};

}  // namespace zcdp::datastore::metric
