/* Caps and limits of time: who is silent, slow or one too many is cut, no earlier than said; all others are served. */
#include "common.h"
#include "scenarios.h"

enum { MOST_AT_ONCE = 6, MOST_OF_ADDRESS = 3, GREETING = 4, FLOOD = 120000, HOSTS = 6 };

#define IDLE    WEIR_S(3)
#define MESSAGE WEIR_S(1)
#define WRITE   WEIR_S(2)
/* Longer than any of them. */
#define PATIENCE WEIR_S(30)
/* Of those who were cut off without a word, each holds a place until it has been idle for too long. */
#define GRACE WEIR_MINUTES(2)
#define SLACK WEIR_MS(1)
/* A call that has gone well may let others run before it returns. */
#define TURNS WEIR_US(100)

enum limit { OF_IDLENESS, OF_WRITING, OF_MESSAGES, LIMITS };

static const struct {
    const char *reason;
    int64_t time;
} known[LIMITS] = {{"idle for too long", IDLE},
                   {"the peer took no output for too long", WRITE},
                   {"the message was not completed in time", MESSAGE}};

static struct {
    struct serving serving;
    int here;                    /* handlers at once */
    int of_address[HOSTS + 3];   /* of one host over IPv4, by its number; [0]: over IPv6 */
    uint64_t begun, cut[LIMITS]; /* of the server that runs now */
} world;

/* --- the server --- */

/* What a handler has seen of its connection. */
struct seen {
    int64_t last; /* when a call last went well */
    uint64_t received, sent;
};

static void look(const weir_conn *conn, struct seen *seen)
{
    seen->last = weir_now();
    weir_conn_bytes(conn, &seen->received, &seen->sent);
}

/* A limit may have cut the call: then in time, unless something went on meanwhile. */
static void look_at_cut(const weir_conn *conn, const struct seen *seen)
{
    struct seen now;
    const char *reason = weir_error()->reason;
    look(conn, &now);
    for (int i = 0; i < LIMITS; i++) {
        if (strcmp(reason, known[i].reason) != 0)
            continue;
        world.cut[i]++;
        bool moved = now.received != seen->received || now.sent != seen->sent || i == OF_MESSAGES;
        check_due(reason, seen->last - TURNS + known[i].time, moved ? WEIR_MINUTES(2) : SLACK);
        return;
    }
}

/* Sends what nobody will read. */
static int flood(weir_conn *conn, struct seen *seen)
{
    static const char zeros[4096];
    for (size_t sent = 0; sent < FLOOD; sent += sizeof zeros) {
        if (weir_send_all(conn, zeros, sizeof zeros) < 0)
            return -1;
        look(conn, seen);
    }
    return 0;
}

static int answer(weir_conn *conn, char *line, size_t length, struct seen *seen)
{
    look(conn, seen);
    if (length == 5 && memcmp(line, "flood", 5) == 0)
        return flood(conn, seen);
    line[length] = '\n'; /* where its NUL is */
    return weir_send_all(conn, line, length + 1);
}

static int serve_lines(weir_conn *conn, struct seen *seen)
{
    char *line;
    size_t length;
    int result = weir_send_all(conn, "hi!\n", GREETING);
    while (result == 0) {
        look(conn, seen);
        result = weir_read_line(conn, &line, &length, 1000);
        if (result == 0)
            return 0;
        if (result > 0)
            result = answer(conn, line, length, seen);
    }
    return result;
}

static int *places_of(const weir_conn *conn)
{
    weir_address address;
    if (weir_peer_address(conn, &address) < 0 || address.any.sa_family != AF_INET)
        return &world.of_address[0];
    unsigned host = ntohl(address.ipv4.sin_addr.s_addr) & 0xff;
    return &world.of_address[host < HOSTS + 3 ? host : 0];
}

static void handler(weir_conn *conn, void *arg)
{
    struct seen seen;
    (void)arg;
    int *places = places_of(conn);
    world.begun++;
    ++world.here;
    ++*places;
    WEIR_SIM_CHECK(world.here <= MOST_AT_ONCE);
    WEIR_SIM_CHECK(places == &world.of_address[0] || *places <= MOST_OF_ADDRESS);
    look(conn, &seen);
    if (serve_lines(conn, &seen) < 0)
        look_at_cut(conn, &seen);
    world.here--;
    --*places;
}

static void counted(const weir_counters *counters)
{
    WEIR_SIM_CHECK(counters->accepted == world.begun);
    WEIR_SIM_CHECK(counters->cancelled == 0);
    WEIR_SIM_CHECK(counters->errors_idle == world.cut[OF_IDLENESS]);
    WEIR_SIM_CHECK(counters->errors_write_timeout == world.cut[OF_WRITING]);
    WEIR_SIM_CHECK(counters->errors_message_timeout == world.cut[OF_MESSAGES]);
    WEIR_SIM_CHECK(counters->errors_lifetime == 0);
    WEIR_SIM_CHECK(world.here == 0);
}

static int service(void *arg)
{
    world.begun = 0;
    memset(world.cut, 0, sizeof world.cut);
    return serve(arg);
}

/* --- clients --- */

