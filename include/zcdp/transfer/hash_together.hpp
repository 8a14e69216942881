// Hashes the filled pieces of several reads of one loop at once, which costs a core little more than half of one after
// another. A piece waits for its likes only as long as they keep coming.
//
// Thread rule: belongs to its loop; hashing is done on it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <span>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::transfer {

class HashTogether {
  public:
    explicit HashTogether(asio::any_io_executor executor) : executor_(executor) {}

    /// A read that will call update() begins and ends: nobody is waited for who is not there.
    void joined() { ++members_; }
    void left();

    /// Feeds `bytes` to `hash`; returns when that is done. Neither may be touched meanwhile.
    Task<> update(Sha256& hash, std::span<const std::byte> bytes);

  private:
    struct Waiter {
        HashUpdate what;
        asio::steady_timer timer;
        bool done = false;
    };
    void hash_all();
    asio::any_io_executor executor_;
    size_t members_ = 0;
    std::vector<Waiter*> waiting_;
};

/// joined() and left() as a scope.
class HashMember {
  public:
    explicit HashMember(HashTogether& hashes) : hashes_(hashes) { hashes_.joined(); }
    HashMember(const HashMember&) = delete;
    HashMember& operator=(const HashMember&) = delete;
    ~HashMember() { hashes_.left(); }

  private:
    HashTogether& hashes_;
};

}  // namespace zcdp::transfer
