/* Accounts of the login: what may be one, and the file that they are in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/weir.h>

#include "login.h"
#include "services/login/accounts.h"
#include "services/login/users_file.h"

/* --- what may be an account --- */

static void names_have_no_blanks_and_no_control_characters(void **state)
{
    (void)state;
    char longest[NAME_LONGEST + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[NAME_LONGEST + 1] = '\0';
    assert_non_null(account_name_problem(longest));
    assert_null(account_name_problem(longest + 1));
    static const char *const good[] = {"bob", "bob@example.org", "DOMAIN\\bob", "J\xc3\xbcrgen", "'--;", "\"", "%s"};
    static const char *const bad[] = {"", "a b", "a\tb", "a\nb", "\x1b[2J", "\xff", "a\xc2\x85", "\xe2\x80\xae"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(account_name_problem(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(account_name_problem(bad[i]));
}

static void greetings_and_passwords_are_one_line(void **state)
{
    (void)state;
    char longest[PASSWORD_LONGEST + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[PASSWORD_LONGEST + 1] = '\0';
    assert_null(account_greeting_problem(""));
    assert_null(account_greeting_problem("welcome back, Alice"));
    assert_null(account_greeting_problem(longest + 1));
    assert_non_null(account_greeting_problem(longest));
    assert_non_null(account_greeting_problem("two\nlines"));
    assert_null(account_password_problem(" any th\xff ing ", 13));
    assert_null(account_password_problem(longest, PASSWORD_LONGEST));
    assert_non_null(account_password_problem(longest, PASSWORD_LONGEST + 1));
    assert_non_null(account_password_problem("", 0));
    assert_non_null(account_password_problem("a\0b", 3));
    assert_non_null(account_password_problem("a\rb", 3));
}

/* --- the file --- */

static mode_t mode_of(const char *name)
{
    struct stat status;
    assert_int_equal(stat(name, &status), 0);
    return status.st_mode & 07777;
}

static void the_file_is_made_with_its_folders_for_its_owner_alone(void **state)
{
    (void)state;
    char above[160];
    mode_t mask = umask(0);
    struct accounts *accounts = opened();
    struct account account = account_of("bob", "secret", "");
    assert_int_equal(accounts_add(accounts, &account), 0);
    umask(mask);
    assert_int_equal(mode_of(path), 0600);
    snprintf(above, sizeof above, "%s-wal", path);
    assert_int_equal(mode_of(above), 0600);
    snprintf(above, sizeof above, "%s/a/b", folder);
    assert_int_equal(mode_of(above), 0700);
    snprintf(above, sizeof above, "%s/a", folder);
    assert_int_equal(mode_of(above), 0700);
    accounts_close(accounts);
}

static void is_not_opened(bool create, int number)
{
    assert_null(accounts_open(path, create));
    assert_int_equal(errno, number);
    assert_non_null(strstr(weir_error()->sentence, path));
}

static void nothing_is_made_unasked(void **state)
{
    (void)state;
    is_not_opened(false, ENOENT);
    assert_int_equal(users_file_create(path), 0);
    is_not_opened(false, ENOENT); /* empty */
    accounts_close(opened());
    accounts_close(accounts_open(path, false));
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    (void)state;
    accounts_close(opened());
    static const mode_t modes[] = {0640, 0604, 0620, 0666};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        is_not_opened(true, EACCES);
    }
    assert_int_equal(chmod(path, 0600), 0);
    accounts_close(opened());
}

/* Root could read it, and so could who has put it there. */
static void a_file_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    accounts_close(opened());
    assert_int_equal(chown(path, 65534, 65534), 0);
    is_not_opened(true, EACCES);
    is_not_opened(false, EACCES);
}

static void others_files_are_left_alone(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/users.db", folder);
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "CREATE TABLE accounts (name)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
    assert_int_equal(chmod(path, 0600), 0);
    is_not_opened(true, EINVAL);
    FILE *file = fopen(path, "w");
    fputs("root:x:0:0:a file of another kind, long enough to be looked at as a database:/root:/bin/sh\n", file);
    fclose(file);
    is_not_opened(true, EIO);
    snprintf(path, sizeof path, "%s", folder);
    is_not_opened(true, EINVAL);
}

/* Names that SQLite would take for something else than files. */
static void a_path_is_a_path(void **state)
{
    (void)state;
    char before[256];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    static const char *const names[] = {":memory:", "file:users.db?mode=memory", "", "users.db"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct accounts *accounts = accounts_open(names[i], true);
        assert_int_equal(accounts != NULL, *names[i] != '\0');
        accounts_close(accounts);
        assert_int_equal(access(names[i], F_OK), *names[i] ? 0 : -1);
    }
    assert_int_equal(chdir(before), 0);
}

static void the_default_is_in_the_state_folder(void **state)
{
    (void)state;
    static const struct {
        const char *state, *home, *expected;
    } cases[] = {
        {"/s", "/h", "/s/weir/users.db"},
        {NULL, "/h", "/h/.local/state/weir/users.db"},
        {"", "/h", "/h/.local/state/weir/users.db"},
        {"relative", "/h", "/h/.local/state/weir/users.db"},
        {NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cases[i].state ? setenv("XDG_STATE_HOME", cases[i].state, 1) : unsetenv("XDG_STATE_HOME");
        cases[i].home ? setenv("HOME", cases[i].home, 1) : unsetenv("HOME");
        char *found = users_file_default();
        if (cases[i].expected)
            assert_string_equal(found, cases[i].expected);
        else {
            assert_null(found);
            assert_non_null(strstr(weir_error()->reason, "set HOME or XDG_STATE_HOME"));
        }
        free(found);
    }
}

/* --- accounts --- */

static void accounts_are_added_changed_and_removed(void **state)
{
    (void)state;
    struct account account = account_of("bob", "secret", ""), found;
    struct accounts *accounts = opened();
    assert_int_equal(accounts_find(accounts, "bob", 3, &found), 0);
    assert_int_equal(accounts_add(accounts, &account), 0);
    assert_int_equal(accounts_add(accounts, &account), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(accounts_find(accounts, "bob", 3, &found), 1);
    assert_string_equal(found.verifier, account.verifier);
    assert_string_equal(found.greeting, "");
    assert_int_equal(accounts_set_greeting(accounts, "bob", "hello"), 0);
    assert_int_equal(accounts_set_verifier(accounts, "bob", "other"), 0);
    assert_int_equal(accounts_find(accounts, "bob", 3, &found), 1);
    assert_string_equal(found.greeting, "hello");
    assert_string_equal(found.verifier, "other");
    assert_int_equal(accounts_set_greeting(accounts, "bob", ""), 0);
    assert_int_equal(accounts_find(accounts, "bob", 3, &found), 1);
    assert_string_equal(found.greeting, "");
    assert_int_equal(accounts_count(accounts), 1);
    assert_int_equal(accounts_remove(accounts, "bob"), 0);
    assert_int_equal(accounts_count(accounts), 0);
    accounts_close(accounts);
}

static void nobody_is_changed_who_is_not_there(void **state)
{
    (void)state;
    add("bob", "secret", "");
    struct accounts *accounts = opened();
    assert_int_equal(accounts_remove(accounts, "eve"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(accounts_set_greeting(accounts, "eve", "x"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(accounts_set_verifier(accounts, "eve", "x"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(accounts_count(accounts), 1);
    accounts_close(accounts);
}

/* SQL in names is a name like any other. */
static void names_are_never_sql(void **state)
{
    (void)state;
    static const char *const names[] = {"'",         "''", "\"", "bob'--", "';DROP/**/TABLE/**/accounts;--",
                                        "'OR'1'='1", "?1", "%",  "_"};
    enum { NAMES = sizeof names / sizeof *names };
    struct account found;
    add("bob", "secret", "");
    struct accounts *accounts = opened();
    for (size_t i = 0; i < NAMES; i++)
        assert_int_equal(accounts_find(accounts, names[i], strlen(names[i]), &found), 0);
    for (size_t i = 0; i < NAMES; i++) {
        struct account account = account_of(names[i], "x", names[i]);
        assert_int_equal(accounts_add(accounts, &account), 0);
    }
    for (size_t i = 0; i < NAMES; i++) {
        assert_int_equal(accounts_find(accounts, names[i], strlen(names[i]), &found), 1);
        assert_string_equal(found.greeting, names[i]);
        assert_int_equal(accounts_set_greeting(accounts, names[i], "changed"), 0);
        assert_int_equal(accounts_remove(accounts, names[i]), 0);
    }
    assert_int_equal(accounts_find(accounts, "bob\0", 4, &found), 0);
    assert_int_equal(accounts_find(accounts, "BOB", 3, &found), 0);
    assert_int_equal(accounts_find(accounts, "", 0, &found), 0);
    assert_int_equal(accounts_find(accounts, "bob", 3, &found), 1);
    assert_int_equal(accounts_count(accounts), 1);
    accounts_close(accounts);
}

static void collect(const struct account *account, void *arg)
{
    char *text = arg;
    snprintf(text + strlen(text), 100 - strlen(text), "%s ", account->name);
}

static void accounts_are_listed_by_name(void **state)
{
    (void)state;
    char names[100] = "";
    add("carl", "x", "");
    add("alice", "x", "");
    add("bob", "x", "");
    struct accounts *accounts = opened();
    assert_int_equal(accounts_list(accounts, collect, names), 0);
    assert_string_equal(names, "alice bob carl ");
    accounts_close(accounts);
}

enum { WRITERS = 4, EACH = 5 };

static void *add_some(void *arg)
{
    int first = *(int *)arg;
    for (int i = 0; i < EACH; i++) {
        struct account account = {.verifier = "x"};
        snprintf(account.name, sizeof account.name, "user%d", first + i);
        struct accounts *accounts = accounts_open(path, true);
        if (!accounts || accounts_add(accounts, &account) < 0)
            return arg;
        accounts_close(accounts);
    }
    return NULL;
}

static void several_may_write_at_once(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    int first[WRITERS];
    int failed = 0;
    for (int i = 0; i < WRITERS; i++) {
        first[i] = i * EACH;
        assert_int_equal(pthread_create(&threads[i], NULL, add_some, &first[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += result != NULL;
    }
    assert_int_equal(failed, 0);
    struct accounts *accounts = opened();
    assert_int_equal(accounts_count(accounts), WRITERS * EACH);
    accounts_close(accounts);
}

/* Whether bytes are anywhere in the files of the accounts. */
static bool is_on_disk(const char *bytes)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    static char content[1 << 20];
    bool found = false;
    for (int i = 0; i < 3; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        FILE *file = fopen(name, "r");
        size_t length = file ? fread(content, 1, sizeof content, file) : 0;
        found = found || memmem(content, length, bytes, strlen(bytes));
        if (file)
            fclose(file);
    }
    return found;
}

static void a_password_is_not_on_the_disk_nor_a_verifier_once_removed(void **state)
{
    (void)state;
    struct accounts *accounts = opened();
    struct account account = account_of("bob", "canary-in-a-mine", "");
    assert_int_equal(accounts_add(accounts, &account), 0);
    assert_true(is_on_disk(account.verifier));
    assert_false(is_on_disk("canary-in-a-mine"));
    assert_int_equal(accounts_remove(accounts, "bob"), 0);
    accounts_close(accounts);
    assert_false(is_on_disk(account.verifier));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_no_blanks_and_no_control_characters),
        cmocka_unit_test(greetings_and_passwords_are_one_line),
        IN_FOLDER(the_file_is_made_with_its_folders_for_its_owner_alone),
        IN_FOLDER(nothing_is_made_unasked),
        IN_FOLDER(a_file_that_others_can_read_is_refused),
        IN_FOLDER(a_file_of_another_user_is_refused),
        IN_FOLDER(others_files_are_left_alone),
        IN_FOLDER(a_path_is_a_path),
        cmocka_unit_test(the_default_is_in_the_state_folder),
        IN_FOLDER(accounts_are_added_changed_and_removed),
        IN_FOLDER(nobody_is_changed_who_is_not_there),
        IN_FOLDER(names_are_never_sql),
        IN_FOLDER(accounts_are_listed_by_name),
        IN_FOLDER(several_may_write_at_once),
        IN_FOLDER(a_password_is_not_on_the_disk_nor_a_verifier_once_removed),
    };
    return cmocka_run_group_tests_name("login_accounts", tests, NULL, NULL);
}
