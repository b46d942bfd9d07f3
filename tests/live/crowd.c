/*
 * A crowd of clients of an echo server, for tests that hold thousands of connections. It does what it is told by lines on
 * stdin, and says on stdout when it is done and how many connections there are; the first thing that goes wrong ends it.
 *
 *     crowd ENDPOINT NETWORK [SOURCES]      clients come from NETWORK.1 to NETWORK.SOURCES, in turn: 127.0.7 200
 *
 *     open N     N more connect; each asks something, and is answered
 *     ask        each that is connected asks something else, and is answered
 *     close      all end as clients do, reset: all end at once
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

enum { MOST = 20000, AT_ONCE = 256, QUESTION = 48 };

static struct {
    const char *endpoint, *network;
    unsigned long sources;
    weir_conn *clients[MOST];
    size_t count, from, rounds;
    int (*step)(size_t client);
    int failed;
} crowd;

/* No two questions of a crowd are alike. */
static void make_question(char question[QUESTION], size_t client)
{
    memset(question, '.', QUESTION);
    snprintf(question, QUESTION, "client %zu from %s.x, round %zu", client, crowd.network, crowd.rounds);
}

static int failed(const char *step, size_t client)
{
    fprintf(stderr, "crowd: client %zu: %s: %s\n", client, step, weir_error()->sentence);
    return -1;
}

static int ask(size_t client)
{
    char question[QUESTION], answer[QUESTION];
    make_question(question, client);
    if (weir_send_all(crowd.clients[client], question, QUESTION) < 0 ||
        weir_read_exactly(crowd.clients[client], answer, QUESTION) < 0)
        return failed("ask", client);
    if (memcmp(question, answer, QUESTION) == 0)
        return 0;
    fprintf(stderr, "crowd: client %zu got another answer than it asked for\n", client);
    return -1;
}

static int open_one(size_t client)
{
    char from[64];
    snprintf(from, sizeof from, "%s.%lu", crowd.network, 1 + client % crowd.sources);
    weir_connect_options options = {.size = sizeof options, .bind = from};
    crowd.clients[client] = weir_connect(crowd.endpoint, &options);
    if (!crowd.clients[client])
        return failed("connect", client);
    weir_set_timeout(crowd.clients[client], WEIR_S(60));
    return ask(client);
}

static int close_one(size_t client)
{
    weir_close(crowd.clients[client]);
    return 0;
}

static int reset_one(size_t client)
{
    weir_abort(crowd.clients[client]);
    return close_one(client);
}

/* One of AT_ONCE fibers, which share the clients between them. */
static int walk(void *first)
{
    for (size_t client = crowd.from + (size_t)(intptr_t)first; client < crowd.count && !crowd.failed; client += AT_ONCE)
        if (crowd.step(client) < 0)
            crowd.failed = 1;
    return 0;
}

/* Takes a step for each client from `from` on. */
static int step(int (*function)(size_t client), size_t from)
{
    weir_fiber *fibers[AT_ONCE];
    crowd.step = function;
    crowd.from = from;
    crowd.rounds++;
    for (size_t i = 0; i < AT_ONCE; i++)
        if (!(fibers[i] = weir_spawn(walk, (void *)(intptr_t)i, NULL)))
            abort();
    for (size_t i = 0; i < AT_ONCE; i++)
        weir_join(fibers[i], NULL, WEIR_FOREVER);
    return crowd.failed ? -1 : 0;
}

static int open_more(size_t more)
{
    size_t from = crowd.count;
    if (more > MOST - from)
        return -1;
    crowd.count += more;
    return step(open_one, from);
}

static int end_all(int (*function)(size_t client))
{
    int result = step(function, 0);
    crowd.count = 0;
    return result;
}

static int obey(const char *line)
{
    if (strncmp(line, "open ", 5) == 0)
        return open_more(strtoul(line + 5, NULL, 10));
    if (strcmp(line, "ask\n") == 0)
        return step(ask, 0);
    if (strcmp(line, "close\n") == 0)
        return end_all(close_one);
    if (strcmp(line, "reset\n") == 0)
        return end_all(reset_one);
    fprintf(stderr, "crowd: what is %s", line);
    return -1;
}

/* Whoever gives the orders waits for each to be done, so that what is read is one line. */
static int run(void *arg)
{
    char line[64];
    ssize_t length;
    (void)arg;
    while ((length = weir_file_read(weir_stdin(), line, sizeof line - 1, WEIR_FOREVER)) > 0) {
        line[length] = '\0';
        if (obey(line) < 0)
            return 1;
        printf("%zu\n", crowd.count);
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    crowd.endpoint = argv[1];
    crowd.network = argv[2];
    crowd.sources = argc > 3 ? strtoul(argv[3], NULL, 10) : 200;
    return weir_run(run, NULL, NULL);
}
