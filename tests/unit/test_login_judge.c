/* Passwords of the login, and its judge, which works the same for whoever is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <weir/weir.h>

#include "login.h"
#include "services/login/background.h"
#include "services/login/judge.h"

/* --- passwords --- */

static void a_verifier_fits_its_password_alone(void **state)
{
    (void)state;
    char one[PASSWORD_VERIFIER], other[PASSWORD_VERIFIER];
    uint64_t before = password_runs();
    assert_int_equal(password_keep(&cheap, "secret", 6, one), 0);
    assert_int_equal(password_keep(&cheap, "secret", 6, other), 0);
    assert_string_not_equal(one, other);
    assert_int_equal(password_fits(one, "secret", 6), 1);
    assert_int_equal(password_fits(other, "secret", 6), 1);
    assert_int_equal(password_fits(one, "secret ", 7), 0);
    assert_int_equal(password_fits(one, "", 0), 0);
    assert_int_equal(password_runs() - before, 4);
    assert_null(strstr(one, "secret"));
}

static void the_stand_in_costs_the_same_and_fits_nothing(void **state)
{
    (void)state;
    char nobody[PASSWORD_VERIFIER], somebody[PASSWORD_VERIFIER], other[PASSWORD_VERIFIER];
    assert_int_equal(password_keep(&cheap, "", 0, somebody), 0);
    assert_int_equal(password_keep_none(&cheap, nobody), 0);
    assert_int_equal(password_keep_none(&cheap, other), 0);
    assert_int_equal(strlen(nobody), strlen(somebody));
    assert_string_not_equal(nobody, other);
    assert_int_equal(crypto_pwhash_str_needs_rehash(nobody, cheap.operations, cheap.memory), 0);
    assert_int_equal(password_fits(nobody, "", 0), 0);
    assert_int_equal(password_fits(nobody, "secret", 6), 0);
}

static void accounts_cost_what_libsodium_advises(void **state)
{
    (void)state;
    assert_true(password_cost.operations >= crypto_pwhash_OPSLIMIT_INTERACTIVE);
    assert_true(password_cost.memory >= crypto_pwhash_MEMLIMIT_INTERACTIVE);
}

static void what_is_no_verifier_fits_nothing(void **state)
{
    (void)state;
    static const char *const broken[] = {"", "secret", "$argon2id$v=19$m=8,t=1,p=1$", "$argon2i$v=19$m=65536"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_int_equal(password_fits(broken[i], "secret", 6), -1);
        assert_int_equal(errno, EINVAL);
    }
}

static int priority_of_thread(void *arg)
{
    return *(int *)arg = getpriority(PRIO_PROCESS, 0);
}

static void background_work_has_the_least_priority(void **state)
{
    (void)state;
    int priority = -1, result = -1, own = getpriority(PRIO_PROCESS, 0);
    assert_int_equal(background_run(priority_of_thread, &priority, &result), 0);
    assert_int_equal(result, priority);
    assert_int_equal(priority, 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
}

/* --- the judge --- */

static struct judge judge;

static struct attempt attempt_of(const char *name, const char *password)
{
    struct attempt attempt = {.name_length = strlen(name), .password_length = strlen(password)};
    memcpy(attempt.name, name, attempt.name_length);
    memcpy(attempt.password, password, attempt.password_length);
    return attempt;
}

/* Every verdict takes one run of argon2, whatever it is. */
static void is_judged(const char *name, const char *password, enum verdict expected, const char *greeting)
{
    struct attempt attempt = attempt_of(name, password);
    uint64_t before = password_runs();
    assert_int_equal(judge_attempt(&attempt, &judge), expected);
    assert_int_equal(password_runs() - before, 1);
    assert_string_equal(attempt.greeting, greeting);
}

static void right_wrong_and_unknown_cost_the_same(void **state)
{
    (void)state;
    assert_int_equal(judge_prepare(&judge, path, &cheap), 0);
    is_judged("bob", "secret", VERDICT_WRONG, ""); /* no file yet */
    add("bob", "secret", "");
    add("alice", "secret too", "welcome back, Alice");
    is_judged("bob", "secret", VERDICT_LET_IN, "hi bob");
    is_judged("alice", "secret too", VERDICT_LET_IN, "welcome back, Alice");
    is_judged("bob", "secret too", VERDICT_WRONG, "");
    is_judged("bob", "", VERDICT_WRONG, "");
    is_judged("eve", "secret", VERDICT_WRONG, "");
    is_judged("", "", VERDICT_WRONG, "");
    is_judged("' OR 1=1 --", "' OR 1=1 --", VERDICT_WRONG, "");
}

static void quiet(weir_log_level level, const char *message, void *arg)
{
    (void)level;
    snprintf(arg, 1000, "%s", message);
}

static void a_broken_file_lets_nobody_in(void **state)
{
    (void)state;
    char said[1000] = "";
    add("bob", "secret", "");
    assert_int_equal(judge_prepare(&judge, path, &cheap), 0);
    assert_int_equal(chmod(path, 0644), 0);
    weir_log_sink(quiet, said);
    is_judged("bob", "secret", VERDICT_FAILED, "");
    weir_log_sink(NULL, NULL);
    assert_non_null(strstr(said, "chmod 600"));
    assert_null(strstr(said, "secret"));
}

static void a_broken_verifier_lets_nobody_in(void **state)
{
    (void)state;
    char said[1000] = "";
    struct attempt attempt = attempt_of("bob", "");
    struct account account = {.name = "bob"};
    struct accounts *accounts = opened();
    assert_int_equal(accounts_add(accounts, &account), -1); /* none at all */
    snprintf(account.verifier, sizeof account.verifier, "plain");
    assert_int_equal(accounts_add(accounts, &account), 0);
    accounts_close(accounts);
    assert_int_equal(judge_prepare(&judge, path, &cheap), 0);
    weir_log_sink(quiet, said);
    assert_int_equal(judge_attempt(&attempt, &judge), VERDICT_FAILED);
    weir_log_sink(NULL, NULL);
    assert_non_null(strstr(said, "account bob: argon2: not a verifier"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verifier_fits_its_password_alone),
        cmocka_unit_test(the_stand_in_costs_the_same_and_fits_nothing),
        cmocka_unit_test(accounts_cost_what_libsodium_advises),
        cmocka_unit_test(what_is_no_verifier_fits_nothing),
        cmocka_unit_test(background_work_has_the_least_priority),
        IN_FOLDER(right_wrong_and_unknown_cost_the_same),
        IN_FOLDER(a_broken_file_lets_nobody_in),
        IN_FOLDER(a_broken_verifier_lets_nobody_in),
    };
    return cmocka_run_group_tests_name("login_judge", tests, NULL, NULL);
}
