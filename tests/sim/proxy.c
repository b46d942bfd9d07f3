/* Through proxies: SOCKS and HTTP ones, in any order, that answer in pieces; what was told arrives. */
#include "common.h"
#include "scenarios.h"

enum { MOST_BYTES = 20000, CLIENTS = 3, MOST_TALKS = 3 };

#define PATIENCE WEIR_S(20)
#define IDLE     WEIR_S(30)

static struct serving server, socks, http;

/* Hears a story and answers with one, or speaks first: then that comes right behind what the proxy says. */
static int talk_to(weir_conn *conn)
{
    struct story heard, told = story_new(MOST_BYTES);
    if (one_in(2))
        return story_tell(conn, &told, 0) < 0 ? -1 : story_hear_new(conn, &heard, 0, true);
    return story_hear_new(conn, &heard, 0, true) < 0 ? -1 : story_tell(conn, &told, 0);
}

static void serve_story(weir_conn *conn, void *arg)
{
    (void)arg;
    if (talk_to(conn) < 0)
        weir_abort(conn);
}

/* --- the proxies --- */

/* In pieces, and perhaps with the first bytes of the other end right behind it. 0 or -1. */
static int answer(weir_conn *conn, const char *bytes, size_t length)
{
    for (size_t sent = 0, piece; sent < length; sent += piece) {
        piece = (size_t)between(1, (int64_t)(length - sent));
        if ((one_in(3) && weir_sleep(between(0, WEIR_MS(50))) < 0) || weir_send_all(conn, bytes + sent, piece) < 0)
            return -1;
    }
    return 0;
}

/* Joins the two; whoever cannot be reached, or is cut, is a cut. */
static void join(weir_conn *conn, weir_conn *to)
{
    uint64_t bytes[2];
    if (!to || weir_copy(conn, to, bytes) < 0)
        weir_abort(conn);
    weir_close(to);
}

/* What a name is asked for as; the number of a port comes behind it. NULL with the cut to come. */
static weir_conn *reach_name(const char *name, unsigned port)
{
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, "tcp://%s:%u", name, port);
    return reach(endpoint, PATIENCE);
}

static int let_in(weir_conn *conn)
{
    unsigned char head[2], offered[256], name[256], password[256];
    if (weir_read_exactly(conn, head, 2) < 0 || weir_read_exactly(conn, offered, head[1]) < 0)
        return -1;
    bool asks = head[1] == 2 && one_in(2);
    WEIR_SIM_CHECK(head[0] == 5 && offered[0] == 0);
    if (answer(conn, asks ? "\5\2" : "\5\0", 2) < 0)
        return -1;
    if (!asks)
        return 0;
    if (weir_read_exactly(conn, head, 2) < 0 || weir_read_exactly(conn, name, head[1]) < 0 ||
        weir_read_exactly(conn, head, 1) < 0 || weir_read_exactly(conn, password, head[0]) < 0)
        return -1;
    WEIR_SIM_CHECK(head[0] == 3 && memcmp(password, "you", 3) == 0);
    return answer(conn, "\1\0", 2);
}

static void serve_socks(weir_conn *conn, void *arg)
{
    unsigned char head[5], port[2];
    char name[256] = "";
    (void)arg;
    if (let_in(conn) < 0 || weir_read_exactly(conn, head, 5) < 0 || weir_read_exactly(conn, name, head[4]) < 0 ||
        weir_read_exactly(conn, port, 2) < 0) {
        weir_abort(conn);
        return;
    }
    WEIR_SIM_CHECK(memcmp(head, "\5\1\0\3", 4) == 0);
    weir_conn *to = reach_name(name, port[0] << 8 | port[1]);
    if (answer(conn, to ? "\5\0\0\1\1\2\3\4\5\6" : "\5\5\0\1\0\0\0\0\0\0", 10) < 0)
        weir_abort(conn);
    join(conn, to);
}

static void serve_http(weir_conn *conn, void *arg)
{
    static const char yes[] = "HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n",
                      no[] = "HTTP/1.1 502 No\r\n\r\n";
    char *head, name[256];
    unsigned port;
    (void)arg;
    if (weir_read_until(conn, "\r\n\r\n", 4, &head, NULL, 4096) <= 0) {
        weir_abort(conn);
        return;
    }
    WEIR_SIM_CHECK(sscanf(head, "CONNECT %255[^:]:%u HTTP/1.1\r\n", name, &port) == 2);
    weir_conn *to = reach_name(name, port);
    if (answer(conn, to ? yes : no, strlen(to ? yes : no)) < 0)
        weir_abort(conn);
    join(conn, to);
}

/* --- who goes through them --- */

static weir_conn *reach_through(void)
{
    static const char *const ways[][3] = {{"socks5://me:you@socks", NULL},
                                          {"http://me:you@http:3128", NULL},
                                          {"socks5://socks", "http://http:3128", NULL},
                                          {"http://http:3128", "socks5://me:you@socks:1080", NULL}};
    const char *const *via = ways[weir_sim_below(sizeof ways / sizeof *ways)];
    weir_conn *conn =
        weir_connect("tcp://server:7", WEIR_OPTIONS(weir_connect_options, .timeout = PATIENCE, .via = via));
    if (conn)
        weir_set_timeout(conn, PATIENCE);
    else
        holds(!strstr(weir_error()->sentence, "you"), "a password in an error");
    return conn;
}

static int talk(void *arg)
{
    struct story story = story_new(MOST_BYTES);
    int64_t pauses[2] = {0};
    uint64_t received, sent;
    (void)arg;
    weir_conn *conn = reach_through();
    if (!conn)
        return -1;
    if (exchange(conn, &story, NULL, pauses) < 0)
        return cut(conn);
    weir_conn_bytes(conn, &received, &sent); /* and not what was said to proxies */
    WEIR_SIM_CHECK(sent == STORY_HEADER + story.length && received >= STORY_HEADER);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a talk through proxies", talk, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

static struct serving serving_of(const char *endpoint, weir_stream_handler *handler)
{
    return (struct serving){.endpoint = endpoint,
                            .handler = handler,
                            .options = {.workers = between(1, 2), .idle_timeout = IDLE, .write_timeout = IDLE}};
}

void proxy(void)
{
    server = serving_of("tcp://*:7", serve_story);
    socks = serving_of("tcp://*:1080", serve_socks);
    http = serving_of("tcp://*:3128", serve_http);
    weir_sim_service(weir_sim_host_new("server"), "stories", serve, &server);
    weir_sim_service(weir_sim_host_new("socks"), "socks", serve, &socks);
    weir_sim_service(weir_sim_host_new("http"), "http", serve, &http);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
