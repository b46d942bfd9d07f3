/* weir user: who may log in at weir serve login. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "../services/login/accounts.h"
#include "../services/login/users_file.h"
#include "commands.h"
#include "effects.h"
#include "password_input.h"

struct user_settings {
    const char *users, *greeting;
    bool password_stdin;
};

/* What is to be done, and with what. */
struct job {
    const struct user_settings *settings;
    struct accounts *accounts;
    const char *const *words; /* the name, and a greeting */
    size_t count;
};

/* --- passwords --- */

static int get_password(bool from_stdin, char *password, size_t size, size_t *length)
{
    int got = from_stdin ? password_read(password, size, length) : password_ask(password, size, length);
    const char *problem = got < 0 ? NULL : account_password_problem(password, *length);
    if (problem)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "user", "", "%s", problem);
    return got;
}

/* Asks for a password and makes what is kept of it. */
static int get_verifier(const struct job *job, char verifier[PASSWORD_VERIFIER])
{
    char password[PASSWORD_LONGEST + 1];
    size_t length;
    int result = get_password(job->settings->password_stdin, password, sizeof password, &length);
    if (result == 0)
        result = password_keep(&password_cost, password, length, verifier);
    sodium_memzero(password, sizeof password);
    return result;
}

/* Nobody is asked for a password in vain. 0 where there is an account of that name or not, as it is to be; or -1. */
static int check_existence(const struct job *job, bool expected)
{
    struct account account;
    const char *name = job->words[0];
    int found = accounts_find(job->accounts, name, strlen(name), &account);
    if (found < 0 || (found > 0) == expected)
        return found < 0 ? -1 : 0;
    return weir_fail(WEIR_ERROR_SYSTEM, expected ? ENOENT : EEXIST, "user", name,
                     expected ? "there is no account of that name" : "there is an account of that name");
}

/* --- what can be done --- */

static int check_greeting(const char *greeting)
{
    const char *problem = account_greeting_problem(greeting);
    return problem ? weir_fail(WEIR_ERROR_USAGE, EINVAL, "user", "", "%s", problem) : 0;
}

static int add(const struct job *job)
{
    struct account account = {0};
    const char *greeting = job->settings->greeting ? job->settings->greeting : "";
    if (check_greeting(greeting) < 0 || check_existence(job, false) < 0 || get_verifier(job, account.verifier) < 0)
        return -1;
    memcpy(account.name, job->words[0], strlen(job->words[0]) + 1);
    memcpy(account.greeting, greeting, strlen(greeting) + 1);
    return accounts_add(job->accounts, &account);
}

static int passwd(const struct job *job)
{
    char verifier[PASSWORD_VERIFIER];
    if (check_existence(job, true) < 0 || get_verifier(job, verifier) < 0)
        return -1;
    return accounts_set_verifier(job->accounts, job->words[0], verifier);
}

static int greeting(const struct job *job)
{
    const char *text = job->count > 1 ? job->words[1] : "";
    if (check_greeting(text) < 0)
        return -1;
    return accounts_set_greeting(job->accounts, job->words[0], text);
}

static int remove_account(const struct job *job)
{
    return accounts_remove(job->accounts, job->words[0]);
}

static void print_account(const struct account *account, void *arg)
{
    char text[GREETING_LONGEST + 1];
    (void)arg;
    printf("%s\t%s\n", account->name, account_greeting(account, text));
}

static int list(const struct job *job)
{
    return accounts_list(job->accounts, print_account, NULL);
}

enum { ADDS = 1, ASKS = 2 };

static const struct action {
    const char *name;
    int (*run)(const struct job *job);
    unsigned uses; /* of options */
    size_t fewest, most;
} actions[] = {
    {"add", add, ADDS | ASKS, 1, 1},     {"passwd", passwd, ASKS, 1, 1}, {"greeting", greeting, 0, 1, 2},
    {"remove", remove_account, 0, 1, 1}, {"list", list, 0, 0, 0},
};

/* --- the command --- */

