// The Kubernetes API as a blocking interface: what controllers, the agent and the command line ask of it.
//
// One implementation speaks HTTPS (kube::connect), one keeps everything in memory for simulations (tests/support).
// Thread rule: any thread; a call blocks its thread, never longer than its deadline. Objects are JSON: typed structs
// are made from them with api::from_json, so that only the fields in use are kept.
// Source of the protocol: kubernetes.io/docs/reference/using-api/api-concepts.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/net/endpoint.hpp"

namespace zcdp::kube {

namespace json = boost::json;

/// Why a call failed: the API server's own reason, or that it could not be asked.
enum class ApiErrorKind {
    not_found,
    already_exists,
    conflict,
    gone,
    invalid,
    forbidden,
    unauthorized,
    throttled,
    server,
    unreachable,
    timeout,
    malformed
};

class [[nodiscard]] ApiError {
  public:
    ApiError() = default;
    ApiError(ApiErrorKind kind, int status, std::string message)
        : kind_(kind), status_(status), message_(std::move(message)) {}
    ApiErrorKind kind() const { return kind_; }
    int http_status() const { return status_; }  ///< 0: there was no answer
    const std::string& message() const { return message_; }
    uint32_t retry_after_s() const { return retry_after_s_; }
    void set_retry_after_s(uint32_t seconds) { retry_after_s_ = seconds; }
    /// For people and exit codes.
    Error to_error() const;

  private:
    ApiErrorKind kind_ = ApiErrorKind::server;
    int status_ = 0;
    std::string message_;
    uint32_t retry_after_s_ = 0;
};

template <class T = void>
using ApiResult = boost::system::result<T, ApiError>;
[[noreturn]] void throw_exception_from_error(const ApiError& error, const boost::source_location& where);

/// The error that an answer with this HTTP status and body (a metav1.Status, or anything) stands for. Pure.
ApiError api_error(int http_status, std::string_view body, std::string_view retry_after);

/// A kind's place in the API.
struct Resource {
    const char* group;  ///< "" for core
    const char* version;
    const char* plural;
    const char* kind;
    bool namespaced;

