/* The accounts of a file; see accounts.h. What comes from outside reaches SQL as bound values alone. */
#include "accounts.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

#include "users_file.h"

enum { WAIT_MILLISECONDS = 5000 }; /* for who writes at the same moment */

#define APPLICATION 0x77656972 /* "weir", by which file(1) and we know the file */
#define LAYOUT      1
#define TEXT_OF(x)  #x
#define SQL(x)      TEXT_OF(x)

struct accounts {
    sqlite3 *database;
    char path[];
};

/* --- statements --- */

static int number_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_FULL:
        return ENOSPC;
    default:
        return EIO;
    }
}

static int fail(struct accounts *accounts)
{
    int number = number_of(sqlite3_errcode(accounts->database));
    weir_error_kind kind = number == ENOMEM ? WEIR_ERROR_MEMORY : WEIR_ERROR_SYSTEM;
    return weir_fail(kind, number, "users", accounts->path, "%s", sqlite3_errmsg(accounts->database));
}

static int execute(struct accounts *accounts, const char *sql)
{
    return sqlite3_exec(accounts->database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(accounts);
}

static sqlite3_stmt *prepare(struct accounts *accounts, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(accounts->database, sql, -1, &statement, NULL) != SQLITE_OK)
        fail(accounts);
    return statement;
}

/* The one number that a statement answers; -1 with an error. */
static int64_t ask_number(struct accounts *accounts, const char *sql)
{
    int64_t number = -1;
    sqlite3_stmt *statement = prepare(accounts, sql);
    if (!statement)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    else
        fail(accounts);
    sqlite3_finalize(statement);
    return number;
}

/*
 * Runs a statement with its values, texts, bound in order ("" is none). How many rows it has changed; -1 with an
 * error.
 */
static int change(struct accounts *accounts, const char *sql, const char *const *values, int count)
{
    sqlite3_stmt *statement = prepare(accounts, sql);
    if (!statement)
        return -1;
    int code = SQLITE_OK;
    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = *values[i] ? sqlite3_bind_text(statement, i + 1, values[i], -1, SQLITE_STATIC)
                          : sqlite3_bind_null(statement, i + 1);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    int changed = code == SQLITE_DONE ? sqlite3_changes(accounts->database) : fail(accounts);
    sqlite3_finalize(statement);
    return changed;
}

/* --- opening --- */

/* 1 where the file is ours; 0 where nothing is in it yet; -1 with an error. */
static int is_ours(struct accounts *accounts)
{
    int64_t application = ask_number(accounts, "PRAGMA application_id");
    int64_t layout = application < 0 ? -1 : ask_number(accounts, "PRAGMA user_version");
    int64_t tables = layout < 0 ? -1 : ask_number(accounts, "SELECT count(*) FROM sqlite_schema");
    if (tables < 0)
        return -1;
    if (application == APPLICATION && layout == LAYOUT)
        return 1;
    if (application == 0 && layout == 0 && tables == 0)
        return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, EINVAL, "users", accounts->path,
                     "another program's database, or a later weir's");
}

/* In a transaction, since another may be about to do the same. */
static int set_up(struct accounts *accounts)
{
    if (execute(accounts, "PRAGMA journal_mode=WAL") < 0 || execute(accounts, "BEGIN IMMEDIATE") < 0)
        return -1;
    int ours = is_ours(accounts);
    if (ours < 0)
        return -1;
    if (ours == 0 &&
        execute(accounts, "CREATE TABLE accounts (name TEXT PRIMARY KEY NOT NULL, verifier TEXT NOT NULL,"
                          " greeting TEXT) STRICT, WITHOUT ROWID;"
                          "PRAGMA application_id=" SQL(APPLICATION) ";"
                                                                    "PRAGMA user_version=" SQL(LAYOUT)) < 0)
        return -1;
    return execute(accounts, "COMMIT");
}

static int make_ready(struct accounts *accounts, bool create)
{
    sqlite3_busy_timeout(accounts->database, WAIT_MILLISECONDS);
    sqlite3_extended_result_codes(accounts->database, 1);
    sqlite3_db_config(accounts->database, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    sqlite3_db_config(accounts->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    /* What was a verifier is overwritten; and who was told that a password was changed can rely on that. */
    if (execute(accounts, "PRAGMA secure_delete=ON; PRAGMA synchronous=FULL") < 0)
        return -1;
    int ours = is_ours(accounts);
    if (ours != 0)
        return ours < 0 ? -1 : 0;
    if (create)
        return set_up(accounts);
    return weir_fail(WEIR_ERROR_SYSTEM, ENOENT, "users", accounts->path, "nothing is in it");
}

/* `path` in a form that SQLite takes for nothing but a path; ":memory:" and "file:..." it would not. */
static struct accounts *new_accounts(const char *path)
{
    size_t room = strlen(path) + sizeof "./";
    struct accounts *accounts = malloc(sizeof *accounts + room);
    if (!accounts) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "users", path, NULL);
        return NULL;
    }
    accounts->database = NULL;
    snprintf(accounts->path, room, "%s%s", *path == '/' ? "" : "./", path);
    return accounts;
}

