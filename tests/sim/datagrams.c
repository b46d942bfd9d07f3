/*
 * Datagrams: lost, doubled, cut short and out of order; each question is asked until its own answer has come, and no
 * other.
 */
#include "../../src/cli/relaying.h"
#include "../../src/services/shared_count.h"
#include "common.h"
#include "scenarios.h"

enum { MOST_QUESTION = 1200, SMALLEST = 16, CLIENTS = 3, QUESTIONS = 6, BATCH = 8, ROOM = 2048 };

/*
 * As many as a relay may have had to do with at once: a client that takes another socket leaves its session behind for
 * a while.
 */
enum { SESSIONS = CLIENTS * (QUESTIONS + 1) };

#define PATIENCE WEIR_MS(400)

static struct {
    struct serving serving;
    const char *endpoint;
    bool parks;
} world;

/* --- questions --- */

/* Its number and its length, then a pattern of the number: whoever has a part of one sees that. */
struct question {
    uint64_t number;
    size_t length;
    int64_t asked; /* times */
    bool answered;
};

static void put_number(char *to, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (char)(number >> i * 8);
}

static uint64_t get_number(const char *from)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)(unsigned char)from[i] << i * 8;
    return number;
}

static struct question question_new(void)
{
    return (struct question){weir_sim_below(UINT64_MAX),
                             SMALLEST + (size_t)weir_sim_below(MOST_QUESTION - SMALLEST + 1), 0, false};
}

static void write_question(const struct question *question, char *data)
{
    put_number(data, question->number);
    put_number(data + 8, question->length);
    pattern(question->number, 0, data + SMALLEST, question->length - SMALLEST);
}

/* Whether it is all there. What is, must be right. */
static bool is_whole(const char *data, size_t length, bool truncated)
{
    if (length < SMALLEST || get_number(data + 8) != length) {
        WEIR_SIM_CHECK(length < SMALLEST || get_number(data + 8) > length);
        WEIR_SIM_CHECK(truncated);
        return false;
    }
    WEIR_SIM_CHECK(!truncated);
    return check_pattern(get_number(data), 0, data + SMALLEST, length - SMALLEST);
}

/* An answer to something not asked, or one that is not the question, fails the run. */
static void take_answer(struct question *questions, int count, const char *data, size_t length, bool truncated)
{
    if (!is_whole(data, length, truncated))
        return;
    for (int i = 0; i < count; i++) {
        if (questions[i].number != get_number(data))
            continue;
        WEIR_SIM_CHECK(questions[i].asked > 0 && questions[i].length == length);
        questions[i].answered = true;
        return;
    }
    weir_sim_fail("an answer came to what was never asked");
}

/* --- the server --- */

static void handler(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    if (!is_whole(datagram->data, datagram->length, datagram->truncated))
        return;
    if (world.parks && one_in(4) && weir_sleep(between(0, WEIR_MS(20))) < 0)
        return;
    weir_reply(datagram, datagram->data, datagram->length);
}

static void counted(const weir_counters *counters)
{
    WEIR_SIM_CHECK(counters->datagrams_out <= counters->datagrams_in);
    WEIR_SIM_CHECK(counters->replies_refused == 0);
    WEIR_SIM_CHECK(counters->replies_limited == 0);
}

/* --- one after the other, on a connected socket --- */

/* What a plain receive brings may be cut short without a word of it; the question's own length tells. */
static int hear_one(weir_conn *conn, struct question *questions, int count)
{
    char data[ROOM];
    weir_datagram datagram = {.data = data, .capacity = sizeof data};
    if (one_in(2)) {
        if (weir_recv_batch(conn, &datagram, 1) != 1)
            return -1;
        take_answer(questions, count, data, datagram.length, datagram.truncated);
        return 0;
    }
    ssize_t size = weir_recv(conn, data, sizeof data);
    if (size < 0)
        return -1;
    bool short_one = size < SMALLEST || get_number(data + 8) != (uint64_t)size;
    take_answer(questions, count, data, (size_t)size, short_one);
    return 0;
}

