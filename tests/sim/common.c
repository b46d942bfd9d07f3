/* Chance, patterns, tries, servers. */
#include "common.h"

#define SHORTEST_PAUSE WEIR_MS(5)
#define LONGEST_PAUSE  WEIR_S(1)

int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)weir_sim_below((uint64_t)(high - low) + 1);
}

bool one_in(unsigned times)
{
    return weir_sim_below(times) == 0;
}

/* --- patterns --- */

static uint64_t word_at(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void pattern(uint64_t seed, uint64_t position, void *data, size_t size)
{
    unsigned char *bytes = data;
    uint64_t word = word_at(seed, position / 8);
    for (size_t i = 0; i < size; i++, position++) {
        if (position % 8 == 0)
            word = word_at(seed, position / 8);
        bytes[i] = (unsigned char)(word >> position % 8 * 8);
    }
}

bool check_pattern(uint64_t seed, uint64_t position, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t word = word_at(seed, position / 8);
    for (size_t i = 0; i < size; i++, position++) {
        if (position % 8 == 0)
            word = word_at(seed, position / 8);
        if (bytes[i] == (unsigned char)(word >> position % 8 * 8))
            continue;
        weir_sim_fail("byte %llu of pattern %016llx is %02x", (unsigned long long)position, (unsigned long long)seed,
                      bytes[i]);
        return false;
    }
    return true;
}

/* --- tries --- */

bool quiet_for(int64_t time)
{
    return weir_now() >= weir_sim_faults_end() + time;
}

int until_done(const char *what, int (*attempt)(void *arg), void *arg, int64_t grace)
{
    for (;;) {
        bool last = quiet_for(grace);
        if (attempt(arg) == 0)
            return 0;
        if (last) {
            weir_sim_fail("%s still fails when faults have stopped: %s", what, weir_error()->sentence);
            return -1;
        }
        if (weir_sleep(between(SHORTEST_PAUSE, LONGEST_PAUSE)) < 0)
            return -1;
    }
}

void check_due(const char *what, int64_t due, int64_t slack)
{
    int64_t late = weir_now() - due;
    if (late < 0)
        weir_sim_fail("%s ended %lld ns before its time", what, (long long)-late);
    else if (late > slack)
        weir_sim_fail("%s ended %lld us after its time", what, (long long)(late / WEIR_US(1)));
}

bool holds(bool condition, const char *what)
{
    if (!condition)
        weir_sim_fail("%s (errno %d, %s)", what, errno, weir_error()->sentence);
    return condition;
}

weir_conn *reach(const char *endpoint, int64_t timeout)
{
    weir_conn *conn = weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = timeout));
    if (conn)
        weir_set_timeout(conn, timeout);
    return conn;
}

int cut(weir_conn *conn)
{
    int number = errno;
    weir_abort(conn);
    weir_close(conn);
    errno = number;
    return -1;
}

/* --- servers --- */

static int add(weir_server *server, const struct serving *serving)
{
    if (serving->datagram)
        return weir_server_add_datagrams(server, serving->endpoint, serving->datagram, serving->arg);
    return weir_server_add(server, serving->endpoint, serving->handler, serving->arg);
}

static void look_at_counters(const weir_server *server, const struct serving *serving)
{
    weir_counters counters;
    weir_server_counters(server, &counters);
    WEIR_SIM_CHECK(counters.active == 0);
    if (serving->counted)
        serving->counted(&counters);
}

static int run_server(weir_server *server, const struct serving *serving)
{
    if (add(server, serving) < 0 || weir_server_start(server) < 0 || weir_sim_wait_stop() < 0)
        return -1;
    weir_server_stop(server, weir_deadline(WEIR_S(30)));
    if (weir_server_wait(server, WEIR_FOREVER) < 0)
        return -1; /* killed */
    look_at_counters(server, serving);
    return 0;
}

static int serve_by_hand(const struct serving *serving)
{
    weir_server *server = weir_server_new(&serving->options);
    int result = server ? run_server(server, serving) : -1;
    weir_server_free(server);
    return result;
}

int serve(void *arg)
{
    struct serving *serving = arg;
    serving->options.size = sizeof serving->options;
    if (serving->by_hand)
        return serve_by_hand(serving);
    if (serving->datagram)
        return weir_serve_datagrams(serving->endpoint, serving->datagram, serving->arg, &serving->options);
    return weir_serve(serving->endpoint, serving->handler, serving->arg, &serving->options);
}

static ssize_t echo_once(weir_conn *conn, bool lent)
{
    char own[3000], *data = own;
    ssize_t size = lent ? weir_receive(conn, &data) : weir_recv(conn, own, sizeof own);
    if (size > 0 && weir_send_all(conn, data, (size_t)size) < 0)
        return -1;
    return size;
}

void echo_handler(weir_conn *conn, void *lent)
{
    ssize_t size;
    do
        size = echo_once(conn, *(bool *)lent);
    while (size > 0);
    if (size < 0)
        weir_abort(conn);
}
