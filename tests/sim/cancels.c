/* Calls of every kind, cancelled by another fiber while they wait, or around it; the connection is used on where it can be. */
#include "commands.h"
#include "scenarios.h"

enum { CLIENTS = 2, STEPS = 5, LONGEST_SILENCE = 1200, MUCH = 40000 };

#define PATIENCE WEIR_S(15)
/* What a turn of the loop costs. */
#define SOON WEIR_US(200)

/* --- another fiber, which cancels at its time --- */

enum blow { CANCEL, ABORT, CANCEL_FIBER, SHUTDOWN };

struct striker {
    enum blow blow;
    weir_conn *conn;
    weir_fiber *victim, *self;
    int64_t when, struck_at; /* struck_at 0: not yet */
};

static int strike(void *arg)
{
    struct striker *striker = arg;
    if (weir_sleep_until(striker->when) < 0)
        return -1;
    striker->struck_at = weir_now();
    switch (striker->blow) {
    case CANCEL:
        weir_cancel(striker->conn);
        break;
    case ABORT:
        weir_abort(striker->conn);
        break;
    case CANCEL_FIBER:
        weir_cancel_fiber(striker->victim);
        break;
    case SHUTDOWN:
        weir_shutdown(striker->conn, SHUT_RDWR);
        break;
    }
    return 0;
}

static int begin_strike(struct striker *striker, enum blow blow, weir_conn *conn, unsigned within_ms)
{
    *striker = (struct striker){.blow = blow, .conn = conn, .when = weir_now() + between(0, WEIR_MS(within_ms))};
    striker->self = weir_spawn(strike, striker, WEIR_OPTIONS(weir_fiber_options, .name = "striker"));
    return striker->self ? 0 : -1;
}

static void end_strike(struct striker *striker)
{
    if (weir_join(striker->self, NULL, WEIR_FOREVER) < 0)
        weir_sim_fail("a fiber could not be joined: %s", weir_error()->sentence);
}

/* The call that has just failed with ECANCELED or the like did so because of the blow, and at once. */
static void check_struck(const char *what, const struct striker *striker)
{
    if (!striker->struck_at)
        weir_sim_fail("%s was cancelled before anybody did so: %s", what, weir_error()->sentence);
    else
        check_due(what, striker->struck_at, SOON);
}

static bool was_cancelled(const char *what, const struct striker *striker)
{
    if (errno != ECANCELED)
        return false;
    WEIR_SIM_CHECK(weir_error()->kind == WEIR_ERROR_CANCELLED);
    check_struck(what, striker);
    return true;
}

/* --- steps. 0: the connection is as it was; -1 --- */

/* One of the ways to wait for what comes. What came, or -1. */
static int wait_for_answer(weir_conn *conn, char **line)
{
    static char byte;
    weir_case readable = {.kind = WEIR_CASE_READABLE, .conn = conn};
    *line = NULL;
    switch (weir_sim_below(3)) {
    case 0:
        return weir_select(&readable, 1, WEIR_FOREVER);
    case 1:
        return weir_recv_flags(conn, &byte, 1, MSG_PEEK) > 0 ? 0 : -1;
    default:
        return weir_read_line(conn, line, NULL, 100) == 1 ? 0 : -1;
    }
}

/* Cancelling concerns the call in progress and no other. */
static int receiving(weir_conn *conn)
{
    unsigned ms = (unsigned)between(1, LONGEST_SILENCE);
    struct striker striker;
    char *line;
    if (command(conn, "pause %u", ms) < 0 || begin_strike(&striker, CANCEL, conn, LONGEST_SILENCE) < 0)
        return -1;
    int result = wait_for_answer(conn, &line);
    bool answered = result == 0 && line;
    if (answered)
        WEIR_SIM_CHECK(strcmp(line, "ok") == 0);
    bool go_on = result == 0 || was_cancelled("receiving", &striker);
    end_strike(&striker);
    if (!go_on)
        return -1;
    return answered ? 0 : expect(conn, "ok");
}

static int send_much(weir_conn *conn, const char *data, struct striker *striker)
{
    if (begin_strike(striker, CANCEL, conn, LONGEST_SILENCE) < 0)
        return -1;
    int result = weir_send_all(conn, data, MUCH);
    uint64_t went = result < 0 ? weir_error()->transferred : MUCH;
    bool go_on = result == 0 || was_cancelled("sending", striker);
    end_strike(striker);
    if (!go_on)
        return -1;
    WEIR_SIM_CHECK(went <= MUCH);
    return went < MUCH ? weir_send_all(conn, data + went, MUCH - went) : 0;
}

static int sending(weir_conn *conn)
{
    struct striker striker;
    uint64_t seed = weir_sim_below(UINT64_MAX);
    char *data = malloc(MUCH);
    if (!data)
        return -1;
    pattern(seed, 0, data, MUCH);
    int result = command(conn, "sink %llu %d %d", (unsigned long long)seed, MUCH, (int)between(1, LONGEST_SILENCE));
    if (result == 0)
        result = send_much(conn, data, &striker);
    int number = errno;
    free(data);
    errno = number;
    return result < 0 ? -1 : expect(conn, "sunk");
}

/* A fiber that is cancelled: its call ends, and every later one; the connection is none the worse for it. */
struct victim {
    weir_conn *conn;
    int64_t ended; /* by a cancel */
    bool answered, failed;
};

static int be_victim(void *arg)
{
    struct victim *victim = arg;
    char *line;
    victim->answered = wait_for_answer(victim->conn, &line) == 0;
    if (victim->answered) {
        victim->answered = line;
        return 0;
    }
    victim->failed = errno != ECANCELED;
    if (victim->failed)
        return 0;
    victim->ended = weir_now();
    WEIR_SIM_CHECK(weir_cancelled());
    WEIR_SIM_CHECK(weir_sleep(WEIR_S(1)) < 0 && errno == ECANCELED);
    WEIR_SIM_CHECK(weir_now() <= victim->ended + SOON);
    return 0;
}