/* Until its answer has come or the time for it is over; what comes late is an answer to an earlier one. */
static int ask_one(weir_conn *conn, struct question *questions, int count, struct question *question)
{
    char data[MOST_QUESTION];
    write_question(question, data);
    int64_t sent_at = weir_now();
    question->asked++;
    if (weir_send(conn, data, question->length) < 0)
        return -1;
    weir_set_deadline(conn, WEIR_READ, weir_deadline(PATIENCE));
    while (!question->answered)
        if (hear_one(conn, questions, count) < 0) {
            if (errno == ETIMEDOUT && weir_now() < sent_at + PATIENCE)
                weir_sim_fail("waiting for an answer ended early");
            return -1;
        }
    return 0;
}

struct asking {
    weir_conn *conn;
    struct question questions[QUESTIONS];
    int count;
};

static int ask_last(void *arg)
{
    struct asking *asking = arg;
    if (!asking->conn)
        asking->conn = weir_connect(world.endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_S(5)));
    if (!asking->conn)
        return -1;
    struct question *question = &asking->questions[asking->count - 1];
    int result = ask_one(asking->conn, asking->questions, asking->count, question);
    /* What is refused may be an earlier datagram, long ago: a socket tells that once, whatever is called next. */
    if (result < 0 && errno == ECONNREFUSED)
        result = ask_one(asking->conn, asking->questions, asking->count, question);
    return result;
}

static int client(void *arg)
{
    struct asking asking = {0};
    int result = 0;
    (void)arg;
    while (asking.count < QUESTIONS && result == 0) {
        asking.questions[asking.count++] = question_new();
        result = until_done("a question by datagram", ask_last, &asking, SHORTLY);
        if (one_in(4)) {
            weir_close(asking.conn);
            asking.conn = NULL;
        }
    }
    weir_close(asking.conn);
    return result;
}

static void serve_datagrams(const char *endpoint, const char *asked)
{
    memset(&world, 0, sizeof world);
    world.endpoint = asked;
    world.parks = one_in(2);
    world.serving = (struct serving){.endpoint = endpoint,
                                     .datagram = handler,
                                     .by_hand = one_in(2),
                                     .counted = counted,
                                     .options = {.workers = between(1, 2)}};
}

void udp_echo(void)
{
    static const char *const asked[] = {"udp://server:7", "udp://four:7"};
    serve_datagrams("udp://*:7", asked[weir_sim_below(2)]);
    weir_sim_name("four", "server/4");
    weir_sim_service(weir_sim_host_new("server"), "echo", serve, &world.serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}

/* --- by way of a relay, the program's own --- */

static struct relay relaying;
static struct relay_counters relay_counters;
static struct serving middle;

static void relay_counted(const weir_counters *counters)
{
    (void)counters;
    WEIR_SIM_CHECK(shared_count_sum(relaying.open) == 0);
}

/* As the command does it: a table for each life of the server. */
static int serve_relay(void *arg)
{
    relaying.sessions = relay_sessions_new();
    relaying.open = shared_count_new();
    int result = relaying.sessions && relaying.open ? serve(arg) : -1;
    relay_sessions_free(relaying.sessions);
    shared_count_free(relaying.open);
    return result;
}

void udp_relay(void)
{
    serve_datagrams("udp://*:7", "udp://relay:8");
    memset(&relay_counters, 0, sizeof relay_counters);
    relaying = (struct relay){.connect = {.size = sizeof relaying.connect, .timeout = WEIR_S(5)},
                              .session_timeout = between(WEIR_S(1), WEIR_S(10)),
                              .most_sessions = between(SESSIONS, 100),
                              .most_per_address = one_in(2) ? -1 : 100,
                              .counters = &relay_counters};
    weir_parse_endpoint("udp://server:7", NULL, &relaying.to);
    middle = (struct serving){.endpoint = "udp://*:8",
                              .datagram = relay_datagram,
                              .arg = &relaying,
                              .by_hand = one_in(2),
                              .counted = relay_counted,
                              .options = {.workers = between(1, 2)}};
    weir_sim_service(weir_sim_host_new("server"), "echo", serve, &world.serving);
    weir_sim_service(weir_sim_host_new("relay"), "relay", serve_relay, &middle);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}

/* --- in batches, from a socket that is bound, to both addresses of the server --- */

struct batches {
    weir_conn *conn;
    int family;
    weir_address server;
    struct question questions[BATCH];
};

/* The addresses that a name has, by way of a socket that is connected to it. */
static int look_up(const char *endpoint, int family, weir_address *address)
{
    weir_conn *conn =
        weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .family = family, .timeout = WEIR_S(5)));
    int result = conn ? weir_peer_address(conn, address) : -1;
    weir_close(conn);
    return result;
}

