/* What stays within a host: Unix sockets, and pairs. */
#include "common.h"
#include "scenarios.h"

enum { MOST_BYTES = 30000, CLIENTS = 3, MOST_TALKS = 4, MESSAGES = 20, MOST_MESSAGE = 900 };

#define PATIENCE WEIR_S(10)

static struct serving serving;
static bool lent;

static struct story local_story(void)
{
    struct story story = story_new(MOST_BYTES);
    story.untold = true;
    return story;
}

/* --- Unix sockets --- */

static int talk(void *arg)
{
    struct story story = local_story();
    int64_t pauses[2] = {one_in(3) ? WEIR_MS(30) : 0, one_in(3) ? WEIR_MS(30) : 0};
    (void)arg;
    weir_conn *conn = reach(serving.endpoint, PATIENCE);
    if (!conn)
        return -1;
    if (exchange(conn, &story, &story, pauses) < 0)
        return cut(conn);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a talk on a Unix socket", talk, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

void unix_streams(void)
{
    lent = one_in(2);
    serving = (struct serving){.endpoint = one_in(2) ? "unix:/run/echo" : "unix:@echo",
                               .handler = echo_handler,
                               .arg = &lent,
                               .by_hand = one_in(2),
                               .options = {.workers = 1}};
    weir_sim_host *host = weir_sim_host_new("host");
    weir_sim_service(host, "echo", serve, &serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(host, "client", client, NULL);
}

/* --- pairs --- */

struct side {
    weir_conn *conn;
    struct story told, heard;
    int64_t pauses[2];
};

static int one_side(void *arg)
{
    struct side *side = arg;
    return exchange(side->conn, &side->told, &side->heard, side->pauses);
}

/* Both sides tell each other their stories. Nothing can break between them. */
static int talk_in_pair(void)
{
    weir_conn *pair[2];
    struct story stories[2] = {local_story(), local_story()};
    int results[2] = {-1, -1};
    if (weir_pair(SOCK_STREAM, pair) < 0)
        return -1;
    struct side side[2] = {{pair[0], stories[0], stories[1], {0, one_in(2) ? WEIR_MS(20) : 0}},
                           {pair[1], stories[1], stories[0], {one_in(2) ? WEIR_MS(20) : 0, 0}}};
    weir_fiber *other = weir_spawn(one_side, &side[1], WEIR_OPTIONS(weir_fiber_options, .name = "other"));
    results[0] = other ? one_side(&side[0]) : -1;
    if (other)
        weir_join(other, &results[1], WEIR_FOREVER);
    weir_close(pair[0]);
    weir_close(pair[1]);
    return results[0] == 0 && results[1] == 0 ? 0 : -1;
}

static int send_messages(void *arg)
{
    weir_conn *conn = arg;
    char message[MOST_MESSAGE];
    for (int i = 0; i < MESSAGES; i++) {
        size_t size = 1 + (size_t)(i * 37) % MOST_MESSAGE;
        pattern((uint64_t)i, 0, message, size);
        if (weir_send(conn, message, size) != (ssize_t)size) {
            weir_abort(conn);
            return -1;
        }
    }
    return 0;
}

/* Between two ends of one machine none is lost, doubled, or out of order. */
static int receive_messages(weir_conn *conn)
{
    char message[MOST_MESSAGE];
    for (int i = 0; i < MESSAGES; i++) {
        ssize_t size = weir_recv(conn, message, sizeof message);
        if (size < 0)
            return -1;
        WEIR_SIM_CHECK(size == 1 + (i * 37) % MOST_MESSAGE);
        if (!check_pattern((uint64_t)i, 0, message, (size_t)size))
            return -1;
        if (one_in(4) && weir_sleep(between(0, WEIR_MS(20))) < 0)
            return -1;
    }
    return 0;
}

static int datagrams_in_pair(void)
{
    weir_conn *pair[2];
    int sent = -1;
    if (weir_pair(SOCK_DGRAM, pair) < 0)
        return -1;
    weir_set_timeout(pair[1], PATIENCE);
    weir_fiber *sender = weir_spawn(send_messages, pair[0], WEIR_OPTIONS(weir_fiber_options, .name = "sender"));
    int result = sender ? receive_messages(pair[1]) : -1;
    if (result < 0)
        weir_abort(pair[0]);
    if (sender)
        weir_join(sender, &sent, WEIR_FOREVER);
    weir_close(pair[0]);
    weir_close(pair[1]);
    return result == 0 && sent == 0 ? 0 : -1;
}

static int one_pair(void *arg)
{
    (void)arg;
    return one_in(2) ? talk_in_pair() : datagrams_in_pair();
}

static int use_pairs(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a pair", one_pair, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

void pairs(void)
{
    weir_sim_host *host = weir_sim_host_new(NULL);
    weir_sim_program(host, "pairs", use_pairs, NULL);
    weir_sim_program(host, "pairs", use_pairs, NULL);
}
