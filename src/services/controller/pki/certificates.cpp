#include "src/services/controller/pki/certificates.hpp"

#include "src/services/backend/backend_access.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

constexpr const char* kSecret = "zcdp-controller-ca";
constexpr const char* kConfigMap = "zcdp-ca";
constexpr const char* kWebhook = "zcdp";
constexpr int kCaDays = 3650, kServingDays = 90;
constexpr int64_t kCaRenewS = 365 * 86'400, kServingRenewS = 30 * 86'400, kNodeS = 86'400;

Error about(kube::ApiError error, const char* what) { return Error(error.to_error().kind(), error.message(), what); }

/// 0 when it is no certificate.
int64_t ends(const std::string& pem) {
    const auto end = net::certificate_end(pem);
    return end ? *end : 0;
}

std::string text_at(const json::object& object, const char* outer, const char* name) {
    const json::value* parent = object.if_contains(outer);
    const json::value* value = parent && parent->is_object() ? parent->get_object().if_contains(name) : nullptr;
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// The first of a bundle, which is the newest; "" when there is none.
std::string first_certificate(const std::string& bundle) {
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    const size_t end = bundle.find(kEnd);
    if (end == std::string::npos) return "";
    std::string one = bundle.substr(0, end + kEnd.size()) + "\n";
    return ends(one) > 0 ? one : "";
}

}  // namespace

bool Certificates::is_usable(const net::KeyPair& ca, int64_t for_s) const {
    return net::is_key_pair(ca) && ends(ca.certificate_pem) - clock_.unix_s() > for_s;
}

Result<> Certificates::write(const net::KeyPair& ca, const std::string& previous_pem, const char* what) {
    json::object secret{{"apiVersion", "v1"},
                        {"kind", "Secret"},
                        {"type", type_.empty() ? "Opaque" : type_},
                        {"data", json::object{{"ca.crt", to_base64(ca.certificate_pem)},
                                              {"ca.key", to_base64(ca.key_pem)},
                                              {"previous.crt", to_base64(previous_pem)}}}};
    json::object metadata{{"name", kSecret}, {"namespace", namespace_}};
    if (!version_.empty()) metadata["resourceVersion"] = version_;
    secret["metadata"] = std::move(metadata);
    auto put = version_.empty() ? api_.create(kube::resources::secrets, namespace_, secret)
                                : api_.replace(kube::resources::secrets, secret);
    const bool raced = !put && (put.error().kind() == kube::ApiErrorKind::already_exists ||
                                put.error().kind() == kube::ApiErrorKind::conflict);
    if (!put && !raced) return about(put.error(), "the CA's Secret");
    if (put) log_.info(what);
    return {};
}

std::string Certificates::published() const {
    const auto map = api_.get(kube::resources::config_maps, namespace_, kConfigMap);
    return map ? text_at(*map, "data", "ca.crt") : "";
}

Result<> Certificates::make_or_restore() {
    if (is_usable(ca_, kCaRenewS))
        return write(ca_, previous_pem_, "the CA's Secret was gone or damaged, and is there again");
    ZCDP_TRY(auto fresh, net::make_ca("zcdp-ca", clock_.unix_s(), kCaDays));
    // Where nobody remembers the last CA, other replicas may still serve with it, and clients know it.
    return write(fresh, ca_.certificate_pem.empty() ? first_certificate(published()) : ca_.certificate_pem,
                 "made a new CA");
}

