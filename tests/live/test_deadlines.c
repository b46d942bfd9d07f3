/* Deadlines and timeouts: in the past, moved while a call waits, separate for reading and writing; a connection outlives them. */
#include <fcntl.h>
#include <sys/socket.h>

#include "live.h"

static char payload[8 << 20];

/* --- in the past --- */

static void check_deadline(ssize_t result)
{
    check(result < 0);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
}

/* Every reading call fails at once, whatever has arrived; none takes anything away. */
static void check_reading_fails(weir_conn *conn)
{
    char buffer[100], *data;
    size_t length;
    struct iovec vector = {buffer, sizeof buffer};
    check_deadline(weir_recv(conn, buffer, sizeof buffer));
    check_deadline(weir_recv_flags(conn, buffer, sizeof buffer, MSG_PEEK));
    check_deadline(weir_recvfrom(conn, buffer, sizeof buffer, 0, NULL));
    check_deadline(weir_recv_vector(conn, &vector, 1));
    check_deadline(weir_receive(conn, &data));
    check_deadline(weir_read_line(conn, &data, &length, 100));
    check_deadline(weir_read_until(conn, "-", 1, &data, &length, 100));
    check_deadline(weir_read_exactly(conn, buffer, 4));
}

static void check_writing_fails(weir_conn *conn)
{
    struct iovec vector = {payload, 100};
    check_deadline(weir_send(conn, payload, 100));
    check_deadline(weir_send_all(conn, payload, 100));
    check(weir_error()->transferred == 0);
    check_deadline(weir_send_vector(conn, &vector, 1));
    check_deadline(weir_send_vector_all(conn, &vector, 1));
    check_deadline(weir_sendto(conn, payload, 100, 0, NULL));
}

static void one_in_the_past_fails_at_once(void)
{
    static const int64_t pasts[] = {WEIR_NOW, 0, 1};
    for (int i = 0; i < 3; i++) {
        weir_conn *pair[2];
        tcp_pair(pair);
        check(weir_send_all(pair[1], "kept\n", 5) == 0);
        weir_sleep(WEIR_MS(2));
        weir_set_deadline(pair[0], WEIR_READ, pasts[i]);
        check_reading_fails(pair[0]);
        check_usable(pair[0], pair[1]); /* writing is another matter */
        weir_set_deadline(pair[0], WEIR_WRITE, pasts[i]);
        check_writing_fails(pair[0]);
        weir_set_deadline(pair[0], WEIR_READ_WRITE, WEIR_FOREVER);
        char *line;
        size_t length;
        check(weir_read_line(pair[0], &line, &length, 100) == 1 && strcmp(line, "kept") == 0);
        check_usable(pair[0], pair[1]);
        check_usable(pair[1], pair[0]);
        close_pair(pair);
    }
}

/* A timeout of nothing: what is there is taken, what would wait fails. Python's settimeout(0). */
static void a_timeout_of_nothing_does_not_wait(void)
{
    weir_conn *pair[2];
    char buffer[100];
    tcp_pair(pair);
    weir_set_timeout(pair[0], WEIR_NOW);
    check_deadline(weir_recv(pair[0], buffer, sizeof buffer));
    check(weir_send_all(pair[1], "there", 5) == 0);
    weir_set_timeout(pair[0], WEIR_S(20));
    check(weir_recv_flags(pair[0], buffer, sizeof buffer, MSG_PEEK) == 5);
    weir_set_timeout(pair[0], WEIR_NOW);
    check(weir_recv(pair[0], buffer, sizeof buffer) == 5);
    check_deadline(weir_send_all(pair[0], payload, sizeof payload));
    size_t went = weir_error()->transferred;
    check(went > 0 && went < sizeof payload);
    weir_set_timeout(pair[0], WEIR_FOREVER);
    drain(pair[1], went);
    check_usable(pair[0], pair[1]);
    close_pair(pair);
}

/* --- while it waits --- */