static int send_questions(struct batches *batches)
{
    char data[BATCH][MOST_QUESTION];
    weir_datagram datagrams[BATCH] = {0};
    int count = 0;
    for (int i = 0; i < BATCH; i++) {
        struct question *question = &batches->questions[i];
        if (question->answered)
            continue;
        write_question(question, data[count]);
        question->asked++;
        datagrams[count] = (weir_datagram){.data = data[count], .length = question->length, .peer = batches->server};
        count++;
    }
    int sent = weir_send_batch(batches->conn, datagrams, count);
    WEIR_SIM_CHECK(sent == count || sent == -1);
    return sent;
}

static int hear_answers(struct batches *batches)
{
    char data[BATCH][ROOM];
    weir_datagram datagrams[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
        datagrams[i].data = data[i];
        datagrams[i].capacity = ROOM;
    }
    int count = weir_recv_batch(batches->conn, datagrams, BATCH);
    WEIR_SIM_CHECK(count <= BATCH && count != 0);
    for (int i = 0; i < count; i++) {
        if (!weir_address_equal(&datagrams[i].peer, &batches->server))
            weir_sim_fail("an answer comes from another address than was asked");
        take_answer(batches->questions, BATCH, data[i], datagrams[i].length, datagrams[i].truncated);
    }
    return count;
}

static bool all_answered(const struct batches *batches)
{
    for (int i = 0; i < BATCH; i++)
        if (!batches->questions[i].answered)
            return false;
    return true;
}

static int ask_all(void *arg)
{
    struct batches *batches = arg;
    if (!batches->conn)
        batches->conn = weir_bind(batches->family == AF_INET ? "udp://0.0.0.0:0" : "udp://[::]:0", NULL);
    if (!batches->conn)
        return -1;
    if (!batches->server.length && look_up("udp://server:7", batches->family, &batches->server) < 0)
        return -1;
    if (send_questions(batches) < 0)
        return -1;
    weir_set_deadline(batches->conn, WEIR_READ, weir_deadline(PATIENCE));
    while (!all_answered(batches))
        if (hear_answers(batches) < 0)
            return -1;
    return 0;
}

static int batch_client(void *arg)
{
    struct batches batches = {.family = one_in(2) ? AF_INET : AF_INET6};
    (void)arg;
    for (int i = 0; i < BATCH; i++)
        batches.questions[i] = question_new();
    int result = until_done("a batch of datagrams", ask_all, &batches, SHORTLY);
    weir_close(batches.conn);
    return result;
}

void udp_batches(void)
{
    serve_datagrams("udp://*:7", NULL);
    weir_sim_service(weir_sim_host_new("server"), "echo", serve, &world.serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", batch_client, NULL);
}

/* --- between Unix sockets --- */

void unix_datagrams(void)
{
    static const char *const endpoints[] = {"unix:/run/echo?type=datagram", "unix:@echo?type=datagram"};
    const char *endpoint = endpoints[weir_sim_below(2)];
    serve_datagrams(endpoint, endpoint);
    world.serving.options.workers = 1;
    weir_sim_host *host = weir_sim_host_new("server");
    weir_sim_service(host, "echo", serve, &world.serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(host, "client", client, NULL);
}
