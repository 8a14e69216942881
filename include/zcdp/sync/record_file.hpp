// A file of records, written and read as a stream: a line that says what it is, then records of u32 length, u32 CRC-32C
// of the payload, payload. A reader stops at the first record that is cut off or has another CRC, so a crash costs the
// records at the end and never gives a wrong one.
//
// Thread rule: a writer or reader belongs to one thread at a time. Ownership: the file outlives both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::sync {

class RecordFileWriter {
  public:
    /// Writes from the file's start on; `name` is what errors call it, `magic` its first line.
    RecordFileWriter(Fs& fs, int fd, std::string name, std::string_view magic)
        : fs_(fs), fd_(fd), name_(std::move(name)), buffer_(magic) {}
    Result<> add(std::string_view payload);
    /// Writes what is buffered; with `durable` it also survives power loss.
    Result<> flush(bool durable);

  private:
    Fs& fs_;
    const int fd_;
    std::string name_, buffer_;
    uint64_t offset_ = 0;
};

class RecordFileReader {
  public:
    /// One that does not begin with `magic` has no records.
    RecordFileReader(Fs& fs, int fd, std::string_view magic) : fs_(fs), fd_(fd), magic_(magic) {}
    /// The next payload, which holds until the next call; nullopt at the end of what is right.
    std::optional<std::string_view> next();

  private:
    bool fill(size_t bytes);
    Fs& fs_;
    const int fd_;
    std::string magic_;
    std::vector<char> buffer_;
    size_t begin_ = 0, end_ = 0;
    uint64_t offset_ = 0;
    bool begun_ = false;
};

/// Appends a varint length and the text.
void put_text(std::string& out, std::string_view text);
/// Appends the 32 bytes.
void put_sha256(std::string& out, const Sha256Bytes& bytes);

/// Takes a payload's fields off its front; `ok` turns false at the first that does not fit.
struct RecordFields {
    std::string_view left;
    bool ok = true;

    uint64_t number();
    std::string_view bytes(uint64_t count);
    std::string_view text() { return bytes(number()); }
    Sha256Bytes sha256();
};

}  // namespace zcdp::sync
