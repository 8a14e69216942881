// What every Origin must do (include/zcdp/origin/origin.hpp), as a list of what one does not. The fixture behind the
// origin is a folder of files: a local origin reads it, a server shows it, a store of another kind is filled from it.
#pragma once

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "zcdp/origin/origin.hpp"

namespace zcdp::test {

/// The files that an origin under test shows, and how they change.
class OriginFixture {
  public:
    /// After a file was written or removed: a store that is no folder follows.
    using Follow = std::function<void(const std::string& path, bool is_there)>;

    explicit OriginFixture(
        std::filesystem::path folder, Follow follow = [](const std::string&, bool) {})
        : folder_(std::move(folder)), follow_(std::move(follow)) {
        for (const char* path : {"a-x", "a/b", "a0", "deep/er/and/deeper", "e\xcc\x81t\xc3\xa9", "sp ace+%2F", "zero"})
            put(path, std::string(path) == "zero" ? "" : std::string("content of ") + path);
        put("long", std::string(300'000, 'l') + "end");
    }
    void put(const std::string& path, const std::string& content) {
        const auto at = folder_ / path;
        std::filesystem::create_directories(at.parent_path());
        std::filesystem::remove(at);
        std::ofstream(at, std::ios::binary) << content;
        files_[path] = content;
        follow_(path, true);
    }
    void remove(const std::string& path) {
        std::filesystem::remove(folder_ / path);
        files_.erase(path);
        follow_(path, false);
    }
    const std::map<std::string, std::string>& files() const { return files_; }

  private:
    std::filesystem::path folder_;
    Follow follow_;
    std::map<std::string, std::string> files_;
};

class OriginConformance {
  public:
    OriginConformance(OriginFixture& fixture, origin::OriginFactory factory)
        : fixture_(fixture), factory_(std::move(factory)) {}

    /// One line for each rule that is broken; empty: it conforms.
    std::vector<std::string> violations() {
        asio::io_context loop(1);
        auto made = factory_(loop.get_executor());
        if (!made) return {"cannot be made: " + made.error().line()};
        origin_ = std::move(*made);
        std::exception_ptr thrown;
        asio::co_spawn(loop, all(), [&](std::exception_ptr error) {
            thrown = error;
            loop.stop();
        });
        loop.run();
        origin_.reset();
        if (thrown) {
            try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& error) {
                violations_.push_back(std::string("throws: ") + error.what());
            }
        }
        return violations_;
    }

  private:
    void expect(bool holds, const std::string& rule) {
        if (!holds) violations_.push_back(rule);
    }
    template <class T>
    void expect_error(const Result<T>& result, ErrorKind kind, const std::string& rule) {
        if (result) violations_.push_back(rule + ": no error at all");
        else if (result.error().kind() != kind)
            violations_.push_back(rule + ": another error: " + result.error().line());
    }

    Task<> all() {
        co_await listings();
        if (listed_.size() != fixture_.files().size()) co_return;  // the rest reads what was listed
        co_await heads();
        co_await reads();
        co_await changes();
    }

    Task<> listings() {
        const auto listing = origin_->list(origin::everything());
        std::string last;
        std::set<std::string> seen;
        while (true) {
            auto page = co_await listing->next();
            if (!page) {
                violations_.push_back("a listing fails: " + page.error().line());
                co_return;
            }
            if (page->empty()) break;
            for (origin::Entry& entry : *page) {
                expect(!listing->is_ordered() || last < entry.path,
                       "paths ascend strictly in raw byte order: " + last + " before " + entry.path);
                last = entry.path;
                expect(seen.insert(entry.path).second, "a path comes once: " + entry.path);
                if (entry.kind == origin::EntryKind::file) listed_[entry.path] = std::move(entry);
            }
        }
        for (const auto& [path, content] : fixture_.files()) {
            const auto found = listed_.find(path);
            expect(found != listed_.end(), "a listing has every object: " + path);
            if (found == listed_.end()) continue;
            expect(found->second.size_bytes == content.size(), "a listing says the size: " + path);
            expect(!found->second.tag.empty(), "a listing says the tag: " + path);
        }
        expect(listed_.size() == fixture_.files().size(), "a listing has nothing else");
        expect(origin_->concurrency() >= 1, "at least one read at once");
        const auto identity = origin_->identity();
        expect(!identity.endpoint.empty(), "an identity has an endpoint");
    }

    Task<> heads() {
        for (const auto& [path, entry] : listed_) {
            auto info = co_await origin_->head(path);
            expect(info && info->size_bytes == entry.size_bytes && info->tag == entry.tag,
                   "head says what the listing said: " + path);
        }
        auto none = co_await origin_->head("not/there");
        expect_error(none, ErrorKind::not_found, "head of what is not there");
    }

    origin::ReadSpec spec(const std::string& path, uint64_t offset, uint64_t length) const {
        const origin::Entry& entry = listed_.at(path);
        return {path, entry.tag, entry.size_bytes, offset, length};
    }

    /// The bytes of a range, in pieces of at most `piece`.
    Task<Result<std::string>> read(origin::ReadSpec what, size_t piece) {
        ZCDP_CO_TRY(const auto body, co_await origin_->read(what));
        std::string bytes, buffer(piece, '\0');
        while (true) {
            ZCDP_CO_TRY(const size_t got, co_await body->read_some(std::as_writable_bytes(std::span(buffer))));
            if (got == 0) break;
            bytes.append(buffer, 0, got);
        }
        ZCDP_CO_TRY(const size_t again, co_await body->read_some(std::as_writable_bytes(std::span(buffer))));
        expect(again == 0, "after the end of a range comes nothing");
        co_return bytes;
    }

    Task<> reads() {
        for (const auto& [path, content] : fixture_.files()) {
            if (content.empty()) continue;
            auto whole = co_await read(spec(path, 0, content.size()), 4096);
            expect(whole && *whole == content, "a whole object: " + path);
        }
        const std::string& content = fixture_.files().at("long");
        for (const auto& [offset, length] : std::initializer_list<std::pair<uint64_t, uint64_t>>{
                 {0, 1}, {1, 1}, {100'000, 70'001}, {content.size() - 3, 3}, {1, content.size() - 1}}) {
            auto range = co_await read(spec("long", offset, length), length > 100 ? 65536 : 1);
            expect(range && *range == content.substr(offset, length),
                   "a range: " + std::to_string(offset) + "+" + std::to_string(length));
        }
        {
            auto given_up = co_await origin_->read(spec("long", 0, content.size()));
            expect(given_up.has_value(), "a read that is given up");
        }
        co_await reads_of_many();
        auto after = co_await read(spec("a0", 0, 3), 16);
        expect(after && *after == fixture_.files().at("a0").substr(0, 3), "a read after one that was given up");
    }

    Task<> reads_of_many() {
        std::vector<origin::ReadSpec> specs;
        for (const auto& [path, content] : fixture_.files())
            if (content.size() <= origin_->many_bytes_most()) specs.push_back(spec(path, 0, content.size()));
        if (origin_->many_bytes_most() == 0) co_return;
        const auto many = co_await origin_->read_many(specs);
        expect(many && many->files.size() == specs.size(), "many files at once");
        for (size_t i = 0; many && i < many->files.size(); ++i) {
            const auto bytes = many->files[i];
            expect(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) ==
                       fixture_.files().at(specs[i].path),
                   "each of many files: " + specs[i].path);
        }
    }

    Task<Result<std::string>> read_listed(std::string path) {
        co_return co_await read(spec(path, 0, std::max<uint64_t>(1, listed_.at(path).size_bytes)), 4096);
    }

    Task<> changes() {
        auto wrong = spec("long", 0, 10);
        wrong.tag = Tag("another-tag");
        auto tag = co_await read(wrong, 16);
        expect_error(tag, ErrorKind::source_changed, "a read with another tag");
        fixture_.put("a/b", "written anew, and longer than it was");
        auto longer = co_await read_listed("a/b");
        expect_error(longer, ErrorKind::source_changed, "a read of what was changed");
        fixture_.remove("deep/er/and/deeper");
        auto gone = co_await read_listed("deep/er/and/deeper");
        expect_error(gone, ErrorKind::not_found, "a read of what was removed");
        if (!gone)
            expect(!(co_await origin_->retry_after(gone.error(), 1)), "what is not there is not asked for again");
    }

    OriginFixture& fixture_;
    origin::OriginFactory factory_;
    std::unique_ptr<origin::Origin> origin_;
    std::map<std::string, origin::Entry> listed_;
    std::vector<std::string> violations_;
};

}  // namespace zcdp::test