static int open_database(struct accounts *accounts)
{
    int code = sqlite3_open_v2(accounts->path, &accounts->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        return 0;
    return accounts->database ? fail(accounts) : weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "users", accounts->path, NULL);
}

struct accounts *accounts_open(const char *path, bool create)
{
    if ((create && users_file_create(path) < 0) || users_file_check(path) < 0)
        return NULL;
    struct accounts *accounts = new_accounts(path);
    if (accounts && open_database(accounts) == 0 && make_ready(accounts, create) == 0)
        return accounts;
    int number = errno;
    accounts_close(accounts);
    errno = number;
    return NULL;
}

void accounts_close(struct accounts *accounts)
{
    if (accounts)
        sqlite3_close(accounts->database);
    free(accounts);
}

/* --- reading --- */

int64_t accounts_count(struct accounts *accounts)
{
    return ask_number(accounts, "SELECT count(*) FROM accounts");
}

/*
 * Of what does not fit, which no weir has written, nothing is taken: a verifier or a name cut short would be another.
 */
static void take_text(sqlite3_stmt *statement, int column, char *text, size_t size)
{
    const unsigned char *value = sqlite3_column_text(statement, column);
    size_t length = (size_t)sqlite3_column_bytes(statement, column);
    text[0] = '\0';
    if (value && length < size)
        memcpy(text, value, length + 1);
}

static void take_account(sqlite3_stmt *statement, struct account *account)
{
    take_text(statement, 0, account->name, sizeof account->name);
    take_text(statement, 1, account->verifier, sizeof account->verifier);
    take_text(statement, 2, account->greeting, sizeof account->greeting);
}

int accounts_find(struct accounts *accounts, const char *name, size_t length, struct account *account)
{
    sqlite3_stmt *statement = prepare(accounts, "SELECT name, verifier, greeting FROM accounts WHERE name = ?1");
    if (!statement)
        return -1;
    int found = -1;
    int code = sqlite3_bind_text64(statement, 1, name, length, SQLITE_STATIC, SQLITE_UTF8);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        take_account(statement, account);
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        found = code == SQLITE_ROW;
    else
        fail(accounts);
    sqlite3_finalize(statement);
    return found;
}

int accounts_list(struct accounts *accounts, void (*each)(const struct account *account, void *arg), void *arg)
{
    sqlite3_stmt *statement = prepare(accounts, "SELECT name, verifier, greeting FROM accounts ORDER BY name");
    if (!statement)
        return -1;
    struct account account;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        take_account(statement, &account);
        each(&account, arg);
    }
    int result = code == SQLITE_DONE ? 0 : fail(accounts);
    sqlite3_finalize(statement);
    return result;
}

/* --- writing --- */

int accounts_add(struct accounts *accounts, const struct account *account)
{
    const char *const values[] = {account->name, account->verifier, account->greeting};
    int added = change(accounts, "INSERT INTO accounts VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", values, 3);
    if (added < 0)
        return -1;
    return added ? 0 : weir_fail(WEIR_ERROR_SYSTEM, EEXIST, "user", account->name, "there is an account of that name");
}

static int change_one(struct accounts *accounts, const char *sql, const char *name, const char *value)
{
    const char *const values[] = {name, value};
    int changed = change(accounts, sql, values, value ? 2 : 1);
    if (changed < 0)
        return -1;
    return changed ? 0 : weir_fail(WEIR_ERROR_SYSTEM, ENOENT, "user", name, "there is no account of that name");
}

int accounts_set_verifier(struct accounts *accounts, const char *name, const char *verifier)
{
    return change_one(accounts, "UPDATE accounts SET verifier = ?2 WHERE name = ?1", name, verifier);
}

int accounts_set_greeting(struct accounts *accounts, const char *name, const char *greeting)
{
    return change_one(accounts, "UPDATE accounts SET greeting = ?2 WHERE name = ?1", name, greeting);
}

int accounts_remove(struct accounts *accounts, const char *name)
{
    return change_one(accounts, "DELETE FROM accounts WHERE name = ?1", name, NULL);
}
