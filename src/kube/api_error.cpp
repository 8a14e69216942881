// What went wrong, from a metav1.Status.
#include <boost/json/parse.hpp>
#include <charconv>
#include <stdexcept>

#include "zcdp/kube/api.hpp"

namespace zcdp::kube {
namespace {

ApiErrorKind kind_of(int http_status, std::string_view reason) {
    if (reason == "AlreadyExists") return ApiErrorKind::already_exists;
    if (reason == "Expired" || reason == "Gone") return ApiErrorKind::gone;
    switch (http_status) {
        case 400:
        case 405:
        case 406:
        case 413:
        case 415:
        case 422: return ApiErrorKind::invalid;
        case 401: return ApiErrorKind::unauthorized;
        case 403: return ApiErrorKind::forbidden;
        case 404: return ApiErrorKind::not_found;
        case 409: return ApiErrorKind::conflict;
        case 410: return ApiErrorKind::gone;
        case 429: return ApiErrorKind::throttled;
        case 408:
        case 504: return ApiErrorKind::timeout;
        default: return ApiErrorKind::server;
    }
}

}  // namespace

ApiError api_error(int http_status, std::string_view body, std::string_view retry_after) {
    std::string reason, message;
    boost::system::error_code code;
    const json::value parsed = json::parse(body, code);
    if (const json::object* status = code ? nullptr : parsed.if_object()) {
        if (const auto* text = status->if_contains("reason"); text && text->is_string())
            reason = std::string(text->get_string());
        if (const auto* text = status->if_contains("message"); text && text->is_string())
            message = std::string(text->get_string());
    }
    if (message.empty())
        message = "HTTP " + std::to_string(http_status) + (body.empty() ? "" : ": " + printable(body.substr(0, 200)));
    ApiError error(kind_of(http_status, reason), http_status, printable(message));
    uint32_t seconds = 0;
    std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
    error.set_retry_after_s(seconds);
    return error;
}

Error ApiError::to_error() const {
    ErrorKind kind = ErrorKind::failed;
    std::string hint;
    switch (kind_) {
        case ApiErrorKind::not_found: kind = ErrorKind::not_found; break;
        case ApiErrorKind::forbidden: kind = ErrorKind::denied; break;
        case ApiErrorKind::unauthorized: kind = ErrorKind::denied, hint = "check the kubeconfig's credentials"; break;
        case ApiErrorKind::invalid: kind = ErrorKind::refused; break;
        case ApiErrorKind::throttled: kind = ErrorKind::throttled; break;
        case ApiErrorKind::timeout: kind = ErrorKind::timeout; break;
        case ApiErrorKind::unreachable:
            kind = ErrorKind::unreachable, hint = "check the kubeconfig and the network";
            break;
        case ApiErrorKind::already_exists:
        case ApiErrorKind::conflict: kind = ErrorKind::busy; break;
        case ApiErrorKind::gone:
        case ApiErrorKind::server:
        case ApiErrorKind::malformed: break;
    }
    return Error(kind, message_, "the Kubernetes API", hint);
}

void throw_exception_from_error(const ApiError& error, const boost::source_location&) {
    throw std::logic_error("unchecked ApiError: " + error.message());
}

std::string Resource::api_version() const { return *group ? std::string(group) + "/" + version : version; }

std::string Resource::path(const std::string& ns, const std::string& name, const char* subresource) const {
    std::string out = *group ? std::string("/apis/") + group + "/" + version : std::string("/api/") + version;
    if (namespaced && !ns.empty()) out += "/namespaces/" + ns;
    out += std::string("/") + plural;
    if (!name.empty()) out += "/" + name;
    if (*subresource) out += std::string("/") + subresource;
    return out;
}

}  // namespace zcdp::kube
