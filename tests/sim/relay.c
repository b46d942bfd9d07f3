/* A relay: what comes from each side goes to the other, the half-close too; whoever is cut off is told, on either side. */
#include "../../src/cli/relaying.h"
#include "common.h"
#include "scenarios.h"

enum { MOST_BYTES = 40000, CLIENTS = 3, MOST_TALKS = 3 };

#define PATIENCE WEIR_S(20)
#define IDLE     WEIR_S(30)

static struct serving server, middle;

/* Hears a story and answers with one, or the other way round. */
static int talk_to(weir_conn *conn)
{
    struct story heard, told = story_new(MOST_BYTES);
    int64_t pause = one_in(3) ? WEIR_MS(50) : 0;
    if (one_in(2))
        return story_tell(conn, &told, pause) < 0 ? -1 : story_hear_new(conn, &heard, pause, true);
    return story_hear_new(conn, &heard, pause, true) < 0 ? -1 : story_tell(conn, &told, pause);
}

static void serve_stories(weir_conn *conn, void *arg)
{
    (void)arg;
    if (talk_to(conn) < 0)
        weir_abort(conn);
}

/* What was moved is what both connections say. */
static void check_bytes(const weir_conn *from, const weir_conn *to, const uint64_t bytes[2])
{
    uint64_t received[2], sent[2];
    weir_conn_bytes(from, &received[0], &sent[0]);
    weir_conn_bytes(to, &received[1], &sent[1]);
    WEIR_SIM_CHECK(bytes[0] == received[0] && bytes[0] == sent[1]);
    WEIR_SIM_CHECK(bytes[1] == received[1] && bytes[1] == sent[0]);
}

static void pass_on(weir_conn *conn, void *arg)
{
    uint64_t bytes[2];
    (void)arg;
    weir_conn *to = reach("tcp://server:7", PATIENCE);
    int result = to ? weir_copy(conn, to, bytes) : -1;
    if (result == 0)
        check_bytes(conn, to, bytes);
    else
        weir_abort(conn);
    weir_close(to);
}

/* The program's own, or one that looks at the bytes too. */
static struct serving new_middle(void)
{
    static struct relay_counters counters;
    static struct relay program;
    program = (struct relay){.connect = {.size = sizeof program.connect, .timeout = PATIENCE}, .counters = &counters};
    weir_parse_endpoint("tcp://server:7", NULL, &program.to);
    return (struct serving){.endpoint = "tcp://*:8",
                            .handler = one_in(2) ? relay_stream : pass_on,
                            .arg = &program,
                            .by_hand = one_in(2),
                            .options = {.workers = between(1, 2), .idle_timeout = IDLE, .write_timeout = IDLE}};
}

static int talk(void *arg)
{
    struct story story = story_new(MOST_BYTES);
    int64_t pauses[2] = {one_in(3) ? WEIR_MS(50) : 0, one_in(3) ? WEIR_MS(50) : 0};
    (void)arg;
    weir_conn *conn = reach("tcp://relay:8", PATIENCE);
    if (!conn)
        return -1;
    if (exchange(conn, &story, NULL, pauses) < 0)
        return cut(conn);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a talk by way of a relay", talk, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

void relay(void)
{
    server = (struct serving){.endpoint = "tcp://*:7",
                              .handler = serve_stories,
                              .options = {.workers = 1, .idle_timeout = IDLE, .write_timeout = IDLE}};
    middle = new_middle();
    weir_sim_service(weir_sim_host_new("server"), "stories", serve, &server);
    weir_sim_service(weir_sim_host_new("relay"), "relay", serve, &middle);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
