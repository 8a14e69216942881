// A question to a data store from a thread that may block: a loop of its own, a client on it, until the answer is there
// or somebody says stop. Thread rule: the calling thread does all of it.
#pragma once

#include <functional>
#include <stop_token>
#include <utility>

#include "zcdp/datastore/client.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::datastore {

template <class T>
Task<> keep_answer(Task<Result<T>> asking, Result<T>& answer) {
    answer = co_await std::move(asking);
}

/// What `ask` ends with. It is called once; what it refers to outlives this call. Errors: also usage (the URL),
/// interrupted.
template <class T>
Result<T> ask_on_a_loop(const ServerAccess& access, Machine machine, std::stop_token stop,
                        const std::function<Task<Result<T>>(Client&)>& ask) {
    transfer::Loop loop;
    ZCDP_TRY(const auto client, make_client(loop.executor(), access, machine));
    Result<T> answer = Error(ErrorKind::interrupted, "stopped", access.url);
    loop.spawn(keep_answer<T>(ask(*client), answer));
    loop.run(std::move(stop));
    return answer;
}

}  // namespace zcdp::datastore
