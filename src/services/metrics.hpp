// What agents, controllers and zcdp serve count; what the controller says of each Dataset: controller/dataset_metrics.
// Thread rule: constants.
#pragma once

#include "zcdp/base/metrics.hpp"

namespace zcdp::services::metric {

// Agent and controller
inline constexpr MetricName reconcile_errors{"zcdp_reconcile_errors_total",
                                             "Looks at an object that ended in an error, and come again later."};
inline constexpr MetricName queue_depth{"zcdp_queue_depth",
                                        "Objects waiting to be looked at: it goes back to 0 where all is well."};

// Controller
inline constexpr MetricName reconciles{"zcdp_reconciles_total", "Looks at an object."};
inline constexpr MetricName repairs{
    "zcdp_repairs_total", "Objects of its own set-up that the controller found changed or deleted, and put back."};

// Agent: its store
inline constexpr MetricName store_bytes{"zcdp_store_bytes", "Bytes of blobs in the store."};
inline constexpr MetricName store_evictable_bytes{"zcdp_store_evictable_bytes",
                                                  "Of zcdp_store_bytes, those that may be evicted now."};
inline constexpr MetricName store_partial_bytes{"zcdp_store_partial_bytes", "Bytes of files that are being filled."};
inline constexpr MetricName store_free_bytes{"zcdp_store_free_bytes", "Bytes free on the store's file system."};
inline constexpr MetricName store_snapshots{"zcdp_store_snapshots", "Snapshots in the store."};
inline constexpr MetricName evictions{"zcdp_evictions_total",
                                      "Snapshots that were evicted because the controller wanted it."};

// Agent: syncs (failures and reused bytes with the labels namespace, dataset and backend) and mounts
inline constexpr MetricName sync_seconds{"zcdp_sync_seconds", "Syncs of datasets that ended well."};
inline constexpr MetricName sync_failures{"zcdp_sync_failures_total",
                                          "Attempts to sync a dataset that failed; each is tried again."};
inline constexpr MetricName reused_bytes{"zcdp_reused_bytes_total",
                                         "Bytes of datasets that were in the store already and were not fetched."};
inline constexpr MetricName mount_seconds{"zcdp_mount_seconds",
                                          "Volumes that were mounted, waiting for data included."};
inline constexpr MetricName mount_failures{
    "zcdp_mount_failures_total",
    "NodePublishVolume calls that failed; kubelet calls again, so a long wait for data counts some."};

// Agent: other nodes
inline constexpr MetricName peer_bytes{"zcdp_peer_bytes_total",
                                       "Bytes of datasets between nodes, by direction: sent, received."};

// zcdp serve
inline constexpr MetricName serve_requests{"zcdp_serve_requests_total", "Requests answered by zcdp serve."};
inline constexpr MetricName serve_bytes{"zcdp_serve_bytes_total", "Body bytes sent by zcdp serve."};
inline constexpr MetricName serve_refused{"zcdp_serve_requests_refused_total",
                                          "What reached zcdp serve and was no request that it understands."};
inline constexpr MetricName serve_folder_reads{"zcdp_serve_folder_reads_total",
                                               "Folders that zcdp serve read from end to end for listings."};
inline constexpr MetricName serve_left_out{
    "zcdp_serve_left_out_entries",
    "Symlinks, special files and names that are no keys, which zcdp serve does not show, in the folders listed so "
    "far."};

}  // namespace zcdp::services::metric
