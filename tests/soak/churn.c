/*
 * Clients of echo servers that come and go as fast as they can, well behaved and badly: what the soak (scripts/soak) sets on
 * a server. Every byte that comes back is looked at.
 *
 *     churn ENDPOINT...
 *
 * A line "SECONDS" on stdin begins a lap; when all clients of it have gone, one line on stdout says what they did since the
 * beginning. It exits with 1 if anything was wrong, and says what on stderr.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "churn.h"

enum { CLIENTS = 40, COMPLAINTS = 20, SOURCES = 200 };

struct tally tally;
static char pattern_bytes[2 * PATTERN];
static weir_endpoint endpoints[16];
static size_t endpoint_count;
static int64_t lap_end;

const char *pattern(uint64_t offset)
{
    return pattern_bytes + offset % PATTERN;
}

/* xorshift64*: the system's numbers would cost a call each. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

size_t between(size_t least, size_t most)
{
    static uint64_t state;
    while (state == 0)
        weir_random(&state, sizeof state);
    return least + (size_t)(next(&state) % (most - least + 1));
}

/* The same in every process: so each can tell whether what was another's is whole. */
static void make_pattern(void)
{
    uint64_t state = 1;
    for (size_t i = 0; i < PATTERN; i++)
        pattern_bytes[i] = (char)next(&state);
    memcpy(pattern_bytes + PATTERN, pattern_bytes, PATTERN);
}

void wrong(const struct visit *visit, const char *what)
{
    if (tally.wrong++ < COMPLAINTS)
        fprintf(stderr, "churn: %s: %s: %s (%s)\n", visit->endpoint->text, visit->name, what, weir_error()->sentence);
}

/* Where many come from one address, ports of connections that have ended would run out. */
static weir_conn *come(const weir_endpoint *endpoint)
{
    char from[32];
    weir_connect_options options = {.size = sizeof options};
    if (endpoint->scheme == WEIR_SCHEME_TCP && !strchr(endpoint->host, ':')) {
        snprintf(from, sizeof from, "127.0.9.%zu", between(1, SOURCES));
        options.bind = from;
    }
    return weir_connect(endpoint->text, &options);
}

static void go(struct visit *visit)
{
    uint64_t received, sent;
    weir_conn_bytes(visit->conn, &received, &sent);
    tally.received += received;
    tally.sent += sent;
    if (weir_close(visit->conn) < 0)
        wrong(visit, "close");
}

static void pay_visit(const weir_endpoint *endpoint)
{
    struct visit visit = {.endpoint = endpoint, .start = between(0, PATTERN - 1)};
    const struct manner *manner = choose_manner(endpoint->datagram);
    visit.name = manner->name;
    visit.conn = come(endpoint);
    if (!visit.conn) {
        wrong(&visit, "connect");
        return;
    }
    *(endpoint->datagram ? &tally.sockets : &tally.connections) += 1;
    weir_set_timeout(visit.conn, WEIR_S(20));
    manner->behave(&visit);
    go(&visit);
}

/* A client: one visit after the other, until the lap is over. */
static int be_client(void *number)
{
    for (size_t turn = (size_t)(intptr_t)number; weir_now() < lap_end; turn++)
        pay_visit(&endpoints[turn % endpoint_count]);
    return 0;
}

static void run_lap(int64_t seconds)
{
    weir_fiber *fibers[CLIENTS];
    lap_end = weir_deadline(WEIR_S(seconds));
    for (size_t i = 0; i < CLIENTS; i++)
        if (!(fibers[i] = weir_spawn(be_client, (void *)(intptr_t)i, NULL)))
            abort();
    for (size_t i = 0; i < CLIENTS; i++)
        weir_join(fibers[i], NULL, WEIR_FOREVER);
    weir_sleep(WEIR_MS(1)); /* a turn of the loop, in which what was closed is let go */
}

static size_t descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count - 3; /* "." and "..", and the folder itself */
}

static void tell(void)
{
    printf("connections=%" PRIu64 " resets=%" PRIu64 " sent=%" PRIu64 " received=%" PRIu64 " sockets=%" PRIu64
           " datagrams=%" PRIu64 " answers=%" PRIu64 " wrong=%" PRIu64 " descriptors=%zu\n",
           tally.connections, tally.resets, tally.sent, tally.received, tally.sockets, tally.datagrams, tally.answers,
           tally.wrong, descriptors());
    fflush(stdout);
}

static int run(void *arg)
{
    char line[32];
    ssize_t length;
    (void)arg;
    while ((length = weir_file_read(weir_stdin(), line, sizeof line - 1, WEIR_FOREVER)) > 0) {
        line[length] = '\0';
        run_lap(strtol(line, NULL, 10));
        tell();
    }
    return tally.wrong != 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc && endpoint_count < sizeof endpoints / sizeof *endpoints; i++)
        if (weir_parse_endpoint(argv[i], NULL, &endpoints[endpoint_count++]) < 0)
            return 2;
    if (endpoint_count == 0)
        return 2;
    make_pattern();
    return weir_run(run, NULL, NULL);
}
