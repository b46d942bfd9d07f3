/* exec: a program for each client, which it talks to by its stdin and stdout. */
#include "exec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../private.h"
#include "../services.h"
#include "environment.h"

struct settings {
    const char *const *command;
    int64_t max_programs, max_waiting;
    int64_t grace;
};

/* --- the start --- */

static bool has_allow(const weir_option_list *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        if (strcmp(rules->names[i], "allow") == 0)
            return true;
    return false;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void stop(void *arg)
{
    struct exec *exec = arg;
    slots_free(exec->slots);
    free(exec->program);
    free(exec);
}

/*
 * Whoever started us may have had SIGCHLD ignored, which programs inherit: then the kernel tells nobody how a program has
 * ended. Before there are threads, and programs.
 */
static void let_ends_be_told(void)
{
    struct sigaction told = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &told, NULL);
}

static const struct slots_words words = {"exec", "programs run, as many as may (--max-programs)", "clients",
                                         "--max-waiting"};

static int start(void *arg, const weir_server_options *options, void **made)
{
    const struct settings *settings = arg;
    struct exec *exec = calloc(1, sizeof *exec);
    if (!exec)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "exec", NULL);
    exec->program = exec_find_program(settings->command[0]);
    exec->slots = exec->program ? slots_new(&words, settings->max_programs, settings->max_waiting) : NULL;
    if (!exec->slots) {
        stop(exec);
        return -1;
    }
    exec->command = settings->command;
    exec->name = last_part(settings->command[0]);
    exec->grace = settings->grace;
    exec->idle = options->idle_timeout ? options->idle_timeout : WEIR_MINUTES(5);
    exec->lifetime = options->lifetime ? options->lifetime : WEIR_FOREVER;
    exec->guarded = has_allow(&options->rules);
    exec_environment_forget();
    let_ends_be_told();
    *made = exec;
    return 0;
}

/* --- who may come --- */

/* A program is more than an echo: whom it is for must be said as soon as others can reach it. */
static int check(void *arg, const weir_endpoint *endpoint)
{
    const struct exec *exec = arg;
    if (exec->guarded || endpoint_is_private(endpoint))
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EACCES, "serve", endpoint->text,
                     "others than this machine could run %s there: say whom to let in, by --allow", exec->name);
}

/* --- a client --- */

struct visit {
    const struct exec *exec;
    weir_conn *conn;
    const char *client;
    bool begun;
};

static int converse(void *arg)
{
    struct visit *visit = arg;
    visit->begun = true;
    exec_converse(visit->exec, visit->conn, visit->client);
    return 0;
}

/* A client that is served by a thread gets a loop there for its fibers. */
static void converse_in_thread(struct visit *visit)
{
    if (weir_run(converse, visit, NULL) == 0 || visit->begun)
        return;
    weir_log(WEIR_LOG_ERROR, "%s: %s", visit->client, weir_error()->sentence);
    slots_give(visit->exec->slots);
    weir_abort(visit->conn);
}

/*
 * Workers block all signals. But where SIGCHLD is blocked in the thread that starts a program the kernel cannot ignore it, as
 * nobody here handles it: the end of each program would wake the main thread for nothing.
 */
static void let_ends_be_ignored(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
}

static void serve(weir_conn *conn, void *arg)
{
    const struct exec *exec = arg;
    char client[EXEC_CLIENT_ROOM];
    struct visit visit = {exec, conn, exec_client_name(conn, client, sizeof client), false};
    if (slots_take(exec->slots, client, weir_deadline(exec->idle)) < 0) {
        if (errno == ETIMEDOUT)
            weir_log(WEIR_LOG_INFO, "%s: has waited too long for a program to end", client);
        weir_abort(conn);
        return;
    }
    let_ends_be_ignored();
    if (exec_is_cut(conn)) /* while it waited */
        slots_give(exec->slots);
    else if (weir_self())
        converse(&visit);
    else
        converse_in_thread(&visit);
}

/* --- what it is --- */

static const weir_option options[] = {
    {WEIR_OPTION_LIMIT, "max-programs", 0, "N", offsetof(struct settings, max_programs),
     "programs at once (in each of several processes); further clients wait, connected, until one ends", "100"},
    {WEIR_OPTION_INTEGER, "max-waiting", 0, "N", offsetof(struct settings, max_waiting),
     "clients that may wait for that; more are refused: their connections are reset", "1000"},
    {WEIR_OPTION_TIME, "grace", 0, "TIME", offsetof(struct settings, grace),
     "how long a program may take to end after SIGTERM when its client has gone, before SIGKILL", "2s"},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", NULL};
static const char *const endpoints[] = {"tcp://:8005", NULL};
static const char *const examples[] = {
    "weir serve exec -- date",
    "the time, for who connects to port 8005 of this machine",
    "weir serve exec :2000 -- sh -c 'read name; echo \"hi $name, from $TCPREMOTEIP\"'",
    "a greeting, by a shell script that reads a line",
    "weir serve exec unix:/tmp/sort.socket --max-programs 4 -- sort",
    "sorted lines on a Unix socket: sort sees the end of its input when the client ends its side",
    "weir serve exec 'tcp://*:8005' --allow 10.0.0.0/8 -- tr a-z A-Z",
    "for a network: beyond this machine it must be said who is let in",
    NULL,
};

const weir_service exec_service = {
    .size = sizeof(weir_service),
    .name = "exec",
    .summary = "runs a program for each client, on its standard input and output",
    .description =
        "What a client sends is the program's input, what the program writes goes to the client, and each line that it "
        "writes on its standard error is logged, as is its exit status. There is no shell unless you name one.\n\n"
        "When the client ends its side the program reads the end of its input, and all that it writes is still "
        "delivered. When the program ends the client reads the end; what the program left running in its process "
        "group is killed. When the client goes (it resets the connection, takes no more, or passes one of the limits) "
        "the program's process group gets SIGTERM, and SIGKILL after --grace.\n\n"
        "The program finds in its environment who its client is, as under tcpserver: PROTO=TCP, TCPLOCALIP, "
        "TCPLOCALPORT, TCPREMOTEIP, TCPREMOTEPORT; on a Unix socket as under unixserver: PROTO=UNIX, UNIXLOCALPATH, "
        "UNIXREMOTEPID, UNIXREMOTEEUID, UNIXREMOTEEGID; and as under ncat: NCAT_PROTO, NCAT_LOCAL_ADDR, "
        "NCAT_LOCAL_PORT, NCAT_REMOTE_ADDR, NCAT_REMOTE_PORT. No names are looked up.\n\n"
        "Off this machine it refuses to start unless --allow says who is let in.",
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "%w ask %s hello",
    .options = options,
    .settings_size = sizeof(struct settings),
    .stream = serve,
    .start = start,
    .stop = stop,
    .check = check,
    .takes_command = true,
    .command_offset = offsetof(struct settings, command),
};
