// SQLite as values and Results. Thread rule: a Database and its statements belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "zcdp/base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace zcdp::sqlite {

class Database;

/// A prepared statement; bind, then step row by row. Columns and parameters count as in SQLite (0 and 1).
class Statement {
  public:
    Statement() = default;
    Statement(Statement&& other) noexcept : db_(other.db_), stmt_(std::exchange(other.stmt_, nullptr)) {}
    Statement& operator=(Statement&& other) noexcept {
        std::swap(stmt_, other.stmt_);
        std::swap(db_, other.db_);
        return *this;
    }
    ~Statement();

    Statement& bind(int at, int64_t value);
    Statement& bind(int at, uint64_t value) { return bind(at, static_cast<int64_t>(value)); }
    Statement& bind(int at, int value) { return bind(at, int64_t{value}); }
    /// The bytes must live until reset().
    Statement& bind_text(int at, std::string_view text);
    Statement& bind_blob(int at, std::span<const uint8_t> bytes);

    /// Whether there is a row.
    Result<bool> step();
    /// For statements without rows: steps to the end and resets.
    Result<> run();
    void reset();

    int64_t integer(int column) const;
    std::string text(int column) const;
    std::span<const uint8_t> blob(int column) const;

  private:
    friend class Database;
    sqlite3* db_ = nullptr;
    sqlite3_stmt* stmt_ = nullptr;
};

class Database {
  public:
    Database() = default;
    Database(Database&& other) noexcept : db_(std::exchange(other.db_, nullptr)), name_(std::move(other.name_)) {}
    Database& operator=(Database&& other) noexcept {
        std::swap(db_, other.db_);
        std::swap(name_, other.name_);
        return *this;
    }
    ~Database();

    /// Errors: corrupt (also what is no database), denied, no_space, failed.
    static Result<Database> open(const std::string& path, bool writable);
    /// Where nothing can be written, not even SQLite's shared memory: as the last clean end left it.
    static Result<Database> open_immutable(const std::string& path);
    Result<> execute(const char* sql);
    Result<Statement> prepare(const char* sql);

  private:
    static Result<Database> open_with(const std::string& name, const std::string& path, int flags);
    sqlite3* db_ = nullptr;
    std::string name_;
};

/// A transaction that rolls back unless it was committed.
class Transaction {
  public:
    static Result<Transaction> begin(Database& db);
    Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
    ~Transaction();
    Result<> commit();

  private:
    explicit Transaction(Database& db) : db_(&db) {}
    Database* db_;
};

}  // namespace zcdp::sqlite
