/* A client with deadlines: of a call, of a direction, moved while it waits; kept to the tick, and the connection is used on. */
#include "commands.h"
#include "scenarios.h"

enum { CLIENTS = 2, STEPS = 5, LONGEST_SILENCE = 2500, MUCH = 60000 };

#define PATIENCE WEIR_S(15)
/* A tick of the timers, and what a turn of the loop costs. */
#define TICK WEIR_US(200)

static int64_t slack;
static bool jumps;

static unsigned silence(void)
{
    return (unsigned)between(50, LONGEST_SILENCE);
}

/* Whether the call that has failed did so at its time. Where the clock jumps, an answer may have come with it. */
static bool was_due(const char *what, int64_t due)
{
    if (errno != ETIMEDOUT || weir_error()->kind != WEIR_ERROR_DEADLINE)
        return false;
    check_due(what, due, slack);
    return true;
}

static int too_early(const char *what)
{
    if (!jumps)
        weir_sim_fail("%s came before the server can have sent it", what);
    return -1;
}

/* --- steps: each leaves the connection as it found it. 0 or -1 --- */

/* A timeout of every call. */
static int of_a_call(weir_conn *conn)
{
    unsigned ms = silence();
    int64_t timeout = between(0, WEIR_MS(ms) - 1);
    char byte;
    if (command(conn, "pause %u", ms) < 0)
        return -1;
    int64_t asked = weir_now();
    weir_set_timeout(conn, timeout ? timeout : WEIR_NOW);
    ssize_t size = weir_recv_flags(conn, &byte, 1, one_in(2) ? MSG_PEEK : 0);
    weir_set_timeout(conn, PATIENCE);
    if (size >= 0)
        return size ? too_early("an answer") : -1;
    return was_due("a receive with a timeout", asked + timeout) ? expect(conn, "ok") : -1;
}

/* The deadline of a direction, moved by another fiber while the call waits. */
struct move {
    weir_conn *conn;
    int64_t first, when, to,
        moved_at; /* a jump of the clock may pass both the first deadline and the time to move it */
};

static int move_deadline(void *arg)
{
    struct move *move = arg;
    if (weir_sleep_until(move->when) < 0)
        return -1;
    move->moved_at = weir_now();
    weir_set_deadline(move->conn, WEIR_READ, move->to);
    return 0;
}

static int receive_with_moves(weir_conn *conn, struct move *move)
{
    char *line;
    size_t length;
    weir_fiber *fiber = weir_spawn(move_deadline, move, WEIR_OPTIONS(weir_fiber_options, .name = "mover"));
    if (!fiber)
        return -1;
    int result = weir_read_line(conn, &line, &length, 100), number = errno;
    bool due = result < 0 && number == ETIMEDOUT && weir_error()->kind == WEIR_ERROR_DEADLINE;
    int64_t ended = weir_now();
    if (due && !move->moved_at && ended < move->first)
        weir_sim_fail("a receive ended before its deadline was moved, %lld ns before the first one",
                      (long long)(move->first - ended));
    if (due && move->moved_at &&
        (ended < move->to || ended > (move->to > move->moved_at ? move->to : move->moved_at) + slack))
        weir_sim_fail("a receive ended %lld us after the deadline that it was given while it waited",
                      (long long)((ended - move->to) / WEIR_US(1)));
    weir_join(fiber, NULL, WEIR_FOREVER);
    weir_set_deadline(conn, WEIR_READ, WEIR_FOREVER);
    if (result > 0)
        return too_early("an answer");
    return due ? 0 : -1;
}

static int moved(weir_conn *conn)
{
    unsigned ms = 1000 + silence();
    int64_t now = weir_now(), first = now + between(WEIR_MS(10), WEIR_MS(900));
    struct move move = {conn, first, between(now, first - WEIR_MS(1)), between(now, now + WEIR_MS(999)), 0};
    if (command(conn, "pause %u", ms) < 0)
        return -1;
    weir_set_timeout(conn, WEIR_FOREVER);
    weir_set_deadline(conn, WEIR_READ, first);
    int result = receive_with_moves(conn, &move);
    weir_set_timeout(conn, PATIENCE);
    return result < 0 ? -1 : expect(conn, "ok");
}