static int of_a_fiber(weir_conn *conn)
{
    struct victim victim = {.conn = conn};
    if (command(conn, "pause %u", (unsigned)between(1, LONGEST_SILENCE)) < 0)
        return -1;
    weir_fiber *fiber = weir_spawn(be_victim, &victim, WEIR_OPTIONS(weir_fiber_options, .name = "victim"));
    if (!fiber || weir_sleep(between(0, WEIR_MS(LONGEST_SILENCE))) < 0)
        return -1;
    int64_t struck_at = weir_now();
    weir_cancel_fiber(fiber);
    if (weir_join(fiber, NULL, WEIR_FOREVER) < 0)
        return -1;
    if (victim.ended)
        WEIR_SIM_CHECK(victim.ended >= struck_at && victim.ended <= struck_at + SOON);
    if (victim.failed)
        return -1;
    return victim.answered ? 0 : expect(conn, "ok");
}

static int step(weir_conn *conn)
{
    switch (weir_sim_below(3)) {
    case 0:
        return receiving(conn);
    case 1:
        return sending(conn);
    default:
        return of_a_fiber(conn);
    }
}

/* --- ends: none can be used after them --- */

/* From an abort on every call fails with ECONNABORTED. */
static void aborted(weir_conn *conn)
{
    struct striker striker;
    char *line, byte = 'x';
    if (command(conn, "pause %u", (unsigned)between(1, LONGEST_SILENCE)) < 0 ||
        begin_strike(&striker, ABORT, conn, LONGEST_SILENCE) < 0)
        return;
    if (wait_for_answer(conn, &line) < 0 && errno == ECONNABORTED)
        check_struck("a receive that was aborted", &striker);
    end_strike(&striker);
    WEIR_SIM_CHECK(weir_recv(conn, &byte, 1) == -1 && errno == ECONNABORTED);
    WEIR_SIM_CHECK(weir_send(conn, &byte, 1) == -1 && errno == ECONNABORTED);
}

/* From a shutdown on the waiting receive ends, as at an end of the stream. */
static void shut(weir_conn *conn)
{
    struct striker striker;
    char byte;
    if (command(conn, "pause %u", (unsigned)between(1, LONGEST_SILENCE)) < 0 ||
        begin_strike(&striker, SHUTDOWN, conn, LONGEST_SILENCE) < 0)
        return;
    if (weir_recv(conn, &byte, 1) == 0 && !striker.struck_at)
        weir_sim_fail("the stream ended before it was shut down");
    end_strike(&striker);
    WEIR_SIM_CHECK(weir_send(conn, "x", 1) == -1);
}

static int close_it(void *arg)
{
    return weir_close(arg);
}

/* A close that lingers, cut short by a cancel of its fiber: it is closed all the same. */
static void cancelled_close(weir_conn *conn)
{
    weir_set_linger(conn, PATIENCE);
    weir_fiber *fiber = command(conn, "echo bye") == 0
                            ? weir_spawn(close_it, conn, WEIR_OPTIONS(weir_fiber_options, .name = "closer"))
                            : NULL;
    if (!fiber) {
        weir_close(conn);
        return;
    }
    weir_sleep(between(0, WEIR_MS(100)));
    weir_cancel_fiber(fiber);
    int64_t struck_at = weir_now();
    weir_join(fiber, NULL, WEIR_FOREVER);
    check_due("a close whose fiber was cancelled", struck_at, SOON);
}

static void end(weir_conn *conn)
{
    switch (weir_sim_below(4)) {
    case 0:
        aborted(conn);
        break;
    case 1:
        shut(conn);
        break;
    case 2:
        cancelled_close(conn);
        return;
    default:
        break;
    }
    weir_close(conn);
}

/* --- listeners, which nobody comes to --- */

struct waiting {
    weir_listener *listener;
    int64_t ended;
};

static int wait_for_client(void *arg)
{
    struct waiting *waiting = arg;
    weir_conn *conn = weir_accept(waiting->listener);
    WEIR_SIM_CHECK(!conn);
    if (!conn && errno == ECANCELED)
        waiting->ended = weir_now();
    return 0;
}

static int accepting(void)
{
    struct waiting waiting = {.listener = weir_listen("tcp://:0", NULL)};
    weir_fiber *fiber = waiting.listener ? weir_spawn(wait_for_client, &waiting, NULL) : NULL;
    if (!fiber) {
        weir_listener_close(waiting.listener);
        return -1;
    }
    weir_sleep(between(WEIR_MS(1), WEIR_MS(50)));
    int64_t struck_at = weir_now();
    weir_listener_cancel(waiting.listener);
    weir_join(fiber, NULL, WEIR_FOREVER);
    if (waiting.ended)
        WEIR_SIM_CHECK(waiting.ended >= struck_at && waiting.ended <= struck_at + SOON);
    weir_listener_close(waiting.listener);
    return waiting.ended ? 0 : -1;
}

/* --- the client --- */

static int talk(void *arg)
{
    (void)arg;
    if (one_in(4) && accepting() < 0)
        return -1;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    for (int i = 0; i < STEPS; i++)
        if (step(conn) < 0 || (one_in(2) && use(conn) < 0))
            return cut(conn);
    end(conn);
    return 0;
}

static int client(void *arg)
{
    return until_done("a client that is cancelled", talk, arg, SHORTLY);
}

void cancels(void)
{
    serve_commands();
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
