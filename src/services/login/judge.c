/* The judge; see judge.h. */
#include "judge.h"

#include <errno.h>
#include <string.h>

#include "accounts.h"
#include "background.h"

int judge_prepare(struct judge *judge, const char *path, const struct password_cost *cost)
{
    judge->path = path;
    return password_keep_none(cost, judge->nobody);
}

struct comparison {
    const struct attempt *attempt;
    const char *verifier;
    const char *name; /* of the account; NULL: nobody's */
};

static int compare(void *arg)
{
    const struct comparison *comparison = arg;
    const struct attempt *attempt = comparison->attempt;
    int fits = password_fits(comparison->verifier, attempt->password, attempt->password_length);
    if (fits < 0 && !comparison->name)
        weir_log_error();
    else if (fits < 0)
        weir_log(WEIR_LOG_ERROR, "login: account %s: %s", comparison->name, weir_error()->sentence);
    return fits;
}

/*
 * 1 and the account, 0 or -1. The file is opened for each: so nothing is shared by threads and forked processes, and
 * an account that was just added, or a file that was put in place of another, is seen. It costs nothing beside
 * argon2.
 */
static int look_up(const struct judge *judge, const struct attempt *attempt, struct account *account)
{
    struct accounts *accounts = accounts_open(judge->path, false);
    if (!accounts)
        return errno == ENOENT ? 0 : -1;
    int found = accounts_find(accounts, attempt->name, attempt->name_length, account);
    accounts_close(accounts);
    return found;
}

/* Whatever is wrong, argon2 runs once: the time that an answer takes tells nobody what it was. */
enum verdict judge_attempt(struct attempt *attempt, void *arg)
{
    const struct judge *judge = arg;
    struct account account;
    int found = look_up(judge, attempt, &account), fits;
    if (found < 0)
        weir_log_error();
    bool known = found > 0;
    struct comparison comparison = {attempt, known ? account.verifier : judge->nobody, known ? account.name : NULL};
    if (background_run(compare, &comparison, &fits) < 0) {
        weir_log_error();
        return VERDICT_FAILED;
    }
    if (found < 0 || fits < 0)
        return VERDICT_FAILED;
    if (found == 0 || fits == 0)
        return VERDICT_WRONG;
    account_greeting(&account, attempt->greeting);
    return VERDICT_LET_IN;
}
