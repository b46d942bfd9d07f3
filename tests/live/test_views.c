/* Lent views: a proxy that holds two at once, more views than there are large buffers, views that are changed and kept. */
#include <sys/socket.h>

#include "live.h"

/* --- two at once --- */

/* One fiber holds a view of each connection, sends each to the other side, changes them: neither moves under the other. */
static void two_views_in_one_hand(void)
{
    weir_conn *left[2], *right[2];
    static char from_left[30000], from_right[30000], received[30000];
    tcp_pair(left);
    tcp_pair(right);
    for (uint64_t round = 0; round < 100; round++) {
        char *a, *b;
        size_t size = 1 + (size_t)(round * 299);
        pattern(from_left, size, round);
        pattern(from_right, size, ~round);
        check(weir_send_all(left[1], from_left, size) == 0);
        check(weir_send_all(right[1], from_right, size) == 0);
        ssize_t a_size = weir_receive(left[0], &a);
        ssize_t b_size = weir_receive(right[0], &b);
        check(a_size > 0 && b_size > 0 && a != b);
        check(memcmp(a, from_left, (size_t)a_size) == 0);
        memset(b, 0, (size_t)b_size); /* a view may be changed */
        check(memcmp(a, from_left, (size_t)a_size) == 0);
        check(weir_send_all(right[0], a, (size_t)a_size) == 0);
        check(weir_send_all(left[0], b, (size_t)b_size) == 0);
        check(weir_read_exactly(right[1], received, (size_t)a_size) == 0);
        check(memcmp(received, from_left, (size_t)a_size) == 0);
        drain(left[1], (size_t)b_size);
        drain(left[0], size - (size_t)a_size); /* which gives the view back */
        drain(right[0], size - (size_t)b_size);
        if (size == (size_t)a_size)
            weir_release(left[0]);
    }
    close_pair(left);
    close_pair(right);
}

/* --- more views than there are buffers --- */

enum { MANY = 300 };

/* Each holder keeps its view, so the pool runs out: nobody waits for a buffer, and every view stays what it was. */
static void more_views_than_buffers(void)
{
    static weir_conn *pairs[MANY][2];
    static char *views[MANY];
    static ssize_t sizes[MANY];
    char sent[1500];
    for (int i = 0; i < MANY; i++) {
        check(weir_pair(SOCK_STREAM, pairs[i]) == 0);
        pattern(sent, sizeof sent, (uint64_t)i);
        check(weir_send_all(pairs[i][1], sent, sizeof sent) == 0);
        sizes[i] = weir_receive(pairs[i][0], &views[i]);
        check(sizes[i] > 0 && (size_t)sizes[i] <= sizeof sent);
    }
    for (int i = 0; i < MANY; i++) {
        pattern(sent, sizeof sent, (uint64_t)i);
        check(memcmp(views[i], sent, (size_t)sizes[i]) == 0);
        weir_release(pairs[i][0]);
        weir_release(pairs[i][0]); /* twice is once */
        if (sizes[i] < (ssize_t)sizeof sent)
            drain(pairs[i][0], sizeof sent - (size_t)sizes[i]);
    }
    for (int i = 0; i < MANY; i++)
        close_pair(pairs[i]);
}

/* --- a proxy for many --- */

enum { PROXIED = 100, TRANSFER = 200000 };

struct proxied {
    weir_conn *client[2], *server[2]; /* the proxy has the second of the client's and the first of the server's */
    weir_fiber *fibers[4];
    uint64_t bytes[2];
};

static int ask(void *arg)
{
    weir_conn **client = ((struct proxied *)arg)->client;
    char chunk[997];
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    for (size_t sent = 0; sent < TRANSFER; sent += sizeof chunk) {
        pattern(chunk, sizeof chunk, seed + sent);
        check(weir_send_all(client[0], chunk, sizeof chunk) == 0);
    }
    check(weir_shutdown(client[0], SHUT_WR) == 0);
    return 0;
}

static int check_answer(void *arg)
{
    weir_conn **client = ((struct proxied *)arg)->client;
    char chunk[997], expected[997];
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    for (size_t received = 0; received < TRANSFER; received += sizeof chunk) {
        pattern(expected, sizeof expected, seed + received);
        check(weir_read_exactly(client[0], chunk, sizeof chunk) == 0);
        check(memcmp(chunk, expected, sizeof chunk) == 0);
    }
    check(weir_recv(client[0], chunk, 1) == 0);
    return 0;
}

static int echo(void *arg)
{
    weir_conn *conn = ((struct proxied *)arg)->server[1];
    char *data;
    ssize_t size;
    while ((size = weir_receive(conn, &data)) > 0)
        check(weir_send_all(conn, data, (size_t)size) == 0);
    check(size == 0 && weir_shutdown(conn, SHUT_WR) == 0);
    return 0;
}

static int proxy(void *arg)
{
    struct proxied *proxied = arg;
    check(weir_copy(proxied->client[1], proxied->server[0], proxied->bytes) == 0);
    return 0;
}

/* weir_copy holds a view a direction; a hundred of them want more than the pool has. Half-closes are passed on. */
static void a_proxy_for_many(void)
{
    static struct proxied all[PROXIED];
    static weir_fiber_function *const functions[4] = {ask, check_answer, proxy, echo};
    for (int i = 0; i < PROXIED; i++) {
        check(weir_pair(SOCK_STREAM, all[i].client) == 0);
        check(weir_pair(SOCK_STREAM, all[i].server) == 0);
        for (int k = 0; k < 4; k++)
            check(all[i].fibers[k] = weir_spawn(functions[k], &all[i], NULL));
    }
    for (int i = 0; i < PROXIED; i++) {
        for (int k = 0; k < 4; k++)
            check(weir_join(all[i].fibers[k], NULL, SOON) == 0);
        check(all[i].bytes[0] == all[i].bytes[1] && all[i].bytes[0] >= TRANSFER);
        close_pair(all[i].client);
        close_pair(all[i].server);
    }
}

/* --- views and buffered reading --- */

/* What a line left behind comes as a view, and what a view was taken from goes on as lines. */
static void between_lines(void)
{
    weir_conn *pair[2];
    char *data;
    size_t length;
    tcp_pair(pair);
    check(weir_send_all(pair[1], "one\nrest", 8) == 0);
    check(weir_read_line(pair[0], &data, &length, 100) == 1 && length == 3 && memcmp(data, "one", 3) == 0);
    check(weir_receive(pair[0], &data) == 4 && memcmp(data, "rest", 4) == 0);
    check(weir_send_all(pair[1], "two\nthree\n", 10) == 0);
    check(weir_read_line(pair[0], &data, &length, 100) == 1 && memcmp(data, "two", 3) == 0);
    check(weir_read_line(pair[0], &data, &length, 100) == 1 && memcmp(data, "three", 5) == 0);
    weir_close(pair[1]);
    check(weir_receive(pair[0], &data) == 0);
    weir_close(pair[0]);
}

/* A view that is held when its connection is closed goes back with it. */
static void closed_with_a_view(void)
{
    for (int i = 0; i < 500; i++) {
        weir_conn *pair[2];
        char *data;
        check(weir_pair(SOCK_STREAM, pair) == 0);
        check(weir_send_all(pair[1], "x", 1) == 0);
        check(weir_receive(pair[0], &data) == 1);
        close_pair(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(two_views_in_one_hand), EVERYWHERE(more_views_than_buffers), IN_FIBERS(a_proxy_for_many),
        EVERYWHERE(between_lines),         EVERYWHERE(closed_with_a_view),
    };
    return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
