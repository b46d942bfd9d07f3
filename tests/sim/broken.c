/* Scenarios that go wrong, each in another way, for check_broken.py: what the simulator makes of them is what is tested. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/sim.h>
#include <weir/weir.h>

enum { WRONG_SEED = 5 };

/* --- programs --- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int fail_a_check(void *arg)
{
    weir_sim_note("the host is %s", weir_sim_host_name(weir_sim_host_self()));
    WEIR_SIM_CHECK(arg != NULL);
    return 0;
}

static int end_badly(void *arg)
{
    (void)arg;
    return 3;
}

static int wait_for_nobody(void *arg)
{
    (void)arg;
    weir_conn *pair[2];
    char byte;
    if (weir_pair(SOCK_STREAM, pair) < 0)
        return 1;
    return weir_recv(pair[0], &byte, 1) == 0;
}

static int wake_for_ever(void *arg)
{
    (void)arg;
    while (weir_sleep(WEIR_MS(500)) == 0)
        ;
    return 0;
}

static int leave_a_descriptor(void *arg)
{
    (void)arg;
    weir_conn *pair[2];
    if (weir_pair(SOCK_STREAM, pair) == 0)
        weir_close(pair[0]);
    return 0;
}

static int leave_memory(void *arg)
{
    static void *volatile kept;
    (void)arg;
    kept = malloc(1000);
    return kept ? 0 : 1;
}

static int hang(void *arg)
{
    (void)arg;
    while (true)
        pause();
    return 0;
}

static int crash(void *arg)
{
    (void)arg;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int leave(void *arg)
{
    (void)arg;
    exit(9);
}

static bool listens(const char *endpoint)
{
    weir_listener *listener = weir_listen(endpoint, NULL);
    weir_listener_close(listener);
    return listener;
}

static bool sends_a_datagram(void)
{
    weir_conn *conn = weir_connect("udp://127.0.0.1:9", NULL);
    bool sent = conn && weir_send(conn, "question", 8) == 8;
    weir_close(conn);
    return sent;
}

/* Something of everything, for the trace. */
static int talk(void *arg)
{
    (void)arg;
    weir_conn *pair[2];
    if (!listens("unix:/run/door") || !listens("unix:@name") || !sends_a_datagram())
        return 1;
    weir_file *file = weir_file_open("/notes", O_RDWR | O_CREAT, 0600);
    if (!file || weir_file_write_all(file, "a note\n", 7, WEIR_FOREVER) < 0 || weir_file_close(file) < 0)
        return 1;
    if (weir_pair(SOCK_STREAM, pair) < 0)
        return 1;
    char got[100];
    bool well = weir_send_all(pair[0], "hello\r\n\x01 there, and whatever else there is to say", 48) == 0 &&
                weir_read_exactly(pair[1], got, 48) == 0 && weir_shutdown(pair[0], SHUT_WR) == 0;
    weir_close(pair[0]);
    weir_close(pair[1]);
    weir_conn *refused = weir_connect("tcp://127.0.0.1:9", NULL);
    weir_log(WEIR_LOG_INFO, "it is done");
    return well && !refused ? 0 : 1;
}

/* It is told to end when the programs have. */
static int serve(void *arg)
{
    (void)arg;
    return weir_sim_wait_stop();
}

/* --- scenarios --- */

static void one(const char *name, int (*program)(void *arg))
{
    weir_sim_program(weir_sim_host_new("here"), name, program, NULL);
}

#define SCENARIO_OF(program)                                                                                           \
    static void set_up_##program(void)                                                                                 \
    {                                                                                                                  \
        one("program", program);                                                                                       \
    }

SCENARIO_OF(fail_a_check)
SCENARIO_OF(end_badly)
SCENARIO_OF(wait_for_nobody)
SCENARIO_OF(wake_for_ever)
SCENARIO_OF(leave_a_descriptor)
SCENARIO_OF(leave_memory)
SCENARIO_OF(hang)
SCENARIO_OF(crash)
SCENARIO_OF(leave)
SCENARIO_OF(talk)

static void good(void)
{
    one("program", nothing);
    weir_sim_host *server = weir_sim_host_new("server");
    weir_sim_service(server, "service", serve, NULL);
    weir_sim_service(server, "another service", serve, NULL);
}

/* In some seeds, so that there are such as fail among such as do not. */
static void sometimes(void)
{
    one("program", weir_sim_below(WRONG_SEED) == 0 ? end_badly : nothing);
}

/* What is outside of the seed makes runs differ. */
static void differs(void)
{
    static int runs;
    one("program", nothing);
    if (runs++)
        weir_sim_program(weir_sim_host_new("there"), "another", nothing, NULL);
}

#define QUIET .without = WEIR_SIM_ALL_FAULTS

int main(int argc, char **argv)
{
    static const weir_sim_scenario scenarios[] = {
        {.name = "good", .summary = "nothing is wrong", .set_up = good},
        {.name = "check", .set_up = set_up_fail_a_check, QUIET},
        {.name = "status", .set_up = set_up_end_badly, QUIET},
        {.name = "stuck", .set_up = set_up_wait_for_nobody, QUIET},
        {.name = "endless", .set_up = set_up_wake_for_ever, QUIET, .limit = WEIR_S(10)},
        {.name = "descriptor", .set_up = set_up_leave_a_descriptor, QUIET},
        {.name = "memory", .set_up = set_up_leave_memory, QUIET},
        {.name = "hang", .set_up = set_up_hang, QUIET},
        {.name = "crash", .set_up = set_up_crash, QUIET},
        {.name = "exit", .set_up = set_up_leave, QUIET},
        {.name = "talk", .set_up = set_up_talk, QUIET},
        {.name = "sometimes", .set_up = sometimes, QUIET},
        {.name = "differs", .set_up = differs, QUIET},
        {0},
    };
    return weir_sim_main(argc, argv, scenarios);
}
