/* Many clients in short conversations: they come, say a word or nothing, and go, each in its own way. */
#include "common.h"
#include "scenarios.h"

enum { HOSTS = 10, OF_HOST = 11, MOST_WORD = 60 };

#define PATIENCE WEIR_S(10)
#define IDLE     WEIR_S(15)
#define GRACE    (SHORTLY + IDLE)

static struct {
    struct serving serving;
    uint64_t answered;
} world;

/* A word is a byte that says how long it is, and the answer the same from its end to its beginning. */
static int answer(weir_conn *conn)
{
    unsigned char word[MOST_WORD + 1], back[MOST_WORD + 1];
    if (weir_recv(conn, word, 1) <= 0 || weir_read_exactly(conn, word + 1, word[0]) < 0)
        return -1;
    back[0] = word[0];
    for (int i = 1; i <= word[0]; i++)
        back[i] = word[word[0] + 1 - i];
    return weir_send_all(conn, back, (size_t)word[0] + 1);
}

static void handler(weir_conn *conn, void *arg)
{
    (void)arg;
    while (answer(conn) == 0)
        world.answered++;
}

static int ask(weir_conn *conn)
{
    unsigned char word[MOST_WORD + 1], back[MOST_WORD + 1];
    word[0] = (unsigned char)(1 + weir_sim_below(MOST_WORD));
    pattern(weir_sim_below(UINT64_MAX), 0, word + 1, word[0]);
    if (weir_send_all(conn, word, (size_t)word[0] + 1) < 0 || weir_read_exactly(conn, back, (size_t)word[0] + 1) < 0)
        return -1;
    for (int i = 1; i <= word[0]; i++)
        WEIR_SIM_CHECK(back[i] == word[word[0] + 1 - i]);
    WEIR_SIM_CHECK(back[0] == word[0]);
    return 0;
}

/* Goes without a word, in the middle of one, by a reset, or as it should. */
static int leave(weir_conn *conn)
{
    switch (weir_sim_below(5)) {
    case 0:
        weir_send(conn, "\5abc", 4);
        break;
    case 1:
        weir_abort(conn);
        break;
    case 2:
        weir_send(conn, "\1a", 2); /* whose answer comes to nobody */
        break;
    case 3:
        weir_shutdown(conn, SHUT_WR);
        break;
    default:
        break;
    }
    weir_close(conn);
    return 0;
}

static int visit(void *arg)
{
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    if (!one_in(8) && ask(conn) < 0)
        return cut(conn);
    return leave(conn);
}

static int client(void *arg)
{
    if (weir_sleep(between(0, WEIR_S(2))) < 0)
        return -1;
    return until_done("a word", visit, arg, GRACE);
}

/* All of a host, some at once and some after each other. */
static int many(void *arg)
{
    weir_fiber *fibers[OF_HOST];
    int count = 0, result = 0;
    for (int i = 0; i < OF_HOST; i++)
        if ((fibers[count] = weir_spawn(client, arg, WEIR_OPTIONS(weir_fiber_options, .name = "client"))))
            count++;
    for (int i = 0, one; i < count; i++)
        if (weir_join(fibers[i], &one, WEIR_FOREVER) < 0 || one < 0)
            result = -1;
    return result;
}

static void counted(const weir_counters *counters)
{
    WEIR_SIM_CHECK(counters->bytes_out <= counters->bytes_in);
}

void crowd(void)
{
    memset(&world, 0, sizeof world);
    world.serving = (struct serving){
        .endpoint = "tcp://*:7",
        .handler = handler,
        .by_hand = one_in(2),
        .counted = counted,
        .options = {.workers = between(1, 3),
                    .model = one_in(3) ? WEIR_MODEL_THREAD : WEIR_MODEL_FIBER,
                    .max_connections = one_in(2) ? between(5, 50) : 0,
                    .idle_timeout = IDLE,
                    .max_per_address = -1},
    };
    weir_sim_service(weir_sim_host_new("server"), "words", serve, &world.serving);
    for (int i = 0; i < HOSTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "many", many, NULL);
}
