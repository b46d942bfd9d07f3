/* A conversation with a server of several processes and the parent that supervises them; the client is a process, too. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "talks.h"

enum { PROCESSES = 2, CRASHED = 3, ENDPOINT = 100, CALLS_MOST = 3000 };

/* How often it is looked whether the process that crashed has a successor; without one the others serve. */
enum { LOOKS = 50 };

struct family {
    weir_server *server;
    int tell; /* the client is told the endpoint here, and by its end that the program has ended */
};

/* --- what is served --- */

/* Who says "c" ends the process. */
static void crash_or_echo(weir_conn *conn, void *arg)
{
    char *data;
    ssize_t length;
    (void)arg;
    while ((length = weir_receive(conn, &data)) > 0) {
        if (*data == 'c')
            _exit(CRASHED);
        if (weir_send_all(conn, data, (size_t)length) < 0)
            break;
    }
}

/* --- the client --- */

/* The process that has the connection ends, and so does the connection. */
static bool crash(const char *endpoint)
{
    weir_auto weir_conn *conn = connect_to(endpoint);
    char got[8];
    if (!conn || !send_text(conn, "c"))
        return false;
    return weir_recv(conn, got, sizeof got) <= 0 || wrong("who asked for a crash reads something");
}

/* The pause before a restart is cut short: it is as long as all else together. */
static void await_successor(int forks_before)
{
    for (int i = 0; i < LOOKS && forks_of_run() == forks_before; i++) {
        usleep(1000);
        skip_time(WEIR_MS(100));
    }
}

static bool be_served(const char *endpoint)
{
    int forks = forks_of_run();
    if (!converse(endpoint) || !crash(endpoint))
        return false;
    await_successor(forks);
    for (int i = 0; i < PROCESSES; i++)
        if (!converse(endpoint))
            return false;
    return true;
}

/* A program that is deaf for as long as the failure lasts cannot be told to end: so it does not last for ever. */
static void await_end(int told)
{
    struct pollfd end = {.fd = told, .events = POLLIN};
    int64_t patience = SOON;
    while (poll(&end, 1, 5) == 0)
        if (weir_now() > patience)
            heal();
}

static int be_client(int told, pid_t program)
{
    char endpoint[ENDPOINT];
    ssize_t length = read(told, endpoint, sizeof endpoint - 1);
    if (length <= 0)
        return 0; /* the program did not get so far */
    endpoint[length] = '\0';
    bool well = be_served(endpoint);
    kill(program, SIGTERM);
    await_end(told);
    return well ? 0 : 1;
}

static pid_t start_client(int pair[2])
{
    pid_t program = getpid(), client = fork_aside();
    if (client == 0) {
        close(pair[1]);
        _exit(be_client(pair[0], program));
    }
    close(pair[0]);
    return client;
}

static void tell_endpoint(void *arg)
{
    const struct family *family = arg;
    const char *endpoint = weir_server_endpoint(family->server, 0);
    if (write(family->tell, endpoint, strlen(endpoint)) < 0)
        fault("the client cannot be told the endpoint");
}

/* --- the program --- */

/* A process that cannot be killed, or is said to be none, is left to itself; no other. */
static bool none_is_left(void)
{
    enum point point = plan_here()->point;
    bool may_be = has_harmed() && (point == POINT_kill || point == POINT_waitid);
    int left = end_forks();
    return !left || may_be || wrong("%d processes are left behind", left);
}

/* Who cannot hear, or cannot kill, tries again after a pause; unless it cannot even pause, which is by poll(2). */
static bool does_not_spin(void)
{
    static const enum point points_of_it[] = {POINT_read, POINT_kill, POINT_waitid};
    for (size_t i = 0; i < sizeof points_of_it / sizeof *points_of_it && plan_here()->point != POINT_poll; i++)
        if (calls_at(points_of_it[i]) > CALLS_MOST)
            return wrong("%s is called %u times", points[points_of_it[i]].name, calls_at(points_of_it[i]));
    return true;
}

static bool run_program(struct family *family)
{
    pid_t own = getpid();
    TRY(weir_server_add(family->server, "tcp://127.0.0.1:0", crash_or_echo, NULL));
    int result = weir_run_servers(&family->server, 1,
                                  WEIR_OPTIONS(weir_run_options, .processes = PROCESSES, .drain_timeout = PATIENCE,
                                               .ready = tell_endpoint, .arg = family));
    bool well = result == 0 || failed("weir_run_servers");
    if (getpid() != own)
        _exit(well ? 0 : 1); /* one of the family: what follows is its parent's */
    return none_is_left() && does_not_spin() && well;
}

static bool serve_family(struct family *family)
{
    weir_server_options options = {.size = sizeof options, .workers = 1, .name = "family", .backend = talk_backend};
    family->server = weir_server_new(&options);
    bool well = family->server ? run_program(family) : failed("weir_server_new");
    weir_server_free(family->server);
    return well;
}

static bool with_client(void)
{
    int pair[2], status = 0;
    if (pipe2(pair, O_CLOEXEC) < 0)
        return wrong("there is no pipe to the client");
    pid_t client = start_client(pair);
    struct family family = {.tell = pair[1]};
    bool well = client > 0 && serve_family(&family);
    close(pair[1]);
    if (client < 0 || waitpid(client, &status, 0) != client)
        return wrong("there is no client");
    return well && status == 0;
}

/* The signal that ends the program is not to end this process where it is none any more. */
static bool supervised(void)
{
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    bool well = with_client();
    sigtimedwait(&term, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return well;
}

const struct conversation family_talks[] = {
    {"supervised", supervised, .forks = true, .calls = 4},
    {0},
};
