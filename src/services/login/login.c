/* login: a name and a password in, a greeting out. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "../private.h"
#include "../services.h"
#include "accounts.h"
#include "judge.h"
#include "users_file.h"

struct settings {
    const char *users;
    int64_t tries, at_once, checks, max_waiting;
    int64_t delay, max_delay;
    bool allow_plaintext;
};

struct login {
    struct door door;
    struct judge judge;
    char *path;
    bool allow_plaintext;
};

/* --- the start and the stop --- */

static void stop(void *arg)
{
    struct login *login = arg;
    tries_free(login->door.tries);
    slots_free(login->door.slots);
    free(login->path);
    free(login);
}

/* An account may still be added while it runs, the file may still come; what is there must be fit to be read. */
static int look_at_accounts(const char *path)
{
    struct accounts *accounts = accounts_open(path, false);
    if (!accounts && errno != ENOENT)
        return -1;
    int64_t count = accounts ? accounts_count(accounts) : 0;
    accounts_close(accounts);
    if (count == 0)
        weir_log(WEIR_LOG_WARNING, "login: there is no account in %s; to add one: weir user add NAME", path);
    return count < 0 ? -1 : 0;
}

static void tell_rest(struct tries_source source, uint64_t count)
{
    char text[TRIES_SOURCE_TEXT];
    weir_log(WEIR_LOG_INFO, "login: %s: wrong user or password, tries: %" PRIu64, tries_source_text(source, text),
             count);
}

static const struct slots_words words = {"login", NULL, "tries", "--max-waiting"};

static int furnish(struct login *login, const struct settings *settings)
{
    struct tries_limits limits = {settings->delay, settings->max_delay, settings->at_once};
    login->allow_plaintext = settings->allow_plaintext;
    login->path = settings->users ? strdup(settings->users) : users_file_default();
    if (!login->path)
        return settings->users ? weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "login", NULL) : -1;
    if (look_at_accounts(login->path) < 0 || judge_prepare(&login->judge, login->path, &password_cost) < 0)
        return -1;
    login->door = (struct door){
        .judge = judge_attempt,
        .judge_arg = &login->judge,
        .tries = tries_new(&limits, tell_rest),
        .slots = slots_new(&words, settings->checks, settings->max_waiting),
        .tries_each = settings->tries,
    };
    return login->door.tries && login->door.slots ? 0 : -1;
}

/* What passwords pass through is not to be found on a disk, nor be read by other processes of the same user. */
static void keep_memory_private(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* By TLS passwords lie in OpenSSL's memory too. */
static void defaults(weir_server_options *options)
{
    options->listen.tls.wipe = true;
}

static int start(void *settings, const weir_server_options *options, void **arg)
{
    (void)options;
    struct login *login = calloc(1, sizeof *login);
    if (!login)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "login", NULL);
    if (furnish(login, settings) < 0) {
        stop(login);
        return -1;
    }
    keep_memory_private();
    *arg = login;
    return 0;
}

static int check(void *arg, const weir_endpoint *endpoint)
{
    const struct login *login = arg;
    if (login->allow_plaintext || weir_scheme_is_secure(endpoint->scheme) || endpoint_is_private(endpoint))
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EACCES, "serve", endpoint->text,
                     "passwords would cross the network for everybody to read: tls:// hides them, --allow-plaintext if "
                     "you want that");
}

static void serve(weir_conn *conn, void *arg)
{
    const struct login *login = arg;
    door_serve(conn, &login->door);
}

/* --- what it is --- */

static const weir_option options[] = {
    {WEIR_OPTION_TEXT, "users", 0, "FILE", offsetof(struct settings, users),
     "the file of the accounts (by default $XDG_STATE_HOME/weir/users.db or ~/.local/state/weir/users.db)"},
    {WEIR_OPTION_INTEGER, "tries", 0, "N", offsetof(struct settings, tries),
     "wrong passwords until a connection is closed", "3", NULL, 1, INT64_MAX},
    {WEIR_OPTION_TIME, "retry-delay", 0, "TIME", offsetof(struct settings, delay),
     "how long the next try of an address has to wait after a wrong password; each further one doubles it", "500ms"},
    {WEIR_OPTION_TIME, "max-retry-delay", 0, "TIME", offsetof(struct settings, max_delay), "what that grows to at most",
     "10s"},
    {WEIR_OPTION_LIMIT, "tries-at-once", 0, "N", offsetof(struct settings, at_once),
     "tries of one address (IPv6: /64) at the same time; more are refused", "4"},
    {WEIR_OPTION_INTEGER, "checks", 0, "N", offsetof(struct settings, checks),
     "passwords checked at the same time (in each of several processes): each takes a CPU and 64 MiB for a moment", "1",
     NULL, 1, 1024},
    {WEIR_OPTION_INTEGER, "max-waiting", 0, "N", offsetof(struct settings, max_waiting),
     "tries that may wait for that; more are refused", "64"},
    {WEIR_OPTION_FLAG, "allow-plaintext", 0, NULL, offsetof(struct settings, allow_plaintext),
     "serves other machines too, though whoever is between reads the passwords"},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", NULL};
static const char *const endpoints[] = {"tcp://:8002", NULL};
static const char *const examples[] = {
    "weir serve login",
    "on port 8002 of this machine, for the accounts that weir user has made",
    "weir serve login :2000 --users ~/users.db --tries 1",
    "accounts of another file, one try a connection",
    "weir serve login unix:/tmp/login.socket",
    "on a Unix socket",
    "weir serve login 'tls://*:8002' --cert CERT.pem --key KEY.pem",
    "for other machines, and nobody in between",
    "weir serve login 'tcp://*:8002' --allow 10.0.0.0/8 --allow-plaintext",
    "for a network that is trusted with the passwords",
    NULL,
};

const weir_service login_service = {
    .size = sizeof(weir_service),
    .name = "login",
    .summary = "asks for a name and a password, and greets who has an account",
    .description =
        "A client sends its name and its password: as two lines, as two messages without newlines, or as one, `NAME "
        "PASSWORD`. One that stays silent is asked, `user: ` and `password: `. Whoever has an account is answered with "
        "his greeting, `hi NAME` unless `weir user` has set another, and the connection ends; otherwise the answer is "
        "`wrong user or password`, and there are two more tries.\n\n"
        "Accounts are made by `weir user`, also while this runs. Of passwords the file has argon2id hashes alone.\n\n"
        "Guessing is slow: each address has few tries at once, and waits longer after each wrong one, until ten "
        "minutes pass without one. Passwords are checked one after the other (--checks) at the least priority (nice "
        "19), so that however many try, other services answer as fast. An unknown name gets the same answer after the "
        "same work as a wrong password. Neither names that failed nor passwords are logged, and the process leaves no "
        "core dump.\n\n"
        "On tcp:// passwords travel as they are. So for other machines it takes tls://, or --allow-plaintext.",
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "%w ask --timeout 1m %s 'NAME PASSWORD'", /* who has erred waits */
    .options = options,
    .settings_size = sizeof(struct settings),
    .stream = serve,
    .defaults = defaults,
    .start = start,
    .stop = stop,
    .check = check,
};
