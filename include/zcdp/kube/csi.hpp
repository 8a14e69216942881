// The CSI node plugin's server: plugin registration, Identity and Node on one unix socket that kubelet finds by itself,
// so that no sidecar is needed (docs/design.md section 7).
//
// gRPC stays behind this header. Thread rule: CsiNode is called from gRPC's threads, several at once; a call may block,
// but not for longer than kubelet waits (two minutes).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/log.hpp"

namespace zcdp::kube {

/// gRPC's status codes that the plugin uses.
enum class CsiCode {
    ok = 0,
    invalid_argument = 3,
    not_found = 5,
    permission_denied = 7,
    resource_exhausted = 8,
    failed_precondition = 9,
    aborted = 10,
    internal = 13,
    unavailable = 14
};

struct CsiStatus {
    CsiCode code = CsiCode::ok;
    std::string message;  ///< kubelet formats it again: no '%' may be in it (it is written as "percent" on the way out)
};

struct PublishRequest {
    std::string volume_id, target_path;
    bool read_only = false, has_capability = false, block = false;
    std::map<std::string, std::string> context;
    /// Whether the caller has gone away.
    std::function<bool()> cancelled;
};

struct VolumeStats {
    uint64_t total_bytes = 0, used_bytes = 0, available_bytes = 0;
    uint64_t total_inodes = 0, used_inodes = 0, available_inodes = 0;
};

class CsiNode {
  public:
    virtual ~CsiNode() = default;
    virtual CsiStatus publish(const PublishRequest& request) = 0;
    virtual CsiStatus unpublish(const std::string& volume_id, const std::string& target_path) = 0;
    virtual CsiStatus stats(const std::string& volume_id, const std::string& path, VolumeStats& stats) = 0;
    /// kubelet has accepted the plugin, or why not.
    virtual void registered(bool accepted, const std::string& error) = 0;
};

struct CsiServerOptions {
    std::string socket;  ///< /var/lib/kubelet/plugins_registry/zcdp.io-reg.sock
    std::string driver, version, node;
};

class CsiServer {
  public:
    virtual ~CsiServer() = default;  ///< removes the socket: kubelet takes the plugin off
    /// Serves on a hidden name first and renames it: kubelet never meets a socket that nobody serves.
    static Result<std::unique_ptr<CsiServer>> open(const CsiServerOptions& options, CsiNode& node, Logger& log);
};

}  // namespace zcdp::kube
