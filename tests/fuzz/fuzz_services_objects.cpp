// What comes from the Kubernetes API and from the controller: objects of any shape, a webhook's pod, a listing's lines,
// a mount table. Nothing may crash; what is taken must come back the same.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "src/services/agent/mount_table.hpp"
#include "src/services/backend/nested_mounts.hpp"
#include "src/services/controller/decide/decide_small.hpp"
#include "src/services/controller/webhook/mutate_pod.hpp"
#include "zcdp/api/agent.hpp"
#include "zcdp/api/dataset_key.hpp"
#include "zcdp/api/listing.hpp"

namespace {

using namespace zcdp;

template <class T>
void round_trip(const boost::json::value& value) {
    const auto parsed = api::from_json<T>(value);
    if (!parsed) return;
    const auto again = api::from_json<T>(api::to_json(*parsed));
    if (!again || !(*again == *parsed)) std::abort();
}

void mutate(const boost::json::value& value) {
    if (!value.is_object()) return;
    api::DatasetClaim claim;
    claim.metadata.name = "c", claim.metadata.namespace_ = "n";
    claim.spec.dataset = "d", claim.spec.mount_path = "/data", claim.spec.policy = api::ClaimPolicy::require;
    api::Dataset dataset;
    dataset.metadata.uid = "u";
    const std::vector<services::controller::PodClaimInput> inputs{
        {std::make_shared<const api::DatasetClaim>(claim), std::make_shared<const api::Dataset>(dataset)}};
    boost::json::object pod = value.get_object();
    if (!services::controller::mutate_pod(pod, inputs)) return;
    boost::json::object again = pod;
    if (!services::controller::mutate_pod(again, inputs) || again != pod) std::abort();
    (void)services::controller::pod_patch(value.get_object(), pod);
}

/// What a pod writes into a volume's attribute: what is read of it is written and read as the same.
void below(const std::string& attribute) {
    using namespace services::backend;
    std::vector<NestedMount> mounts = read_below(attribute);
    for (NestedMount& mount : mounts) mount.claim_volume = "v";
    const auto again = read_below(below_attribute(mounts, "v"));
    if (again.size() != mounts.size()) std::abort();
    for (size_t i = 0; i < mounts.size(); ++i)
        if (again[i].folder != mounts[i].folder || again[i].directory != mounts[i].directory) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)services::agent::data_mounts(text);
    below(std::string(text));
    if (const auto line = api::parse_listing_line(text); line && line->entry) {
        std::string back = api::listing_line(*line->entry);
        back.pop_back();
        if (const auto again = api::parse_listing_line(back); !again || *again->entry != *line->entry) std::abort();
    }
    if (const auto key = api::DatasetKey::parse(text); key && key->text() != text) std::abort();
    boost::system::error_code code;
    const boost::json::value value = boost::json::parse(text, code);
    if (code) return 0;
    round_trip<api::Dataset>(value);
    round_trip<api::DatasetClaim>(value);
    round_trip<api::NodeDataset>(value);
    round_trip<api::StorageBackend>(value);
    round_trip<api::Pod>(value);
    round_trip<api::Node>(value);
    round_trip<api::SyncLine>(value);
    mutate(value);
    return 0;
}
