/* A call that has returned does not touch its buffer any more, however it ended: what comes later goes elsewhere. */
#include <sys/socket.h>

#include "live.h"

enum { SIZE = 3000, CANARY = 0x5a };

/* How a reading call is ended before anything came. */
enum ending { TIMEOUT, DEADLINE, CANCEL, ENDINGS };

typedef ssize_t reading(weir_conn *conn, char *buffer);

static ssize_t by_recv(weir_conn *conn, char *buffer)
{
    return weir_recv(conn, buffer, SIZE);
}

static ssize_t by_recvfrom(weir_conn *conn, char *buffer)
{
    weir_address from;
    return weir_recvfrom(conn, buffer, SIZE, 0, &from);
}

static ssize_t by_waitall(weir_conn *conn, char *buffer)
{
    return weir_recv_flags(conn, buffer, SIZE, MSG_WAITALL);
}

static ssize_t by_vector(weir_conn *conn, char *buffer)
{
    struct iovec vector[] = {{buffer, SIZE / 2}, {buffer + SIZE / 2, SIZE / 2}};
    return weir_recv_vector(conn, vector, 2);
}

static ssize_t by_read_exactly(weir_conn *conn, char *buffer)
{
    return weir_read_exactly(conn, buffer, SIZE);
}

static ssize_t by_batch(weir_conn *conn, char *buffer)
{
    weir_datagram datagrams[2] = {{.data = buffer, .capacity = SIZE / 2},
                                  {.data = buffer + SIZE / 2, .capacity = SIZE / 2}};
    return weir_recv_batch(conn, datagrams, 2);
}

static const struct {
    reading *function;
    bool datagrams;
} readings[] = {
    {by_recv, false}, {by_waitall, false}, {by_vector, false}, {by_read_exactly, false},
    {by_recv, true},  {by_recvfrom, true}, {by_vector, true},  {by_batch, true},
};
enum { READINGS = sizeof readings / sizeof *readings };

struct cancelling {
    weir_conn *conn;
    atomic_bool done;
};

static int cancel(void *arg)
{
    struct cancelling *cancelling = arg;
    while (!cancelling->done) {
        weir_sleep(WEIR_MS(2));
        weir_cancel(cancelling->conn);
    }
    return 0;
}

static void end_early(weir_conn *conn, reading *function, char *buffer, enum ending ending)
{
    struct beside beside;
    struct cancelling cancelling = {.conn = conn};
    if (ending == CANCEL)
        begin_beside(&beside, BESIDE_THREAD, cancel, &cancelling);
    else if (ending == TIMEOUT)
        weir_set_timeout(conn, WEIR_MS(3));
    else
        weir_set_deadline(conn, WEIR_READ, weir_deadline(WEIR_MS(3)));
    ssize_t result = function(conn, buffer);
    int number = errno;
    cancelling.done = true;
    if (ending == CANCEL)
        end_beside(&beside);
    check(result < 0 && number == (ending == CANCEL ? ECANCELED : ETIMEDOUT));
    weir_set_timeout(conn, WEIR_FOREVER);
    weir_set_deadline(conn, WEIR_READ, WEIR_FOREVER);
}

static bool is_untouched(const char *buffer)
{
    for (int i = 0; i < SIZE; i++)
        if (buffer[i] != CANARY)
            return false;
    return true;
}

/* The buffer is on the stack, as a handler's is: what is written there late would be another function's. */
static void one_ending(weir_conn *pair[2], reading *function, enum ending ending)
{
    char buffer[SIZE], later[SIZE], sent[SIZE / 2];
    memset(buffer, 0, sizeof buffer);
    end_early(pair[0], function, buffer, ending);
    memset(buffer, CANARY, sizeof buffer);
    pattern(sent, sizeof sent, (uint64_t)ending);
    check(weir_send_all(pair[1], sent, sizeof sent) == 0);
    weir_sleep(WEIR_MS(3));
    check(is_untouched(buffer));
    check(weir_recv(pair[0], later, sizeof later) == sizeof sent);
    check(memcmp(later, sent, sizeof sent) == 0);
    check(is_untouched(buffer));
}

static void not_touched_after_the_call(void)
{
    for (int i = 0; i < READINGS; i++)
        for (enum ending ending = 0; ending < ENDINGS; ending++) {
            weir_conn *pair[2];
            if (readings[i].datagrams)
                check(weir_pair(SOCK_DGRAM, pair) == 0);
            else
                tcp_pair(pair);
            one_ending(pair, readings[i].function, ending);
            close_pair(pair);
        }
}

/* --- the other side of it: what is sent late was not changed meanwhile --- */

