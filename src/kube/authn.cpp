// The request of a TokenReview, and who shares its answer; what it says is read in reviews.cpp.
#include "zcdp/kube/authn.hpp"

#include "src/kube/reviews.hpp"
#include "src/kube/shared_answers.hpp"
#include "zcdp/base/assert.hpp"

namespace zcdp::kube {

using Answers = SharedAnswers<std::shared_ptr<const User>>;

struct TokenReviewer::State {
    Api& api;
    const std::vector<std::string> audiences;
    Answers answers;

    ReviewResult<Answers::Said> ask(std::string_view token) {
        const auto answer = api.create(resources::token_reviews, "", token_review(token, audiences));
        if (!answer) return unanswered(answer.error(), token);
        auto user = parse_token_review(*answer, audiences);
        if (!user) return unanswered(user.error());
        if (!*user) return Answers::Said{nullptr, false};
        Answers::Said said{std::make_shared<const User>(std::move(**user)), true};
        if (const auto expiry_s = jwt_expiry_s(token)) said.until_unix_s = *expiry_s;
        return said;
    }
};

TokenReviewer::TokenReviewer(Api& api, std::vector<std::string> audiences, const Clock& clock,
                             ReviewCacheOptions options)
    : state_(new State{api, std::move(audiences), Answers(options, clock)}) {
    ZCDP_ASSERT(!state_->audiences.empty());
}

TokenReviewer::~TokenReviewer() = default;

ReviewResult<std::shared_ptr<const User>> TokenReviewer::user_of(std::string_view token) {
    if (!is_token(token)) return std::shared_ptr<const User>();
    return state_->answers.answer(Sha256::of(token), [&] { return state_->ask(token); });
}

ReviewResult<std::shared_ptr<const User>> TokenReviewer::user_of_header(std::string_view authorization) {
    return user_of(bearer_token(authorization));
}

}  // namespace zcdp::kube