/* One that has passed fails everything of its direction, and nothing of the other. */
static int passed(weir_conn *conn)
{
    char byte;
    weir_set_deadline(conn, WEIR_READ, one_in(2) ? WEIR_NOW : weir_now());
    if (command(conn, "echo word") < 0)
        return -1;
    int64_t begun = weir_now();
    if (weir_recv(conn, &byte, 1) >= 0) {
        weir_sim_fail("a receive went well though its deadline had passed");
        return -1;
    }
    if (!was_due("a receive whose deadline has passed", begun))
        return -1;
    weir_set_deadline(conn, WEIR_READ_WRITE, WEIR_FOREVER);
    return expect(conn, "word");
}

/* Half a line that was received is not lost with the call. */
static int half_a_line(weir_conn *conn)
{
    unsigned ms = silence();
    int64_t timeout = between(1, WEIR_MS(ms) - 1);
    char *line;
    size_t length;
    if (command(conn, "half %u", ms) < 0)
        return -1;
    int64_t asked = weir_now();
    weir_set_timeout(conn, timeout);
    int result = weir_read_line(conn, &line, &length, 100);
    weir_set_timeout(conn, PATIENCE);
    if (result >= 0)
        return result ? too_early("a whole line") : -1;
    return was_due("reading a line", asked + timeout) ? expect(conn, "half") : -1;
}

/* What was sent until the deadline is known, and the rest goes later. */
static int send_much(weir_conn *conn, const char *data, int64_t deadline)
{
    weir_set_deadline(conn, WEIR_WRITE, deadline);
    int result = weir_send_all(conn, data, MUCH);
    weir_set_deadline(conn, WEIR_WRITE, WEIR_FOREVER);
    if (result == 0)
        return 0;
    uint64_t went = weir_error()->transferred;
    if (!was_due("sending much", deadline) || !holds(went < MUCH, "not all of it went"))
        return -1;
    return weir_send_all(conn, data + went, MUCH - went);
}

static int much(weir_conn *conn)
{
    unsigned ms = silence();
    uint64_t seed = weir_sim_below(UINT64_MAX);
    if (command(conn, "sink %llu %d %u", (unsigned long long)seed, MUCH, ms) < 0)
        return -1;
    char *data = malloc(MUCH);
    if (!data)
        return -1;
    pattern(seed, 0, data, MUCH);
    int result = send_much(conn, data, weir_now() + between(0, WEIR_MS(ms)));
    int number = errno;
    free(data);
    errno = number;
    return result < 0 ? -1 : expect(conn, "sunk");
}

/* Waiting for a connection, beside others. */
static int selected(weir_conn *conn)
{
    unsigned ms = silence();
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = conn}};
    if (command(conn, "pause %u", ms) < 0)
        return -1;
    int64_t deadline = weir_now() + between(0, WEIR_MS(ms) - 1);
    int chosen = weir_select(cases, 1, deadline);
    if (chosen < 0 && !was_due("a select", deadline))
        return -1;
    return expect(conn, "ok");
}

/* --- the client --- */

static int close_with_linger(weir_conn *conn)
{
    int64_t linger = between(1, WEIR_S(2));
    weir_set_linger(conn, linger);
    if (command(conn, "echo last") < 0)
        return cut(conn);
    int64_t begun = weir_now();
    if (weir_close(conn) == 0)
        return 0;
    if (errno == ETIMEDOUT)
        check_due("a close with linger", begun + linger, slack);
    return 0;
}

static int talk(void *arg)
{
    int (*const steps[])(weir_conn * conn) = {of_a_call, moved, passed, half_a_line, much, selected};
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    for (int i = 0; i < STEPS; i++) {
        unsigned step = (unsigned)weir_sim_below(sizeof steps / sizeof *steps);
        weir_sim_note("step %u", step);
        if (steps[step](conn) < 0 || (one_in(2) && use(conn) < 0))
            return cut(conn);
    }
    return one_in(2) ? close_with_linger(conn) : weir_close(conn);
}

static int client(void *arg)
{
    return until_done("a client with deadlines", talk, arg, SHORTLY);
}

static void start(void)
{
    serve_commands();
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}

void deadlines(void)
{
    slack = TICK;
    jumps = false;
    start();
}

/* The clock jumps: everything may be late by as much, but never early. */
void deadlines_and_jumps(void)
{
    slack = WEIR_MINUTES(10);
    jumps = true;
    start();
}