static const struct effect effects[] = {
    {"greeting", ADDS, "of add; that of an account is changed by weir user greeting NAME TEXT"},
    {"password-stdin", ASKS, "of add and passwd"},
    {0},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    unknown("action", name, NULL);
    return NULL;
}

static int check_words(const struct action *action, const struct job *job)
{
    if (job->count < action->fewest)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "user", action->name, "no NAME is given");
    if (job->count > action->most)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "user", job->words[action->most], "%s takes no more words",
                         action->name);
    const char *problem = job->count && action->uses & ADDS ? account_name_problem(job->words[0]) : NULL;
    return problem ? weir_fail(WEIR_ERROR_USAGE, EINVAL, "user", job->words[0], "%s", problem) : 0;
}

static int act(const struct action *action, struct job *job)
{
    const char *given = job->settings->users;
    char *path = given ? strdup(given) : users_file_default();
    if (!path)
        return given ? weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "user", given, NULL) : -1;
    job->accounts = accounts_open(path, action->uses & ADDS);
    int result = job->accounts ? action->run(job) : -1;
    accounts_close(job->accounts);
    free(path);
    return result;
}

static const weir_option user_options[] = {
    {WEIR_OPTION_TEXT, "users", 0, "FILE", offsetof(struct user_settings, users),
     "the file of the accounts (by default $XDG_STATE_HOME/weir/users.db or ~/.local/state/weir/users.db)"},
    {WEIR_OPTION_TEXT, "greeting", 0, "TEXT", offsetof(struct user_settings, greeting),
     "what a new account is greeted with, in place of hi NAME (add only)"},
    {WEIR_OPTION_FLAG, "password-stdin", 0, NULL, offsetof(struct user_settings, password_stdin),
     "reads the password from stdin, a line, in place of asking for it at the terminal (add and passwd)"},
    {0},
};

static int run_action(const weir_arguments *arguments, const struct user_settings *settings)
{
    if (arguments->count == 0)
        return wrong_usage("", "user: add, passwd, greeting, remove or list, what is to be done?");
    const struct action *action = find_action(arguments->items[0]);
    struct job job = {.settings = settings, .words = arguments->items + 1, .count = arguments->count - 1};
    weir_option_set set = {user_options, (void *)(uintptr_t)settings};
    if (!action || effects_check(effects, action->uses, &set, 1, "user", action->name) < 0 ||
        check_words(action, &job) < 0)
        return failed();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core dump has a password */
    return act(action, &job) < 0 ? failed() : finish_stdout();
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct user_settings settings = {0};
    weir_option_set set = {user_options, &settings};
    struct command_line line;
    int status;
    if (command_begin(command, &line, &set, 1, argc, argv, &status))
        status = run_action(&line.arguments, &settings);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const struct option_section sections[] = {{"Options", user_options}, {0}};
static const char *const usage[] = {"add|passwd|greeting|remove|list [OPTION]... [NAME [TEXT]]", NULL};
static const char *const examples[] = {
    "weir user add bob",
    "asks for a password, twice; bob is greeted with hi bob",
    "weir user add alice --greeting 'welcome back, Alice' --password-stdin < FILE",
    "her password is the first line of a file",
    "weir user passwd bob",
    "another password for bob",
    "weir user greeting bob 'good to see you'",
    "another greeting; without one it is hi bob again",
    "weir user list",
    "names and greetings, a tab between them",
    "weir user remove bob",
    "he can log in no more",
    NULL,
};

const struct command user_command = {
    .name = "user",
    .summary = "manages who may log in at weir serve login",
    .usage = usage,
    .description =
        "add NAME makes an account and asks for its password; passwd NAME changes the password; greeting NAME TEXT "
        "changes what the login is answered with; remove NAME removes the account; list prints all. What is changed "
        "holds at once, also for a server that runs.\n\n"
        "The accounts are in a file that only its owner can read, with its folders made by the first add. It has "
        "no passwords, but argon2id hashes of them, each with a salt of its own. Passwords are asked for at the "
        "terminal, where they are not shown, or read from stdin, but never taken from the command line, which "
        "others can see.\n\n"
        "Exit status: 0 done, 1 it could not be done, 2 wrong usage.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
