#include "zcdp/base/sqlite.hpp"

#include <sqlite3.h>

#include "zcdp/base/faults.hpp"

namespace zcdp::sqlite {
namespace {

Error error_of(sqlite3* db, int code, const std::string& name) {
    ErrorKind kind = ErrorKind::failed;
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: kind = ErrorKind::corrupt; break;
        case SQLITE_FULL: kind = ErrorKind::no_space; break;
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH: kind = ErrorKind::denied; break;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: kind = ErrorKind::busy; break;
        default: break;
    }
    const char* message = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    return Error(kind, std::string("the index: ") + message, name);
}

}  // namespace

Statement::~Statement() { sqlite3_finalize(stmt_); }

Statement& Statement::bind(int at, int64_t value) {
    sqlite3_bind_int64(stmt_, at, value);
    return *this;
}

Statement& Statement::bind_text(int at, std::string_view text) {
    sqlite3_bind_text64(stmt_, at, text.data() ? text.data() : "", text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind_blob(int at, std::span<const uint8_t> bytes) {
    if (bytes.empty()) sqlite3_bind_zeroblob(stmt_, at, 0);
    else sqlite3_bind_blob64(stmt_, at, bytes.data(), bytes.size(), SQLITE_STATIC);
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(stmt_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    Error error = error_of(db_, code, "index.db");
    reset();
    return error;
}

Result<> Statement::run() {
    const bool commits = sqlite3_get_autocommit(db_) && !sqlite3_stmt_readonly(stmt_);
    if (commits) faults::crash_point("commit");
    while (true) {
        ZCDP_TRY(const bool row, step());
        if (!row) break;
    }
    reset();
    if (commits) faults::crash_point("commit");
    return {};
}

void Statement::reset() {
    sqlite3_reset(stmt_);
    sqlite3_clear_bindings(stmt_);
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(stmt_, column); }

std::string Statement::text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
    return bytes ? std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))) : std::string();
}

std::span<const uint8_t> Statement::blob(int column) const {
    const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(stmt_, column));
    return {bytes, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

Database::~Database() { sqlite3_close_v2(db_); }

Result<Database> Database::open_with(const std::string& name, const std::string& path, int flags) {
    Database db;
    db.name_ = path;
    if (const int code = sqlite3_open_v2(name.c_str(), &db.db_, flags | SQLITE_OPEN_NOMUTEX, nullptr);
        code != SQLITE_OK)
        return error_of(db.db_, code, path);
    sqlite3_extended_result_codes(db.db_, 1);
    sqlite3_busy_timeout(db.db_, 10'000);
    return db;
}

Result<Database> Database::open(const std::string& path, bool writable) {
    return open_with(path, path, writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
}

Result<Database> Database::open_immutable(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') uri += c == '?' ? "%3f" : c == '#' ? "%23" : "%25";
        else uri += c;
    }
    return open_with(uri + "?immutable=1", path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

Result<> Database::execute(const char* sql) {
    if (const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); code != SQLITE_OK)
        return error_of(db_, code, name_);
    return {};
}

Result<Statement> Database::prepare(const char* sql) {
    Statement statement;
    statement.db_ = db_;
    if (const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement.stmt_, nullptr);
        code != SQLITE_OK)
        return error_of(db_, code, name_);
    return statement;
}

Result<Transaction> Transaction::begin(Database& db) {
    ZCDP_CHECK(db.execute("BEGIN IMMEDIATE"));
    return Transaction(db);
}

Transaction::~Transaction() {
    if (db_) (void)db_->execute("ROLLBACK");
}

Result<> Transaction::commit() {
    faults::crash_point("commit");
    ZCDP_CHECK(db_->execute("COMMIT"));
    db_ = nullptr;
    faults::crash_point("commit");
    return {};
}

}  // namespace zcdp::sqlite
