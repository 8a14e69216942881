#include "src/services/peers/wire.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include "zcdp/api/codec.hpp"
#include "zcdp/base/json_parse.hpp"
#include "zcdp/net/endpoint.hpp"

namespace zcdp::services::peers {
namespace {

using swarm::Introduction;
using swarm::MemberNews;

constexpr unsigned kDepthMost = 4;
/// Of each list; the Introducer's own are 16 and 64.
constexpr size_t kNamesMost = 256;

struct NewsForm {
    MemberNews news;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("name", self.news.name), field("address", self.news.address), field("zone", self.news.zone);
        field("holder", self.news.is_holder), field("piecesDone", self.news.pieces_done);
        field("neighbours", self.news.neighbours);
        field("drawnBytes", self.news.drawn_bytes), field("extraMostBytes", self.news.extra.most_bytes);
        field("extraGrantedBytes", self.news.extra.granted_bytes);
        field("extraWantedBytes", self.news.extra.wanted_bytes);
    }
};

struct NeighbourForm {
    Introduction::Neighbour neighbour;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("name", self.neighbour.name), field("address", self.neighbour.address);
        field("holder", self.neighbour.is_holder);
    }
};

struct IntroductionForm {
    std::vector<NeighbourForm> neighbours;
    Introduction rest;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("neighbours", self.neighbours), field("gone", self.rest.gone), field("owners", self.rest.owners);
        field("members", self.rest.members), field("holders", self.rest.holders);
        field("againMs", self.rest.again_ms), field("snapshot", self.rest.snapshot);
        field("drawnBytes", self.rest.drawn_bytes), field("extraGrantedBytes", self.rest.granted_bytes);
    }
};

struct CertifiedForm {
    Certified certified;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("certificate", self.certified.certificate_pem), field("ca", self.certified.ca_pem);
    }
};

template <class Form>
std::string text_of_form(const Form& form) {
    return boost::json::serialize(api::to_json(form));
}

template <class Form>
Result<Form> form_of(std::string_view text, const char* what) {
    const auto value = text.size() <= kBodyBytesMost ? parse_json(text, kDepthMost) : std::nullopt;
    if (!value || !value->is_object()) return Error(ErrorKind::refused, "is no JSON object, or longer than any", what);
    auto form = api::from_json<Form>(*value);
    if (!form) return Error(ErrorKind::refused, form.error().what(), what);
    return form;
}

bool are_names(const std::vector<std::string>& names) {
    return names.size() <= kNamesMost && std::all_of(names.begin(), names.end(), swarm::is_member_word);
}

}  // namespace

std::string peers_target(const api::DatasetKey& dataset, const Revision& revision) {
    return std::string(kPeersPath) + "?dataset=" + dataset.text() + "&revision=" + revision.str();
}

bool is_peer_address(std::string_view address) {
    const auto endpoint = net::Endpoint::parse("https://" + std::string(address));
    return endpoint && endpoint->host_and_port() == address;
}

std::string to_text(const MemberNews& news) { return text_of_form(NewsForm{news}); }

Result<MemberNews> read_news(std::string_view text) {
    ZCDP_TRY(auto form, form_of<NewsForm>(text, "a member's news"));
    MemberNews& news = form.news;
    const bool has_zone = news.zone.empty() || swarm::is_member_word(news.zone);
    if (!swarm::is_member_word(news.name) || !is_peer_address(news.address) || !has_zone || !are_names(news.neighbours))
        return Error(ErrorKind::refused, "has a name, an address, a zone or neighbours that are none",
                     "a member's news");
    return std::move(news);
}

std::string to_text(const Introduction& introduction) {
    IntroductionForm form{{}, introduction};
    for (const auto& neighbour : introduction.neighbours) form.neighbours.push_back({neighbour});
    return text_of_form(form);
}

Result<Introduction> read_introduction(std::string_view text) {
    ZCDP_TRY(auto form, form_of<IntroductionForm>(text, "an introduction"));
    Introduction& out = form.rest;
    bool good = form.neighbours.size() <= kNamesMost && are_names(out.gone) && are_names(out.owners);
    for (auto& [neighbour] : form.neighbours) {
        good = good && swarm::is_member_word(neighbour.name) && is_peer_address(neighbour.address);
        out.neighbours.push_back(std::move(neighbour));
    }
    if (!good) return Error(ErrorKind::refused, "has a name or an address that is none", "an introduction");
    return std::move(out);
}

std::string to_text(const Certified& certified) { return text_of_form(CertifiedForm{certified}); }

Result<Certified> read_certified(std::string_view text) {
    ZCDP_TRY(auto form, form_of<CertifiedForm>(text, "a certificate's answer"));
    if (form.certified.certificate_pem.empty() || form.certified.ca_pem.empty())
        return Error(ErrorKind::refused, "lacks a certificate", "a certificate's answer");
    return std::move(form.certified);
}

}  // namespace zcdp::services::peers