/* Each call has the whole timeout, and the connection is as good as new after it. */
static void a_timeout_is_for_each_call(void)
{
    weir_conn *pair[2];
    char buffer[100], *data;
    size_t length;
    tcp_pair(pair);
    weir_set_timeout(pair[0], WEIR_MS(10));
    for (int i = 0; i < 5; i++) {
        int64_t began = weir_now();
        check_deadline(i % 2 ? weir_recv(pair[0], buffer, sizeof buffer) : weir_receive(pair[0], &data));
        check(weir_now() - began >= WEIR_MS(10));
    }
    weir_set_timeout(pair[0], WEIR_FOREVER);
    check(weir_send_all(pair[1], "half a li", 9) == 0);
    weir_set_timeout(pair[0], WEIR_MS(10));
    check_deadline(weir_read_line(pair[0], &data, &length, 100));
    check(weir_send_all(pair[1], "ne\n", 3) == 0);
    weir_set_timeout(pair[0], WEIR_S(20));
    check(weir_read_line(pair[0], &data, &length, 100) == 1 && strcmp(data, "half a line") == 0);
    close_pair(pair);
}

static void accepting_meets_its_timeout(void)
{
    weir_listener *listener = weir_listen("tcp://:0", NULL);
    check(listener);
    for (int i = 0; i < 3; i++) {
        weir_listener_set_timeout(listener, i ? WEIR_MS(10) : WEIR_NOW);
        check(!weir_accept(listener));
        check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    }
    weir_conn *client = weir_connect(weir_listener_endpoint(listener, 0), NULL);
    weir_listener_set_timeout(listener, WEIR_S(20));
    weir_conn *accepted = weir_accept(listener);
    check(client && accepted);
    check_usable(client, accepted);
    weir_close(client);
    weir_close(accepted);
    weir_listener_close(listener);
}

/* --- moved while it waits --- */

struct moving {
    weir_conn *conn, *peer;
    weir_direction direction;
    atomic_bool entered, done;
};

/* Has the deadline pass, again and again until the call has returned: at first it may not have begun to wait. */
static int bring_forward(void *arg)
{
    struct moving *moving = arg;
    while (!moving->entered)
        weir_sleep(WEIR_MS(1));
    while (!moving->done) {
        weir_sleep(WEIR_MS(3));
        weir_set_deadline(moving->conn, moving->direction, weir_now());
    }
    return 0;
}

static void brought_forward(enum beside_kind kind, weir_direction direction)
{
    weir_conn *pair[2];
    struct beside beside;
    char byte;
    tcp_pair(pair);
    if (direction == WEIR_WRITE)
        fill(pair[0]);
    struct moving moving = {.conn = pair[0], .direction = direction};
    weir_set_deadline(pair[0], direction, weir_deadline(WEIR_MINUTES(60)));
    begin_beside(&beside, kind, bring_forward, &moving);
    moving.entered = true;
    ssize_t result;
    do
        result = direction == WEIR_READ ? weir_recv(pair[0], &byte, 1) : weir_send(pair[0], payload, 1000);
    while (result > 0); /* a full connection may turn out to have some room */
    check_deadline(result);
    moving.done = true;
    end_beside(&beside);
    weir_set_deadline(pair[0], direction, WEIR_FOREVER);
    check_usable(pair[1], pair[0]);
    close_pair(pair);
}

static void one_that_is_brought_forward_ends_the_wait(void)
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
        brought_forward(kind, WEIR_READ);
        brought_forward(kind, WEIR_WRITE);
    }
}

/* Puts the deadline off several times, sends only when the first would have long passed. */
static int put_off(void *arg)
{
    struct moving *moving = arg;
    while (!moving->entered)
        weir_sleep(WEIR_MS(1));
    weir_set_deadline(moving->conn, WEIR_READ, weir_deadline(WEIR_MINUTES(1)));
    weir_sleep(WEIR_MS(1));
    weir_set_deadline(moving->conn, WEIR_READ, WEIR_FOREVER);
    weir_sleep(WEIR_MS(600));
    check(weir_send_all(moving->peer, "late", 4) == 0);
    return 0;
}

static void one_that_is_put_off_is_waited_for(void)
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
        weir_conn *pair[2];
        struct beside beside;
        char word[8];
        tcp_pair(pair);
        struct moving moving = {.conn = pair[0], .peer = pair[1]};
        begin_beside(&beside, kind, put_off, &moving);
        weir_set_deadline(pair[0], WEIR_READ, weir_deadline(WEIR_MS(500)));
        moving.entered = true;
        check(weir_recv(pair[0], word, sizeof word) == 4);
        end_beside(&beside);
        close_pair(pair);
    }
}

