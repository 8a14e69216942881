// The gRPC side of the node plugin: turns messages into CsiNode's calls and back. Synchronous API: a publish that waits
// for data holds one of gRPC's threads, of which there are as many as there are calls.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>

#include "csi.grpc.pb.h"
#include "registration.grpc.pb.h"
#include "zcdp/kube/csi.hpp"

namespace zcdp::kube {
namespace {

grpc::Status to_grpc(CsiStatus status) {
    if (status.code == CsiCode::ok) return grpc::Status::OK;
    for (size_t at; (at = status.message.find('%')) != std::string::npos;) status.message.replace(at, 1, " percent");
    return grpc::Status(static_cast<grpc::StatusCode>(status.code), status.message);
}

class IdentityService final : public csi::v1::Identity::Service {
  public:
    explicit IdentityService(const CsiServerOptions& options) : options_(options) {}
    grpc::Status GetPluginInfo(grpc::ServerContext*, const csi::v1::GetPluginInfoRequest*,
                               csi::v1::GetPluginInfoResponse* out) override {
        out->set_name(options_.driver);
        out->set_vendor_version(options_.version);
        return grpc::Status::OK;
    }
    grpc::Status GetPluginCapabilities(grpc::ServerContext*, const csi::v1::GetPluginCapabilitiesRequest*,
                                       csi::v1::GetPluginCapabilitiesResponse*) override {
        return grpc::Status::OK;
    }
    grpc::Status Probe(grpc::ServerContext*, const csi::v1::ProbeRequest*, csi::v1::ProbeResponse*) override {
        return grpc::Status::OK;
    }

  private:
    const CsiServerOptions& options_;
};

class NodeService final : public csi::v1::Node::Service {
  public:
    NodeService(const CsiServerOptions& options, CsiNode& node) : options_(options), node_(node) {}

    grpc::Status NodePublishVolume(grpc::ServerContext* context, const csi::v1::NodePublishVolumeRequest* in,
                                   csi::v1::NodePublishVolumeResponse*) override {
        PublishRequest request;
        request.volume_id = in->volume_id();
        request.target_path = in->target_path();
        request.read_only = in->readonly();
        request.has_capability = in->has_volume_capability();
        request.block = in->volume_capability().has_block();
        request.context.insert(in->volume_context().begin(), in->volume_context().end());
        request.cancelled = [context] { return context->IsCancelled(); };
        return to_grpc(node_.publish(request));
    }
    grpc::Status NodeUnpublishVolume(grpc::ServerContext*, const csi::v1::NodeUnpublishVolumeRequest* in,
                                     csi::v1::NodeUnpublishVolumeResponse*) override {
        return to_grpc(node_.unpublish(in->volume_id(), in->target_path()));
    }
    grpc::Status NodeGetVolumeStats(grpc::ServerContext*, const csi::v1::NodeGetVolumeStatsRequest* in,
                                    csi::v1::NodeGetVolumeStatsResponse* out) override {
        VolumeStats stats;
        const CsiStatus status = node_.stats(in->volume_id(), in->volume_path(), stats);
        if (status.code != CsiCode::ok) return to_grpc(status);
        add(*out, csi::v1::VolumeUsage::BYTES, stats.total_bytes, stats.used_bytes, stats.available_bytes);
        add(*out, csi::v1::VolumeUsage::INODES, stats.total_inodes, stats.used_inodes, stats.available_inodes);
        return grpc::Status::OK;
    }
    grpc::Status NodeGetCapabilities(grpc::ServerContext*, const csi::v1::NodeGetCapabilitiesRequest*,
                                     csi::v1::NodeGetCapabilitiesResponse* out) override {
        out->add_capabilities()->mutable_rpc()->set_type(csi::v1::NodeServiceCapability::RPC::GET_VOLUME_STATS);
        return grpc::Status::OK;
    }
    grpc::Status NodeGetInfo(grpc::ServerContext*, const csi::v1::NodeGetInfoRequest*,
                             csi::v1::NodeGetInfoResponse* out) override {
        out->set_node_id(options_.node);
        return grpc::Status::OK;
    }

  private:
    static void add(csi::v1::NodeGetVolumeStatsResponse& out, csi::v1::VolumeUsage::Unit unit, uint64_t total,
                    uint64_t used, uint64_t available) {
        auto* usage = out.add_usage();
        usage->set_unit(unit);
        usage->set_total(static_cast<int64_t>(total));
        usage->set_used(static_cast<int64_t>(used));
        usage->set_available(static_cast<int64_t>(available));
    }
    const CsiServerOptions& options_;
    CsiNode& node_;
};

class RegistrationService final : public pluginregistration::Registration::Service {
  public:
    RegistrationService(const CsiServerOptions& options, CsiNode& node) : options_(options), node_(node) {}
    grpc::Status GetInfo(grpc::ServerContext*, const pluginregistration::InfoRequest*,
                         pluginregistration::PluginInfo* out) override {
        out->set_type("CSIPlugin");
        out->set_name(options_.driver);
        out->add_supported_versions("1.0.0");  // endpoint left empty: this very socket
        return grpc::Status::OK;
    }
    grpc::Status NotifyRegistrationStatus(grpc::ServerContext*, const pluginregistration::RegistrationStatus* in,
                                          pluginregistration::RegistrationStatusResponse*) override {
        node_.registered(in->plugin_registered(), in->error());
        return grpc::Status::OK;
    }

  private:
    const CsiServerOptions& options_;
    CsiNode& node_;
};

class GrpcCsiServer final : public CsiServer {
  public:
    GrpcCsiServer(CsiServerOptions options, CsiNode& node)
        : options_(std::move(options)), identity_(options_), node_(options_, node), registration_(options_, node) {}
    ~GrpcCsiServer() override {
        if (server_) {
            ::unlink(options_.socket.c_str());
            server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
        }
    }
    Result<> open() {
        const size_t slash = options_.socket.rfind('/');
        const std::string hidden = options_.socket.substr(0, slash + 1) + "." + options_.driver + ".tmp.sock";
        ::unlink(hidden.c_str());
        grpc::ServerBuilder builder;
        builder.AddListeningPort("unix:" + hidden, grpc::InsecureServerCredentials());
        builder.RegisterService(&identity_);
        builder.RegisterService(&node_);
        builder.RegisterService(&registration_);
        server_ = builder.BuildAndStart();
        if (!server_) return Error(ErrorKind::failed, "gRPC cannot listen", options_.socket);
        if (::rename(hidden.c_str(), options_.socket.c_str()) != 0)
            return errno_error(errno, "renaming", options_.socket);
        return {};
    }

  private:
    const CsiServerOptions options_;
    IdentityService identity_;
    NodeService node_;
    RegistrationService registration_;
    std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<CsiServer>> CsiServer::open(const CsiServerOptions& options, CsiNode& node, Logger&) {
    auto server = std::make_unique<GrpcCsiServer>(options, node);
    ZCDP_CHECK(server->open());
    return std::unique_ptr<CsiServer>(std::move(server));
}

}  // namespace zcdp::kube
