#include "src/services/controller/certificates.hpp"

#include "src/services/cluster/backend_access.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::services {
namespace {

namespace json = boost::json;

constexpr const char* kSecret = "zcdp-controller-ca";
constexpr const char* kConfigMap = "zcdp-ca";
constexpr const char* kWebhook = "zcdp";
constexpr int kCaDays = 3650, kServingDays = 90;
constexpr int64_t kCaRenewS = 365 * 86'400, kServingRenewS = 30 * 86'400;

Error about(kube::ApiError error, const char* what) { return Error(error.to_error().kind(), error.message(), what); }

/// 0 when it is no certificate.
int64_t ends(const std::string& pem) {
    const auto end = net::certificate_end(pem);
    return end ? *end : 0;
}

}  // namespace

Result<> Certificates::make_or_renew() {
    ZCDP_TRY(auto fresh, net::make_ca("zcdp-ca", clock_.unix_s(), kCaDays));
    json::object secret{{"apiVersion", "v1"}, {"kind", "Secret"}, {"type", "Opaque"},
                        {"data", json::object{{"ca.crt", to_base64(fresh.certificate_pem)}, {"ca.key", to_base64(fresh.key_pem)}, {"previous.crt", to_base64(ca_.certificate_pem)}}}};
    json::object metadata{{"name", kSecret}, {"namespace", namespace_}};
    if (!version_.empty()) metadata["resourceVersion"] = version_;
    secret["metadata"] = std::move(metadata);
    auto put = version_.empty() ? api_.create(kube::resources::secrets, namespace_, secret) : api_.replace(kube::resources::secrets, secret);
    if (!put && put.error().kind() != kube::ApiErrorKind::already_exists && put.error().kind() != kube::ApiErrorKind::conflict) return about(put.error(), "the CA's Secret");
    if (put) log_.info("made a new CA");
    return {};
}

Result<bool> Certificates::refresh(bool leads) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        auto secret = api_.get(kube::resources::secrets, namespace_, kSecret);
        if (!secret && secret.error().kind() != kube::ApiErrorKind::not_found) return about(secret.error(), "the CA's Secret");
        std::string before = ca_.certificate_pem;
        if (secret) {
            ca_ = {secret_value(*secret, "ca.crt"), secret_value(*secret, "ca.key")};
            previous_pem_ = secret_value(*secret, "previous.crt");
            version_ = std::string(secret->at("metadata").as_object().at("resourceVersion").as_string());
        }
        const bool usable = secret && ends(ca_.certificate_pem) - clock_.unix_s() > kCaRenewS;
        if (usable || (secret && !leads)) {
            const bool stale = before != ca_.certificate_pem || ends(serving_.certificate_pem) - clock_.unix_s() < kServingRenewS;
            if (!stale) return false;
            const std::string name = "zcdp-controller." + namespace_;
            ZCDP_TRY(serving_, net::issue_certificate(ca_, name + ".svc", {name + ".svc", name + ".svc.cluster.local", name}, clock_.unix_s(), kServingDays));
            return true;
        }
        if (!leads) return Error(ErrorKind::not_found, "the leader has made no CA yet");
        ZCDP_CHECK(make_or_renew());
    }
    return Error(ErrorKind::busy, "the CA's Secret keeps changing");
}

Result<> Certificates::publish() {
    const std::string bundle = ca_.certificate_pem + previous_pem_;
    const json::object map{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", json::object{{"name", kConfigMap}, {"namespace", namespace_}}},
                           {"data", json::object{{"ca.crt", bundle}}}};
    auto have = api_.get(kube::resources::config_maps, namespace_, kConfigMap);
    const bool same = have && have->if_contains("data") && have->at("data") == map.at("data");
    if (!same) {
        auto put = have ? api_.replace(kube::resources::config_maps, map) : api_.create(kube::resources::config_maps, namespace_, map);
        if (!put) return about(put.error(), "the CA's ConfigMap");
    }
    auto webhook = api_.get(kube::resources::webhooks, "", kWebhook);
    if (!webhook) return about(webhook.error(), "the webhook's configuration");
    const json::value wanted(to_base64(bundle));
    json::array patch;
    const json::value* hooks = webhook->if_contains("webhooks");
    for (size_t i = 0; hooks && hooks->is_array() && i < hooks->get_array().size(); ++i) {
        const json::object& client = hooks->get_array()[i].as_object().at("clientConfig").as_object();
        const json::value* now = client.if_contains("caBundle");
        if (!now || *now != wanted) patch.push_back(json::object{{"op", "add"}, {"path", "/webhooks/" + std::to_string(i) + "/clientConfig/caBundle"}, {"value", wanted}});
    }
    if (patch.empty()) return {};
    auto put = api_.patch(kube::resources::webhooks, "", kWebhook, kube::PatchKind::json_patch, patch);
    if (!put) return about(put.error(), "the webhook's configuration");
    return {};
}

}  // namespace zcdp::services