    std::string api_version() const;
    /// "/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME"; `ns` "" means all namespaces, `name` "" the collection.
    std::string path(const std::string& ns, const std::string& name = {}, const char* subresource = "") const;
};

namespace resources {
inline constexpr Resource pods{"", "v1", "pods", "Pod", true};
inline constexpr Resource nodes{"", "v1", "nodes", "Node", false};
inline constexpr Resource namespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr Resource secrets{"", "v1", "secrets", "Secret", true};
inline constexpr Resource config_maps{"", "v1", "configmaps", "ConfigMap", true};
inline constexpr Resource services{"", "v1", "services", "Service", true};
inline constexpr Resource service_accounts{"", "v1", "serviceaccounts", "ServiceAccount", true};
inline constexpr Resource events{"", "v1", "events", "Event", true};
inline constexpr Resource leases{"coordination.k8s.io", "v1", "leases", "Lease", true};
inline constexpr Resource deployments{"apps", "v1", "deployments", "Deployment", true};
inline constexpr Resource daemon_sets{"apps", "v1", "daemonsets", "DaemonSet", true};
inline constexpr Resource roles{"rbac.authorization.k8s.io", "v1", "roles", "Role", true};
inline constexpr Resource csi_nodes{"storage.k8s.io", "v1", "csinodes", "CSINode", false};
inline constexpr Resource webhooks{"admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations",
                                   "MutatingWebhookConfiguration", false};
inline constexpr Resource token_reviews{"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false};
inline constexpr Resource subject_access_reviews{"authorization.k8s.io", "v1", "subjectaccessreviews",
                                                 "SubjectAccessReview", false};
inline constexpr Resource crds{"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
                               false};
inline constexpr Resource backends{"zcdp.io", "v1alpha1", "storagebackends", "StorageBackend", false};
inline constexpr Resource datasets{"zcdp.io", "v1alpha1", "datasets", "Dataset", true};
inline constexpr Resource claims{"zcdp.io", "v1alpha1", "datasetclaims", "DatasetClaim", true};
inline constexpr Resource node_datasets{"zcdp.io", "v1alpha1", "nodedatasets", "NodeDataset", false};
}  // namespace resources

enum class PatchKind { merge, json_patch, strategic, apply };

struct ListOptions {
    std::string ns, label_selector, field_selector;
    uint32_t page = 500;      ///< objects a request
    bool from_cache = false;  ///< resourceVersion=0: what the API server has at hand, perhaps a little old
};

struct WatchOptions {
    std::string ns, label_selector, field_selector, resource_version;
    uint32_t timeout_s = 290;  ///< the server ends the stream then
};

struct WatchEvent {
    enum class Type { added, modified, deleted, bookmark } type;
    json::object object;
};

class Api {
  public:
    virtual ~Api() = default;
    virtual ApiResult<json::object> get(const Resource& resource, const std::string& ns, const std::string& name) = 0;
    /// All objects, in pages; `each` is called for every one. Returns the list's resourceVersion. gone: begin again.
    virtual ApiResult<std::string> list(const Resource& resource, const ListOptions& options,
                                        const std::function<void(json::object&&)>& each) = 0;
    /// Calls back for every event until the stream ends (no error), the token stops it (no error), or it fails.
    /// gone: the resourceVersion is too old, list again. A stream that says nothing for 150 s has ended.
    virtual ApiResult<> watch(const Resource& resource, const WatchOptions& options,
                              const std::function<void(WatchEvent&&)>& on_event, std::stop_token stop) = 0;
    virtual ApiResult<json::object> create(const Resource& resource, const std::string& ns, const json::object& object,
                                           const char* subresource = "", const std::string& name = {}) = 0;
    /// PUT; the object's resourceVersion guards it (conflict).
    virtual ApiResult<json::object> replace(const Resource& resource, const json::object& object,
                                            const char* subresource = "") = 0;
    virtual ApiResult<json::object> patch(const Resource& resource, const std::string& ns, const std::string& name,
                                          PatchKind kind, const json::value& body, const char* subresource = "") = 0;
    /// `uid`, if not empty, must still be the object's (conflict).
    virtual ApiResult<> remove(const Resource& resource, const std::string& ns, const std::string& name,
                               const std::string& uid = {}) = 0;
    /// GET of any path, such as "/version": the body as it is.
    virtual ApiResult<std::string> raw_get(const std::string& path) = 0;
};

/// How a cluster is reached, and as whom.
struct Connection {
    std::string server;  ///< https://HOST:PORT
    std::string ca_pem, client_cert_pem, client_key_pem, tls_server_name;
    std::string token, token_file;  ///< a file is read again every minute
    std::string ca_file;            ///< read again when it changed (in-cluster)
    net::Proxies proxies;           ///< the kubeconfig's proxy-url, or the environment's
    std::string default_namespace = "default";
    std::string described;  ///< where this came from, for messages
    bool insecure_skip_tls_verify = false;
};

/// From a kubeconfig's text. `context` "" is its current one. exec plugins are run here. Errors: usage, failed.
Result<Connection> connection_from_kubeconfig(const std::string& text, const std::string& folder,
                                              const std::string& context, Fs& fs,
                                              std::string (*environment)(const char*));
/// --kubeconfig, $KUBECONFIG (the first file that is there), ~/.kube/config, or the pod's own ServiceAccount when this
/// runs in a cluster. Errors: usage, not_found: nothing of these is there.
Result<Connection> find_connection(const std::string& kubeconfig_flag, const std::string& context, Fs& fs,
                                   std::string (*environment)(const char*));

/// The real one. Makes a loop of its own on a thread of its own; destroyed only when nobody is in a call. The
/// references must outlive it.
std::unique_ptr<Api> connect(Connection connection, std::string user_agent, Fs& fs, const Clock& clock,
                             Metrics& metrics, Logger& log);

}  // namespace zcdp::kube
