#include "src/services/peers/introductions.hpp"

#include <utility>

#include "src/services/peers/controller_client.hpp"
#include "src/services/peers/wire.hpp"

namespace zcdp::services::peers {
namespace {

constexpr uint64_t kAnswerMs = 30'000;
/// Each time one of two replicas, by chance: all eight are the wrong one once in 256 times.
constexpr int kAsksMost = 8;
/// From then on perhaps nobody leads.
constexpr int kAsksAtOnce = 3;
constexpr uint64_t kPauseMs = 200;

class FromControllers final : public swarm::Introductions {
  public:
    FromControllers(asio::any_io_executor executor, ControllerAccess access, std::string target, Machine machine)
        : executor_(std::move(executor)), access_(std::move(access)), target_(std::move(target)), machine_(machine) {}

    Task<Result<swarm::Introduction>> meet(swarm::MemberNews news) override {
        trust(access_.ca_pem());
        const Deadline deadline = Deadline::in_ms(kAnswerMs);
        for (int asked = 1;; ++asked) {
            const auto said = co_await ask_controller(*http_, access_, target_, to_text(news), deadline);
            if (said) co_return read_introduction(*said);
            if (said.error().kind() != ErrorKind::busy || asked == kAsksMost) co_return said.error();
            if (asked >= kAsksAtOnce) co_await sleep_ms(kPauseMs << (asked - kAsksAtOnce));
        }
    }

  private:
    void trust(std::string ca_pem) {
        if (http_ && ca_pem == ca_pem_) return;
        http_ = net::make_http_client(executor_, controller_client_options(ca_pem), machine_.clock, machine_.metrics,
                                      machine_.log);
        ca_pem_ = std::move(ca_pem);
    }

    const asio::any_io_executor executor_;
    const ControllerAccess access_;
    const std::string target_;
    const Machine machine_;
    std::string ca_pem_;  ///< that http_ trusts
    std::unique_ptr<net::HttpClient> http_;
};

}  // namespace

std::unique_ptr<swarm::Introductions> make_introductions(asio::any_io_executor executor, ControllerAccess access,
                                                         api::DatasetKey dataset, Revision revision, Machine machine) {
    return std::make_unique<FromControllers>(std::move(executor), std::move(access), peers_target(dataset, revision),
                                             machine);
}

}  // namespace zcdp::services::peers