/* A send that was given up has sent what it says and no byte of the buffer after it. */
static void not_read_after_the_call(void)
{
    static char data[4 << 20], received[65536];
    weir_conn *pair[2];
    tcp_pair(pair);
    weir_set_timeout(pair[0], WEIR_MS(10));
    memset(data, 'a', sizeof data);
    check(weir_send_all(pair[0], data, sizeof data) < 0);
    uint64_t went = weir_error()->transferred;
    memset(data, 'b', sizeof data);
    weir_set_timeout(pair[0], WEIR_FOREVER);
    check(weir_shutdown(pair[0], SHUT_WR) == 0);
    uint64_t came = 0;
    ssize_t size;
    while ((size = weir_recv(pair[1], received, sizeof received)) > 0) {
        check(!memchr(received, 'b', (size_t)size));
        came += (uint64_t)size;
    }
    check(size == 0 && came == went);
    close_pair(pair);
}

/* --- files and pipes --- */

static void pipes_do_not_either(void)
{
    weir_file *end[2];
    char buffer[SIZE], later[SIZE];
    check(weir_pipe(end) == 0);
    for (int i = 0; i < 5; i++) {
        check(weir_file_read(end[0], buffer, sizeof buffer, weir_deadline(WEIR_MS(3))) < 0);
        check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
        memset(buffer, CANARY, sizeof buffer);
        check(weir_file_write_all(end[1], "late", 4, SOON) == 0);
        weir_sleep(WEIR_MS(2));
        check(is_untouched(buffer));
        check(weir_file_read(end[0], later, sizeof later, SOON) == 4);
        check(is_untouched(buffer));
    }
    weir_file_close(end[0]);
    weir_file_close(end[1]);
}

/* --- hundreds of fibers that time out while data comes --- */

enum { MANY = 200, TIMES = 20 };

struct racing {
    weir_conn *pair[2];
    size_t sent;
};

static int send_at_odd_times(void *arg)
{
    struct racing *racing = arg;
    for (int i = 0; i < TIMES; i++) {
        weir_sleep(WEIR_US(100 + 37 * i % 500));
        check(weir_send_all(racing->pair[1], "0123456789", 10) == 0);
        racing->sent += 10;
    }
    check(weir_shutdown(racing->pair[1], SHUT_WR) == 0);
    return 0;
}

/* What a call that timed out left in its buffer would be missing in the count. */
static int receive_with_short_deadlines(void *arg)
{
    struct racing *racing = arg;
    size_t received = 0;
    for (;;) {
        char buffer[64];
        weir_set_deadline(racing->pair[0], WEIR_READ, weir_deadline(WEIR_US(150)));
        ssize_t size = weir_recv(racing->pair[0], buffer, sizeof buffer);
        memset(buffer, CANARY, sizeof buffer);
        if (size == 0)
            break;
        check(size > 0 || errno == ETIMEDOUT);
        received += size > 0 ? (size_t)size : 0;
    }
    check(received == 10 * TIMES);
    return 0;
}

static void nothing_is_lost_between_deadlines(void)
{
    static struct racing racing[MANY];
    weir_fiber *fibers[MANY][2];
    for (int i = 0; i < MANY; i++) {
        check(weir_pair(SOCK_STREAM, racing[i].pair) == 0);
        check(fibers[i][0] = weir_spawn(receive_with_short_deadlines, &racing[i], NULL));
        check(fibers[i][1] = weir_spawn(send_at_odd_times, &racing[i], NULL));
    }
    for (int i = 0; i < MANY; i++) {
        check(weir_join(fibers[i][0], NULL, SOON) == 0);
        check(weir_join(fibers[i][1], NULL, SOON) == 0);
        close_pair(racing[i].pair);
    }
}

/* --- the kernel's buffers --- */

static int send_buffer_of(weir_conn *conn)
{
    int size = 0;
    socklen_t length = sizeof size;
    check(getsockopt(weir_fd(conn), SOL_SOCKET, SO_SNDBUF, &size, &length) == 0);
    return size;
}

/* A TCP socket has its listener's options from the kernel, a Unix socket does not. */
static void accepted_with_the_buffers_that_were_asked_for(void)
{
    char name[64];
    const char *endpoints[] = {"tcp://127.0.0.1:0", name};
    snprintf(name, sizeof name, "unix:@weir-buffers-%d", (int)getpid());
    for (int i = 0; i < 2; i++) {
        weir_listener *listener =
            weir_listen(endpoints[i], WEIR_OPTIONS(weir_listen_options, .socket.send_buffer = 10000));
        check(listener);
        weir_conn *client = weir_connect(weir_listener_endpoint(listener, 0), NULL);
        weir_conn *accepted = weir_accept(listener);
        check(client && accepted);
        check(send_buffer_of(accepted) == 2 * 10000); /* Linux doubles it for what it keeps beside the bytes */
        check(send_buffer_of(client) != 2 * 10000);
        weir_close(client);
        weir_close(accepted);
        weir_listener_close(listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(not_touched_after_the_call),
        EVERYWHERE(not_read_after_the_call),
        EVERYWHERE(pipes_do_not_either),
        IN_FIBERS(nothing_is_lost_between_deadlines),
        EVERYWHERE(accepted_with_the_buffers_that_were_asked_for),
    };
    return cmocka_run_group_tests_name("buffers", tests, NULL, NULL);
}
