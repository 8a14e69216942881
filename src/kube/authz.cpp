// The request of a SubjectAccessReview, and who shares its answer; what it says is read in reviews.cpp.
#include "zcdp/kube/authz.hpp"

#include <boost/json/serialize.hpp>

#include "src/kube/reviews.hpp"
#include "src/kube/shared_answers.hpp"

namespace zcdp::kube {

using Answers = SharedAnswers<bool>;

struct AccessReviewer::State {
    Api& api;
    Answers answers;

    ReviewResult<Answers::Said> ask(const json::object& review) {
        const auto answer = api.create(resources::subject_access_reviews, "", review);
        if (!answer) return unanswered(answer.error());
        const auto allowed = parse_access_review(*answer);
        if (!allowed) return unanswered(allowed.error());
        return Answers::Said{*allowed, *allowed};
    }
};

AccessReviewer::AccessReviewer(Api& api, const Clock& clock, ReviewCacheOptions options)
    : state_(new State{api, Answers(options, clock)}) {}

AccessReviewer::~AccessReviewer() = default;

ReviewResult<bool> AccessReviewer::allowed(const User& user, const AccessQuestion& question) {
    // The whole question is the key: nobody is let in because two of them look alike.
    const json::object review = access_review(user, question);
    return state_->answers.answer(Sha256::of(json::serialize(review)), [&] { return state_->ask(review); });
}

}  // namespace zcdp::kube