/* --- reading and writing apart --- */

struct sending {
    weir_conn *conn;
    int result;
    atomic_bool done;
};

static int send_much(void *arg)
{
    struct sending *sending = arg;
    sending->result = weir_send_all(sending->conn, payload, sizeof payload);
    sending->done = true;
    return 0;
}

/* Readers time out while a writer waits on the same connection, which then goes on as if nothing had been. */
static void reading_times_out_while_writing_goes_on(void)
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
        weir_conn *pair[2];
        struct beside beside;
        char byte;
        tcp_pair(pair);
        struct sending sending = {.conn = pair[0]};
        begin_beside(&beside, kind, send_much, &sending);
        for (int i = 0; i < 5; i++) {
            weir_set_deadline(pair[0], WEIR_READ, weir_deadline(WEIR_MS(5)));
            check_deadline(weir_recv(pair[0], &byte, 1));
        }
        check(!sending.done);
        drain(pair[1], sizeof payload);
        end_beside(&beside);
        check(sending.result == 0);
        close_pair(pair);
    }
}

/* And the other way round; what went is told. */
static void writing_times_out_and_tells_how_much_went(void)
{
    weir_conn *pair[2];
    tcp_pair(pair);
    weir_set_deadline(pair[0], WEIR_WRITE, weir_deadline(WEIR_MS(20)));
    check_deadline(weir_send_all(pair[0], payload, sizeof payload));
    uint64_t went = weir_error()->transferred, received, sent;
    check(went > 0 && went < sizeof payload);
    weir_conn_bytes(pair[0], &received, &sent);
    check(sent == went && received == 0);
    check_usable(pair[1], pair[0]); /* reading has no deadline */
    weir_set_deadline(pair[0], WEIR_WRITE, WEIR_FOREVER);
    drain(pair[1], went);
    check_usable(pair[0], pair[1]);
    close_pair(pair);
}

/* --- datagrams, pairs --- */

static void datagrams_have_them_too(void)
{
    weir_conn *pair[2];
    char buffer[100];
    weir_datagram datagram = {.data = buffer, .capacity = sizeof buffer};
    check(weir_pair(SOCK_DGRAM, pair) == 0);
    weir_set_timeout(pair[0], WEIR_MS(10));
    check_deadline(weir_recv(pair[0], buffer, sizeof buffer));
    check_deadline(weir_recv_batch(pair[0], &datagram, 1));
    while (weir_send(pair[0], payload, 1000) > 0)
        ;
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(weir_recv(pair[1], buffer, sizeof buffer) == sizeof buffer);
    check(weir_send(pair[0], payload, 1000) == 1000);
    close_pair(pair);
}

/* --- many at once --- */

enum { MANY = 300 };
static weir_conn *many[MANY][2];

static int time_out(void *arg)
{
    weir_conn **pair = arg;
    char byte;
    check_deadline(weir_recv(pair[0], &byte, 1));
    return 0;
}

static void hundreds_at_once(void)
{
    weir_fiber *fibers[MANY];
    for (int i = 0; i < MANY; i++) {
        check(weir_pair(SOCK_STREAM, many[i]) == 0);
        weir_set_deadline(many[i][0], WEIR_READ, weir_deadline(WEIR_US(200 * (i * 7 % MANY))));
        check(fibers[i] = weir_spawn(time_out, many[i], NULL));
    }
    for (int i = 0; i < MANY; i++) {
        check(weir_join(fibers[i], NULL, SOON) == 0);
        close_pair(many[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(one_in_the_past_fails_at_once),
        EVERYWHERE(a_timeout_of_nothing_does_not_wait),
        EVERYWHERE(a_timeout_is_for_each_call),
        EVERYWHERE(accepting_meets_its_timeout),
        EVERYWHERE(one_that_is_brought_forward_ends_the_wait),
        EVERYWHERE(one_that_is_put_off_is_waited_for),
        EVERYWHERE(reading_times_out_while_writing_goes_on),
        EVERYWHERE(writing_times_out_and_tells_how_much_went),
        EVERYWHERE(datagrams_have_them_too),
        IN_FIBERS(hundreds_at_once),
    };
    return cmocka_run_group_tests_name("deadlines", tests, NULL, NULL);
}
