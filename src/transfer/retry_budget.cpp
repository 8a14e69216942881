#include "zcdp/transfer/retry_budget.hpp"

namespace zcdp::transfer {

bool RetryBudget::take() {
    int have = tokens_.load();
    while (have >= kCost)
        if (tokens_.compare_exchange_weak(have, have - kCost)) return true;
    return false;
}

void RetryBudget::refund() {
    int have = tokens_.load(std::memory_order_relaxed);
    if (have < kFull) tokens_.compare_exchange_strong(have, have + 1);
}

}  // namespace zcdp::transfer
