// The uploads that have begun and have not ended. One that nobody speaks to ends by itself.
//
// Thread rule: any thread. An upload's own end, which blocks, is left to the pool.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <string>

#include "src/datastore/server/answered.hpp"
#include "src/datastore/server/upload.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::datastore {

class Uploads {
  public:
    static constexpr size_t kMost = 256;                ///< at once
    static constexpr int64_t kDropNs = 60'000'000'000;  ///< where there are too many, one that is idle for so long goes

    Uploads(const Clock& clock, Random& random, boost::asio::thread_pool& pool, Counter& count)
        : clock_(clock), random_(random), pool_(pool), count_(count) {}

    /// A request that speaks to an upload: for its life that is not idle.
    class Speaking {
      public:
        Speaking(Uploads& uploads, std::shared_ptr<Upload> upload) : uploads_(&uploads), upload_(std::move(upload)) {}
        Speaking(Speaking&& other) noexcept = default;
        Speaking& operator=(Speaking&&) = delete;
        ~Speaking() {
            if (upload_) uploads_->ended_speaking(upload_->id);
        }
        Upload& operator*() const { return *upload_; }
        Upload* operator->() const { return upload_.get(); }

      private:
        Uploads* uploads_;
        std::shared_ptr<Upload> upload_;
    };

    /// Refused: there are too many.
    Answered<Speaking> begin(const std::string& key, UploadIntent intent, store::Ingest& ingest, Quota& quota);
    /// Refused: there is none of this id for this key (any more).
    Answered<Speaking> find(const std::string& id, const std::string& key);
    /// It is over once nobody speaks to it any more.
    void end(const std::string& id);
    void end_idle(int64_t idle_ns);
    void end_all();

  private:
    struct Known {
        std::shared_ptr<Upload> upload;
        unsigned speakers = 0;
        int64_t last_ns = 0;
    };
    void ended_speaking(const std::string& id);
    bool make_room() ZCDP_REQUIRES(mutex_);
    const Clock& clock_;
    Random& random_;
    boost::asio::thread_pool& pool_;
    Counter& count_;
    Mutex mutex_;
    std::map<std::string, Known> known_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::datastore
