#include "src/services/controller/peers/meetings.hpp"

#include <algorithm>
#include <utility>

#include "src/services/controller/decide/revision_source.hpp"
#include "src/services/peers/wire.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::services::controller {
namespace {

using net::server::ControlResponse;
using swarm::MemberNews;

constexpr size_t kHoldersMost = 8;
constexpr int64_t kForgetNs = 30'000'000'000;
/// Who asks again within this time keeps its connection; those of thousands that rest would be in the webhook's way.
constexpr uint64_t kKeptMs = 1'000;
constexpr const char* kZoneLabel = "topology.kubernetes.io/zone";

ControlResponse plain(int status, std::string text) { return {status, "text/plain", std::move(text) + "\n"}; }

bool has_revision(const api::DatasetStatus& status, const Revision& revision) {
    return !revision.empty() && (status.revision == revision || find_version(status, revision));
}

/// Another node may get it there.
bool is_given(const api::NodeDataset& one, const Revision& revision) {
    return one.spec.revision == revision && one.spec.wanted != api::Wanted::evict &&
           one.status.phase == api::Phase::ready && peers::is_peer_address(one.status.peer_address);
}

}  // namespace

Meetings::Meetings(const World& world, std::function<bool()> leads, const Clock& clock, Random& random)
    : world_(world), leads_(std::move(leads)), random_(random), introducer_(clock, random), clock_(clock) {}

std::string Meetings::zone_of(const std::string& name) const {
    const auto node = world_.nodes.get(name);
    if (!node) return "";
    const auto label = node->metadata.labels.find(kZoneLabel);
    return label == node->metadata.labels.end() ? "" : label->second;
}

std::vector<MemberNews> Meetings::holders_for(const MemberNews& asker, const api::Dataset& dataset,
                                              const Revision& revision) {
    std::vector<MemberNews> out;
    Objects<api::NodeDataset> others;
    const auto take = [&](const api::NodeDataset& one) {
        const auto at = world_.nodes.get(one.spec.node);
        if (!at || !at->ready()) return;
        MemberNews news;
        news.name = one.spec.node, news.address = one.status.peer_address, news.zone = zone_of(news.name);
        news.is_holder = true;
        out.push_back(std::move(news));
    };
    for (const auto& one : world_.node_datasets.by_index(dataset.metadata.uid)) {
        const std::string& node = one->spec.node;
        if (node == asker.name || one->metadata.deleting() || !is_given(*one, revision)) continue;
        const bool is_known =
            std::find(asker.neighbours.begin(), asker.neighbours.end(), node) != asker.neighbours.end();
        if (is_known) take(*one);
        else others.push_back(one);
    }
    const size_t count = std::min(others.size(), kHoldersMost);
    for (size_t i = 0; i < count; ++i) {
        std::swap(others[i], others[i + random_.below(others.size() - i)]);
        take(*others[i]);
    }
    return out;
}

ControlResponse Meetings::answer(const net::server::Request& request, const std::string& body) {
    if (!leads_()) {
        ControlResponse elsewhere = plain(503, "another controller leads");
        elsewhere.is_last = true;
        return elsewhere;
    }
    const std::string* const name = request.query_value("dataset");
    const std::string* const wanted = request.query_value("revision");
    if (!name || !wanted) return plain(400, "write /v1/peers?dataset=NAMESPACE/NAME&revision=REVISION");
    auto news = peers::read_news(body);
    if (!news) return plain(400, news.error().line());
    if (news->name != request.user && !faults::broken("token-node"))
        return plain(403, "the token is of another node than the news");
    const auto key = api::DatasetKey::parse(*name);
    const auto dataset = key ? world_.dataset(*key) : nullptr;
    const Revision revision(*wanted);
    if (!dataset || !has_revision(dataset->status, revision))
        return plain(404, "there is no such revision of a Dataset");
    if (std::string zone = zone_of(news->name); !zone.empty()) news->zone = std::move(zone);
    const std::string swarm = dataset->metadata.uid + "/" + revision.str();
    const auto holders = holders_for(*news, *dataset, revision);
    const MutexLock lock(mutex_);
    if (const int64_t now_ns = clock_.monotonic_ns(); now_ns - forgot_ns_ >= kForgetNs) {
        introducer_.forget_silent();
        forgot_ns_ = now_ns;
    }
    for (const MemberNews& holder : holders)
        if (const auto heard = introducer_.hear_of_holder(swarm, holder); !heard) break;
    auto met = introducer_.meet(swarm, *news);
    if (!met) return plain(429, met.error().line());
    if (const auto* version = find_version(dataset->status, revision)) met->snapshot = version->snapshot;
    ControlResponse response{200, "application/json", peers::to_text(*met)};
    response.is_last = met->again_ms > kKeptMs;
    return response;
}

}  // namespace zcdp::services::controller
