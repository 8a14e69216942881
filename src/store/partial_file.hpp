// A file of many chunks on its way into the CAS: partial/p-HEX, with partial/p-HEX.map that says which chunks are there
// (docs/formats.md "Partial files"). What a map says is re-hashed before it is believed.
#pragma once

#include <memory>

#include "src/store/core.hpp"
#include "src/store/partial_chunks.hpp"

namespace zcdp::store {

/// The file's name below partial/: the same key and size come back to the same one.
std::string partial_name(const PartialKey& key, uint64_t size_bytes);
/// What a map says of the object, from the beginning of its bytes; "" when that says nothing.
std::string object_of_map(std::string_view map);
inline constexpr size_t kMapHeaderBytesMax = 16 << 10;

class PartialFileOnDisk final : public PartialFile {
  public:
    static Result<std::unique_ptr<PartialFile>> open(Core& core, std::shared_ptr<HoldOnStore> hold,
                                                     const PartialKey& key, uint64_t size_bytes);

    uint64_t size_bytes() const override { return size_bytes_; }
    bool has(uint64_t chunk) const override { return chunks_->has(chunk); }
    uint64_t chunks_present() const override { return chunks_->present(); }
    Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) override;
    Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) override;
    Result<Digest> finish() override;
    Result<> discard() override;
    std::shared_ptr<ChunkSource> source() const override { return chunks_; }

    /// For the store: the name below partial/, and the digests after finish().
    const std::string& name() const { return name_; }
    std::vector<Sha256Bytes> chunks() const { return chunks_->digests(); }

  private:
    PartialFileOnDisk(Core& core, std::shared_ptr<HoldOnStore> hold, std::string name, std::string header,
                      uint64_t size_bytes)
        : core_(core),
          hold_(std::move(hold)),
          name_(std::move(name)),
          header_(std::move(header)),
          size_bytes_(size_bytes),
          chunks_(std::make_shared<PartialChunks>(core.fs, core.root + "/partial/" + name_, size_bytes)) {}
    Result<> open_data();
    Result<> allocate();
    Result<> open_map();
    Result<> recall(const std::string& map);
    Result<bool> chunk_has(uint64_t chunk, const Sha256Bytes& digest, std::span<std::byte> buffer);
    Error error(const boost::system::error_code& code, std::string_view action) const {
        return core_.error(code, action, "partial/" + name_);
    }

    Core& core_;
    const std::shared_ptr<HoldOnStore> hold_;
    std::string name_;
    const std::string header_;  ///< of the map
    const uint64_t size_bytes_;
    std::optional<Digest> expected_;  ///< what finish() must find
    Fd data_, map_;
    bool direct_ = false;
    bool allocated_ = false;  ///< all of its room is its own already
    Mutex map_mutex_;
    uint64_t map_offset_ ZCDP_GUARDED_BY(map_mutex_) = 0;
    const std::shared_ptr<PartialChunks> chunks_;
};

}  // namespace zcdp::store