/* Those who are one too many from their address read an end in place of the greeting. */
static weir_conn *welcome(int receive_buffer)
{
    char greeting[GREETING];
    weir_connect_options options = {
        .size = sizeof options, .timeout = PATIENCE, .socket.receive_buffer = receive_buffer};
    weir_conn *conn = weir_connect("tcp://server:7", &options);
    if (!conn)
        return NULL;
    weir_set_timeout(conn, PATIENCE);
    if (weir_read_exactly(conn, greeting, sizeof greeting) == 0)
        return conn;
    weir_close(conn);
    return NULL;
}

static int ask(weir_conn *conn, int number)
{
    char question[16], *line;
    size_t length;
    int size = snprintf(question, sizeof question, "%d\n", number);
    if (weir_sleep(between(0, IDLE / 3)) < 0 || weir_send_all(conn, question, (size_t)size) < 0 ||
        weir_read_line(conn, &line, &length, 100) != 1)
        return -1;
    WEIR_SIM_CHECK(length == (size_t)size - 1 && memcmp(line, question, length) == 0);
    return 0;
}

static int be_good(void *arg)
{
    (void)arg;
    weir_conn *conn = welcome(0);
    int result = conn ? 0 : -1;
    for (int i = 0; i < 3 && result == 0; i++)
        result = ask(conn, i);
    weir_close(conn);
    return result;
}

/*
 * Waits to be cut. That must not be before the limit for it, nor, since the greeting may have come late, before the one for
 * idleness: both counted from times at which the clocks of them cannot have begun.
 */
static int await_cut(weir_conn *conn, int64_t idle, int64_t other, bool reset_is_fine)
{
    char rest[4096];
    ssize_t size;
    while ((size = weir_recv(conn, rest, sizeof rest)) > 0)
        ;
    int number = errno;
    int64_t early = (idle < other ? idle : other) - weir_now();
    if (size == 0 && early > 0)
        weir_sim_fail("a client was cut %lld us before any limit", (long long)(early / WEIR_US(1)));
    errno = number;
    return size == 0 || (reset_is_fine && number == ECONNRESET) ? 0 : -1;
}

static int be_silent(void *arg)
{
    (void)arg;
    int64_t came = weir_now();
    weir_conn *conn = welcome(0);
    int result = conn ? await_cut(conn, came + IDLE, WEIR_FOREVER, false) : -1;
    weir_close(conn);
    return result;
}

/* A byte of a line now and then, and never its end. */
static int dribble(weir_conn *conn)
{
    weir_case readable = {.kind = WEIR_CASE_READABLE, .conn = conn};
    for (;;) {
        if (weir_send(conn, "x", 1) < 0)
            return errno == EPIPE || errno == ECONNRESET ? 0 : -1;
        if (weir_select(&readable, 1, weir_deadline(WEIR_MS(200))) == 0)
            return 0;
        if (errno != ETIMEDOUT)
            return -1;
    }
}

static int be_slow(void *arg)
{
    (void)arg;
    int64_t came = weir_now();
    weir_conn *conn = welcome(0);
    int64_t began = weir_now();
    int result = conn ? dribble(conn) : -1;
    if (result == 0)
        result = await_cut(conn, came + IDLE, began + MESSAGE, true);
    weir_close(conn);
    return result;
}

/* Asks for much and reads none of it until it has been cut. */
static int be_flooded(void *arg)
{
    (void)arg;
    int64_t came = weir_now();
    weir_conn *conn = welcome(4096);
    int64_t asked = weir_now();
    int result = conn ? weir_send_all(conn, "flood\n", 6) : -1;
    if (result == 0 && (result = weir_sleep(IDLE + WRITE)) == 0)
        result = await_cut(conn, came + IDLE, asked + WRITE, true);
    weir_close(conn);
    return result;
}

static int good(void *arg)
{
    return until_done("a good client", be_good, arg, GRACE);
}
static int silent(void *arg)
{
    return until_done("a silent client", be_silent, arg, GRACE);
}
static int slow(void *arg)
{
    return until_done("a slow client", be_slow, arg, GRACE);
}
static int flooded(void *arg)
{
    return until_done("a client that does not read", be_flooded, arg, GRACE);
}

void limits(void)
{
    int (*const roles[])(void *arg) = {good, good, silent, slow, flooded};
    memset(&world, 0, sizeof world);
    world.serving = (struct serving){
        .endpoint = "tcp://*:7",
        .handler = handler,
        .by_hand = true,
        .counted = counted,
        .options = {.workers = between(1, 2),
                    .model = one_in(3) ? WEIR_MODEL_THREAD : WEIR_MODEL_FIBER,
                    .max_connections = MOST_AT_ONCE,
                    .max_per_address = MOST_OF_ADDRESS,
                    .idle_timeout = IDLE,
                    .message_timeout = MESSAGE,
                    .write_timeout = WRITE,
                    .listen.socket.send_buffer = 8192},
    };
    weir_sim_service(weir_sim_host_new("server"), "limits", service, &world.serving);
    for (int i = 0; i < HOSTS; i++) {
        weir_sim_host *host = weir_sim_host_new(NULL);
        for (uint64_t clients = 1 + weir_sim_below(i ? 2 : 5); clients; clients--)
            weir_sim_program(host, "client", roles[weir_sim_below(5)], NULL);
    }
}