Result<bool> Certificates::refresh(bool leads) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        auto secret = api_.get(kube::resources::secrets, namespace_, kSecret);
        if (!secret && secret.error().kind() != kube::ApiErrorKind::not_found)
            return about(secret.error(), "the CA's Secret");
        version_ = secret ? text_at(*secret, "metadata", "resourceVersion") : "";
        const json::value* type = secret ? secret->if_contains("type") : nullptr;
        type_ = type && type->is_string() ? std::string(type->get_string()) : "";
        const net::KeyPair found =
            secret ? net::KeyPair{backend::secret_value(*secret, "ca.crt"), backend::secret_value(*secret, "ca.key")}
                   : net::KeyPair();
        const bool there = is_usable(found, 0);
        if (there) ca_ = found, previous_pem_ = backend::secret_value(*secret, "previous.crt");
        if (leads && (!there || !is_usable(found, kCaRenewS))) {
            ZCDP_CHECK(make_or_restore());
            continue;
        }
        if (!is_usable(ca_, 0)) return Error(ErrorKind::not_found, "the leader has made no CA yet");
        {
            const MutexLock lock(mutex_);
            signer_ = {ca_, bundle()};
        }
        if (serving_ca_pem_ == ca_.certificate_pem &&
            ends(serving_.certificate_pem) - clock_.unix_s() >= kServingRenewS)
            return false;
        const std::string name = "zcdp-controller." + namespace_;
        ZCDP_TRY(serving_,
                 net::issue_certificate(ca_, name + ".svc", {name + ".svc", name + ".svc.cluster.local", name},
                                        clock_.unix_s(), kServingDays));
        serving_ca_pem_ = ca_.certificate_pem;
        return true;
    }
    return Error(ErrorKind::busy, "the CA's Secret keeps changing");
}

Result<> Certificates::publish_map(const std::string& bundle) {
    const json::object map{{"apiVersion", "v1"},
                           {"kind", "ConfigMap"},
                           {"metadata", json::object{{"name", kConfigMap}, {"namespace", namespace_}}},
                           {"data", json::object{{"ca.crt", bundle}}}};
    auto have = api_.get(kube::resources::config_maps, namespace_, kConfigMap);
    if (have && have->if_contains("data") && have->at("data") == map.at("data")) return {};
    auto put = have ? api_.replace(kube::resources::config_maps, map)
                    : api_.create(kube::resources::config_maps, namespace_, map);
    if (!put) return about(put.error(), "the CA's ConfigMap");
    return {};
}

Result<> Certificates::publish_hook(const std::string& bundle) {
    auto webhook = api_.get(kube::resources::webhooks, "", kWebhook);
    if (!webhook) return about(webhook.error(), "the webhook's configuration");
    const json::value wanted(to_base64(bundle));
    // Guarded: its places are counted, and somebody else may be writing, too.
    json::array patch{json::object{{"op", "test"},
                                   {"path", "/metadata/resourceVersion"},
                                   {"value", text_at(*webhook, "metadata", "resourceVersion")}}};
    const json::value* hooks = webhook->if_contains("webhooks");
    for (size_t i = 0; hooks && hooks->is_array() && i < hooks->get_array().size(); ++i) {
        const json::object& client = hooks->get_array()[i].as_object().at("clientConfig").as_object();
        const json::value* now = client.if_contains("caBundle");
        if (!now || *now != wanted)
            patch.push_back(json::object{{"op", "add"},
                                         {"path", "/webhooks/" + std::to_string(i) + "/clientConfig/caBundle"},
                                         {"value", wanted}});
    }
    if (patch.size() == 1) return {};
    auto put = api_.patch(kube::resources::webhooks, "", kWebhook, kube::PatchKind::json_patch, patch);
    if (!put) return about(put.error(), "the webhook's configuration");
    log_.info("wrote the webhook's caBundle");
    return {};
}

Result<> Certificates::publish() {
    ZCDP_CHECK(publish_map(bundle()));
    return publish_hook(bundle());
}

Result<peers::Certified> Certificates::sign_for_node(const std::string& request_pem, const std::string& node) const {
    Signer signer;
    {
        const MutexLock lock(mutex_);
        signer = signer_;
    }
    if (signer.bundle_pem.empty()) return Error(ErrorKind::busy, "the leader has made no CA yet");
    // Who trusts the CA for the webhook must not find a node behind that name.
    const std::string own = "zcdp-controller." + namespace_;
    if (node == own || node.starts_with(own + "."))
        return Error(ErrorKind::refused, "is a name of the controllers, not a node's", node);
    ZCDP_TRY(auto certificate,
             net::sign_certificate_request(signer.ca, request_pem, node, {node}, clock_.unix_s(), kNodeS));
    return peers::Certified{std::move(certificate), std::move(signer.bundle_pem)};
}

}  // namespace zcdp::services::controller
