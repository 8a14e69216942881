// What the clients of one source tell each other about addresses, so that each need not find out for itself which are
// slow. Thread rule: any thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <map>

#include "zcdp/base/guarded.hpp"

namespace zcdp::net {

class AddressNotes {
  public:
    struct Note {
        bool avoided = false, slow_bodies = false;
        uint32_t strikes = 0;
        uint64_t probe_at_ns = 0, stalled_at_ns = 0;
    };
    void write(const boost::asio::ip::tcp::endpoint& endpoint, Note note) {
        const MutexLock lock(mutex_);
        if (notes_.size() >= kMost) notes_.clear();
        notes_[endpoint] = note;
    }
    Note read(const boost::asio::ip::tcp::endpoint& endpoint) const {
        const MutexLock lock(mutex_);
        const auto found = notes_.find(endpoint);
        return found == notes_.end() ? Note() : found->second;
    }

  private:
    static constexpr size_t kMost = 1000;  ///< a name may go through many addresses
    mutable Mutex mutex_;
    std::map<boost::asio::ip::tcp::endpoint, Note> notes_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::net
