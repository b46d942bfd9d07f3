/* Draining under load: a server is stopped while clients talk, again and again; what was begun is finished, or cut and told. */
#include "common.h"
#include "scenarios.h"

enum { CLIENTS = 5, MOST_ANSWER = 5000, MOST_REQUESTS = 8 };

#define PATIENCE WEIR_S(15)
#define SLACK    WEIR_S(1)

static struct {
    weir_server *server;
    uint64_t begun, ended, cut; /* handlers of the server that runs now; those whose call a drain cut short */
    int64_t first_cut;          /* when the first of them was; 0: none */
} world;

/* --- the server --- */

/* A request is a number, its answer that many bytes of its pattern, in pieces, with work between them. */
static int answer(weir_conn *conn, uint32_t request)
{
    char piece[512];
    for (size_t done = 0, size; done < request % MOST_ANSWER; done += size) {
        size = request % MOST_ANSWER - done < sizeof piece ? request % MOST_ANSWER - done : sizeof piece;
        pattern(request, done, piece, size);
        if (weir_send_all(conn, piece, size) < 0 || (one_in(4) && weir_sleep(between(0, WEIR_MS(100))) < 0))
            return -1;
    }
    return 0;
}

static int serve_requests(weir_conn *conn)
{
    uint32_t request;
    ssize_t size;
    while ((size = weir_recv_flags(conn, &request, sizeof request, MSG_WAITALL)) == (ssize_t)sizeof request)
        if (answer(conn, ntohl(request)) < 0) {
            weir_abort(conn); /* or it would look like an answer that is over */
            return -1;
        }
    return size == 0 ? 0 : -1;
}

static void handler(weir_conn *conn, void *arg)
{
    (void)arg;
    world.begun++;
    if (serve_requests(conn) < 0 && weir_cancelled()) {
        world.cut++;
        if (!world.first_cut)
            world.first_cut = weir_now();
    }
    world.ended++;
}

/* All within its limit, and everybody accounted for. -1 where the host was killed meanwhile. */
static int drain_now(weir_server *server)
{
    weir_counters counters;
    int64_t limit = one_in(4) ? WEIR_NOW : between(0, WEIR_S(4)), begun = weir_now();
    int64_t deadline = weir_deadline(limit);
    if (deadline == WEIR_NOW)
        deadline = begun;
    weir_server_stop(server, deadline);
    if (weir_server_wait(server, WEIR_FOREVER) < 0)
        return -1;
    if (weir_now() > deadline + SLACK)
        weir_sim_fail("a drain took %lld us longer than its deadline allows",
                      (long long)((weir_now() - deadline) / WEIR_US(1)));
    WEIR_SIM_CHECK(!world.first_cut || world.first_cut >= deadline);
    weir_server_counters(server, &counters);
    WEIR_SIM_CHECK(counters.active == 0);
    WEIR_SIM_CHECK(counters.accepted == world.begun);
    WEIR_SIM_CHECK(world.begun == world.ended);
    WEIR_SIM_CHECK(world.cut <= counters.cancelled);
    return 0;
}

static weir_server *start_server(void)
{
    weir_server_options options = {.size = sizeof options,
                                   .workers = between(1, 3),
                                   .model = weir_sim_below(2) ? WEIR_MODEL_THREAD : WEIR_MODEL_FIBER};
    weir_server *server = weir_server_new(&options);
    world.begun = world.ended = world.cut = 0;
    world.first_cut = 0;
    if (server && weir_server_add(server, "tcp://*:7", handler, NULL) == 0 && weir_server_start(server) == 0)
        return server;
    weir_server_free(server);
    return NULL;
}

/* One server after the other, each for a while. */
static int serve_in_rounds(weir_signals *signals)
{
    for (int told = -1; told < 0;) {
        weir_server *server = start_server();
        if (!server)
            return -1;
        /* When faults have stopped they must be able to finish. */
        int64_t time = quiet_for(WEIR_S(5)) ? WEIR_FOREVER : between(0, WEIR_S(3));
        told = weir_signals_wait(signals, weir_deadline(time));
        bool killed = told < 0 && errno != ETIMEDOUT;
        if (!killed)
            killed = drain_now(server) < 0;
        weir_server_free(server);
        if (killed)
            return -1;
    }
    return 0;
}

static int service(void *arg)
{
    const int number = SIGTERM;
    (void)arg;
    weir_signals *signals = weir_signals_new(&number, 1);
    int result = signals ? serve_in_rounds(signals) : -1;
    weir_signals_free(signals);
    return result;
}

/* --- clients --- */

/* An end before the first byte of an answer says that it was not begun; in the middle of one it would be a lie. */
static int hear_answer(weir_conn *conn, uint32_t request)
{
    char data[700];
    size_t size = request % MOST_ANSWER;
    for (size_t done = 0; done < size;) {
        size_t most = size - done < sizeof data ? size - done : sizeof data;
        ssize_t received = weir_recv(conn, data, most);
        if (received == 0 && done > 0)
            weir_sim_fail("an answer of %zu bytes ends at byte %zu, and nobody said why", size, done);
        if (received <= 0 || !check_pattern(request, done, data, (size_t)received))
            return -1;
        done += (size_t)received;
    }
    return 0;
}

static int ask(void *arg)
{
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    int result = 0;
    for (uint64_t requests = 1 + weir_sim_below(MOST_REQUESTS); requests && result == 0; requests--) {
        uint32_t request = (uint32_t)weir_sim_below(1U << 31), sent = htonl(request);
        result = weir_send_all(conn, &sent, sizeof sent);
        if (result == 0)
            result = hear_answer(conn, request);
    }
    if (result < 0)
        return cut(conn);
    return weir_close(conn);
}

static int client(void *arg)
{
    int64_t until = weir_now() + between(0, WEIR_S(8));
    do
        if (until_done("a question", ask, arg, SHORTLY) < 0)
            return -1;
    while (weir_now() < until && weir_sim_faulty());
    return 0;
}

void drain(void)
{
    weir_sim_service(weir_sim_host_new("server"), "server", service, NULL);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
