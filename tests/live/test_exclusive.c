/* One reader and one writer at a time, from wherever: a second of a kind gets EBUSY, and harms nobody. */
#include <sys/socket.h>

#include "live.h"

static char payload[4 << 20];

struct waiting {
    weir_conn *conn;
    weir_listener *listener;
    ssize_t result;
    atomic_bool entered;
};

/* Waits until another is really in its call: the first one to try finds it busy. */
#define eventually_busy(call)                                                                                          \
    do {                                                                                                               \
        eventually((call) < 0 && errno == EBUSY);                                                                      \
        check_error(EBUSY, WEIR_ERROR_BUSY);                                                                           \
    } while (0)

static int read_one(void *arg)
{
    struct waiting *waiting = arg;
    char buffer[100];
    waiting->entered = true;
    waiting->result = weir_recv(waiting->conn, buffer, sizeof buffer);
    return 0;
}

static void check_readers_are_busy(weir_conn *conn)
{
    char buffer[100], *data;
    size_t length;
    struct iovec vector = {buffer, sizeof buffer};
    eventually_busy(weir_recv_flags(conn, buffer, sizeof buffer, MSG_DONTWAIT));
    eventually_busy(weir_recv(conn, buffer, sizeof buffer));
    eventually_busy(weir_receive(conn, &data));
    eventually_busy(weir_recv_vector(conn, &vector, 1));
    eventually_busy(weir_read_line(conn, &data, &length, 100));
    eventually_busy(weir_read_exactly(conn, buffer, 1));
    eventually_busy(weir_yield_fd(conn));
}

static void a_second_reader_is_turned_away(void)
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
        weir_conn *pair[2];
        struct beside beside;
        tcp_pair(pair);
        struct waiting waiting = {.conn = pair[0]};
        begin_beside(&beside, kind, read_one, &waiting);
        eventually(waiting.entered);
        check_readers_are_busy(pair[0]);
        check_usable(pair[0], pair[1]); /* a writer is no reader */
        check(weir_send_all(pair[1], "for the first", 13) == 0);
        end_beside(&beside);
        check(waiting.result == 13);
        check_usable(pair[1], pair[0]);
        close_pair(pair);
    }
}

static int write_much(void *arg)
{
    struct waiting *waiting = arg;
    waiting->entered = true;
    waiting->result = weir_send_all(waiting->conn, payload, sizeof payload);
    return 0;
}

static void a_second_writer_is_turned_away(void)
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
        weir_conn *pair[2];
        struct beside beside;
        struct iovec vector = {payload, 1};
        tcp_pair(pair);
        size_t filled = fill(pair[0]);
        struct waiting waiting = {.conn = pair[0]};
        begin_beside(&beside, kind, write_much, &waiting);
        eventually(waiting.entered);
        eventually_busy(weir_send_flags(pair[0], payload, 1, MSG_DONTWAIT));
        eventually_busy(weir_send(pair[0], payload, 1));
        eventually_busy(weir_send_all(pair[0], payload, 1));
        eventually_busy(weir_send_vector_all(pair[0], &vector, 1));
        check_usable(pair[1], pair[0]); /* a reader is no writer */
        drain(pair[1], filled + sizeof payload);
        end_beside(&beside);
        check(waiting.result == 0);
        check_usable(pair[0], pair[1]);
        close_pair(pair);
    }
}

static int accept_one(void *arg)
{
    struct waiting *waiting = arg;
    waiting->entered = true;
    do
        waiting->conn = weir_accept(waiting->listener);
    while (!waiting->conn && (errno == EBUSY || errno == ETIMEDOUT));
    return 0;
}

static int accept_at_once(weir_listener *listener)
{
    weir_conn *conn = weir_accept(listener);
    int number = errno;
    weir_close(conn);
    errno = number;
    return conn ? 0 : -1;
}

static void a_second_accepter_is_turned_away(void)
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
        struct beside beside;
        struct waiting waiting = {.listener = weir_listen("tcp://127.0.0.1:0", NULL)};
        check(waiting.listener);
        begin_beside(&beside, kind, accept_one, &waiting);
        eventually(waiting.entered);
        weir_listener_set_timeout(waiting.listener, WEIR_NOW); /* for a second one that comes first */
        weir_sleep(WEIR_MS(5));
        eventually_busy(accept_at_once(waiting.listener));
        weir_listener_set_timeout(waiting.listener, WEIR_FOREVER);
        weir_conn *client = weir_connect(weir_listener_endpoint(waiting.listener, 0), NULL);
        check(client);
        end_beside(&beside);
        check(waiting.conn);
        check_usable(client, waiting.conn);
        weir_close(client);
        weir_close(waiting.conn);
        weir_listener_close(waiting.listener);
    }
}

/* --- a reader here, a writer there --- */

enum { ROUNDS = 300, SIZE = 20000 };

static int send_rounds(void *arg)
{
    static _Thread_local char data[SIZE];
    weir_conn *conn = arg;
    for (int i = 0; i < ROUNDS; i++) {
        pattern(data, sizeof data, (uint64_t)i);
        check(weir_send_all(conn, data, sizeof data) == 0);
    }
    return 0;
}

/* A connection whose reader and writer are of different threads and loops: bytes both ways at once. */
static void a_reader_and_a_writer_anywhere(void)
{
    static char data[SIZE], expected[SIZE];
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
        weir_conn *pair[2];
        struct beside there, back;
        tcp_pair(pair);
        begin_beside(&there, kind, send_rounds, pair[0]);
        begin_beside(&back, BESIDE_THREAD, send_rounds, pair[1]);
        for (int i = 0; i < ROUNDS; i++) {
            pattern(expected, sizeof expected, (uint64_t)i);
            for (int side = 0; side < 2; side++) {
                check(weir_read_exactly(pair[side], data, sizeof data) == 0);
                check(memcmp(data, expected, sizeof data) == 0);
            }
        }
        end_beside(&there);
        end_beside(&back);
        close_pair(pair);
    }
}

/* Handed from one to the next: each loop in turn reads from a connection that another has read from. */
static int read_word(void *arg)
{
    struct waiting *waiting = arg;
    char word[4];
    waiting->result = weir_read_exactly(waiting->conn, word, sizeof word);
    return 0;
}

static void handed_from_loop_to_loop(void)
{
    weir_conn *pair[2];
    tcp_pair(pair);
    for (int i = 0; i < 30; i++) {
        struct beside beside;
        struct waiting waiting = {.conn = pair[0]};
        enum beside_kind kind = (enum beside_kind)(i % BESIDE_KINDS);
        begin_beside(&beside, beside_works(kind) ? kind : BESIDE_LOOP, read_word, &waiting);
        if (i % 2)
            weir_sleep(WEIR_MS(2));
        check(weir_send_all(pair[1], "word", 4) == 0);
        end_beside(&beside);
        check(waiting.result == 0);
    }
    close_pair(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_second_reader_is_turned_away),   EVERYWHERE(a_second_writer_is_turned_away),
        EVERYWHERE(a_second_accepter_is_turned_away), EVERYWHERE(a_reader_and_a_writer_anywhere),
        EVERYWHERE(handed_from_loop_to_loop),
    };
    return cmocka_run_group_tests_name("exclusive", tests, NULL, NULL);
}
