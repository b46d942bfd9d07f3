/* Echo in all models: what clients send in pieces comes back whole, or they are told that it does not. */
#include "common.h"
#include "scenarios.h"

enum { MOST_CLIENTS = 4, MOST_BYTES = 24000, MOST_WORKERS = 3, MOST_TALKS = 5 };

/* What a client waits for one call: longer than the longest stall, delay and partition one after the other. */
#define PATIENCE WEIR_S(15)
/* After so long a server gives up who was cut off without a word. */
#define IDLE WEIR_S(20)
/* In the iterative model each of those holds up all who come after it. */
#define GRACE_ONE_BY_ONE WEIR_MINUTES(8)

static struct {
    struct serving serving;
    bool lent;
    int64_t grace;
} world;

static const char *const addresses[] = {"tcp://server:7", "tcp://server:7", "tcp://both:7", "tcp://four:7"};

/* --- a client --- */

/* All at once: a fiber writes, while what comes back is read. */
static int at_once(weir_conn *conn)
{
    struct story story = story_new(MOST_BYTES);
    int64_t pauses[2] = {one_in(2) ? WEIR_MS(50) : 0, one_in(3) ? WEIR_MS(50) : 0};
    return exchange(conn, &story, &story, pauses);
}

/* Piece by piece: each is read before the next is sent. */
static int in_turns(weir_conn *conn)
{
    struct story story = story_new(MOST_BYTES / 4);
    uint64_t end = STORY_HEADER + story.length;
    for (uint64_t done = 0, next; done < end; done = next) {
        next = done + 1 + weir_sim_below(end - done);
        if (story_send(conn, &story, done, next) < 0)
            return -1;
        int heard = story_receive(conn, &story, done, next);
        if (heard > 0)
            weir_sim_fail("an echo ends early, and nobody said why");
        if (heard != 0)
            return -1;
    }
    char rest;
    return weir_shutdown(conn, SHUT_WR) == 0 && weir_recv(conn, &rest, 1) == 0 ? 0 : -1;
}

static int talk(void *arg)
{
    (void)arg;
    weir_conn *conn = reach(addresses[weir_sim_below(4)], PATIENCE);
    if (!conn)
        return -1;
    int result = one_in(2) ? at_once(conn) : in_turns(conn);
    if (result < 0)
        return cut(conn);
    WEIR_SIM_CHECK(weir_at_end(conn));
    return weir_close(conn);
}

static int client(void *arg)
{
    (void)arg;
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("an echo", talk, NULL, world.grace) < 0)
            return -1;
    return 0;
}

/* --- the server --- */

/* What came in and was not an error went out. */
static void counted(const weir_counters *counters)
{
    WEIR_SIM_CHECK(counters->bytes_out <= counters->bytes_in);
    WEIR_SIM_CHECK(counters->refused_address == 0);
    uint64_t errors = counters->errors_reset + counters->errors_idle + counters->errors_write_timeout +
                      counters->errors_message_timeout + counters->errors_lifetime + counters->errors_other;
    WEIR_SIM_CHECK(errors <= counters->accepted);
    if (errors + counters->cancelled == 0)
        WEIR_SIM_CHECK(counters->bytes_out == counters->bytes_in);
}

static void echo(weir_model model, int64_t workers, int64_t grace)
{
    world.serving = (struct serving){
        .endpoint = "tcp://*:7",
        .handler = echo_handler,
        .arg = &world.lent,
        .by_hand = one_in(2),
        .counted = counted,
        .options = {.model = model, .workers = workers, .idle_timeout = IDLE, .write_timeout = IDLE},
    };
    world.lent = one_in(2);
    world.grace = grace;
    weir_sim_name("both", "server");
    weir_sim_name("four", "server/4");
    weir_sim_service(weir_sim_host_new("server"), "echo", serve, &world.serving);
    weir_sim_host *host = NULL;
    for (int64_t clients = between(1, MOST_CLIENTS); clients; clients--) {
        if (!host || one_in(2))
            host = weir_sim_host_new(NULL);
        weir_sim_program(host, "client", client, NULL);
    }
}

void echo_in_fibers(void)
{
    echo(WEIR_MODEL_FIBER, between(1, MOST_WORKERS), SHORTLY + IDLE);
}

void echo_in_threads(void)
{
    echo(WEIR_MODEL_THREAD, between(1, MOST_WORKERS), SHORTLY + IDLE);
}

void echo_one_by_one(void)
{
    echo(WEIR_MODEL_ITERATIVE, between(1, 2), GRACE_ONE_BY_ONE);
}
