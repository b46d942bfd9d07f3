/* What the tests of the login share: a folder for each, accounts in it. Included by one file of a program. */
#ifndef WEIR_TESTS_UNIT_LOGIN_H
#define WEIR_TESTS_UNIT_LOGIN_H

#include <ftw.h>
#include <sodium.h>
#include <unistd.h>

#include "services/login/accounts.h"

/* The least there is: what is tested here is not how long it takes. */
static const struct password_cost cheap = {crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN};

static char folder[64], path[128];

static int make_folder(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/login-XXXXXX", parent && strlen(parent) < 40 ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a/b/users.db", folder);
    return 0;
}

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(name);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct accounts *opened(void)
{
    struct accounts *accounts = accounts_open(path, true);
    if (!accounts)
        fail_msg("%s", weir_error()->sentence);
    return accounts;
}

static struct account account_of(const char *name, const char *password, const char *greeting)
{
    struct account account = {0};
    snprintf(account.name, sizeof account.name, "%s", name);
    snprintf(account.greeting, sizeof account.greeting, "%s", greeting);
    assert_int_equal(password_keep(&cheap, password, strlen(password), account.verifier), 0);
    return account;
}

static void add(const char *name, const char *password, const char *greeting)
{
    struct accounts *accounts = opened();
    struct account account = account_of(name, password, greeting);
    assert_int_equal(accounts_add(accounts, &account), 0);
    accounts_close(accounts);
}

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

#endif
