/* A connection's end and what it is given up for: lingering, giving the descriptor back; and the options of its socket. */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <weir/fiber.h>

#include "sockets.h"

/* A connection of the library's over TCP, and a plain socket at the other end. */
static weir_conn *tcp_pair(int *peer)
{
    int listener = plain_listening("127.0.0.1:0", 1);
    weir_conn *conn = weir_connect(text("tcp://127.0.0.1:%u", port_of(listener)), NULL);
    check(conn);
    check((*peer = accept(listener, NULL, NULL)) >= 0);
    close(listener);
    return conn;
}

/* Sends until neither buffer takes more. Returns how much went. */
static size_t fill(weir_conn *conn)
{
    static const char zeros[65536];
    size_t sent = 0;
    for (int full = 0; full < 5; weir_sleep(WEIR_MS(1))) {
        ssize_t more = weir_send_flags(conn, zeros, sizeof zeros, MSG_DONTWAIT);
        full = more < 0 ? full + 1 : 0;
        sent += more < 0 ? 0 : (size_t)more;
    }
    return sent;
}

/* --- lingering --- */

struct reader {
    int fd;
    size_t received;
    bool ended;
};

static void *read_all(void *arg)
{
    struct reader *reader = arg;
    static char data[65536];
    ssize_t got;
    weir_sleep(WEIR_MS(20));
    while ((got = recv(reader->fd, data, sizeof data, 0)) > 0)
        reader->received += (size_t)got;
    reader->ended = got == 0;
    return NULL;
}

static void a_close_that_lingers_waits_until_all_was_taken(void)
{
    struct reader reader = {0};
    weir_conn *conn = tcp_pair(&reader.fd);
    size_t sent = fill(conn);
    pthread_t thread = beside(read_all, &reader);
    weir_set_linger(conn, WEIR_S(20));
    check(weir_close(conn) == 0);
    join_beside(thread);
    check(reader.received == sent && reader.ended);
    close(reader.fd);
}

static void it_lingers_as_long_as_it_was_told(void)
{
    int peer;
    weir_conn *conn = tcp_pair(&peer);
    fill(conn);
    weir_set_linger(conn, WEIR_MS(20));
    int descriptors = open_descriptors();
    check(weir_close(conn) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(open_descriptors() == descriptors - 1);
    close(peer);
}

static void nothing_left_is_no_reason_to_linger(void)
{
    int peer;
    char byte;
    weir_conn *conn = tcp_pair(&peer);
    check(weir_send_all(conn, "x", 1) == 0);
    check(recv(peer, &byte, 1, 0) == 1);
    weir_set_linger(conn, WEIR_S(1000));
    check(weir_close(conn) == 0);
    check(recv(peer, &byte, 1, 0) == 0);
    close(peer);
}

static void *reset_soon(void *peer)
{
    struct linger now = {.l_onoff = 1};
    weir_sleep(WEIR_MS(20));
    check(setsockopt(*(int *)peer, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(*(int *)peer);
    return NULL;
}

/* Nobody will take it any more: it does not wait for the rest of its time. */
static void a_reset_ends_the_lingering(void)
{
    int peer;
    weir_conn *conn = tcp_pair(&peer);
    fill(conn);
    pthread_t thread = beside(reset_soon, &peer);
    weir_set_linger(conn, WEIR_S(1000));
    check(weir_close(conn) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    join_beside(thread);
}

static int close_lingering(void *conn)
{
    return weir_close(conn) < 0 ? errno : 0;
}

static void a_cancelled_fiber_lingers_no_more(void)
{
    int peer, result;
    weir_conn *conn = tcp_pair(&peer);
    fill(conn);
    weir_set_linger(conn, WEIR_S(1000));
    weir_fiber *fiber = weir_spawn(close_lingering, conn, NULL);
    check(fiber);
    weir_sleep(WEIR_MS(5));
    weir_cancel_fiber(fiber);
    check(weir_join(fiber, &result, SOON) == 0 && result == ECANCELED);
    close(peer);
}

/* The peer has ended its side and gone. That is no end of ours: it takes nothing more. */
static void a_flush_tells_that_nobody_takes_it(void)
{
    int peer;
    char byte;
    weir_conn *conn = tcp_pair(&peer);
    close(peer);
    check(weir_recv(conn, &byte, 1) == 0);
    check(weir_send_all(conn, "x", 1) == 0);
    for (int again = 0; again < 2; again++) { /* the socket tells of it once */
        check(weir_flush(conn, WEIR_S(20)) == -1);
        check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    }
    check(weir_recv(conn, &byte, 1) == 0);
    weir_close(conn);
}

/* Its system had acknowledged what it has never read. */
static void a_flush_tells_of_what_was_not_read(void)
{
    int peer, pair[2];
    weir_conn *conn = tcp_pair(&peer);
    check(weir_send_all(conn, "x", 1) == 0);
    check(shutdown(peer, SHUT_WR) == 0);
    close(peer);
    check(weir_flush(conn, WEIR_S(20)) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    weir_close(conn);
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    check((conn = weir_adopt(pair[0])));
    check(weir_send_all(conn, "x", 1) == 0);
    close(pair[1]);
    check(weir_flush(conn, WEIR_S(20)) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    weir_close(conn);
}

/* The socket tells of it once, and is not to look ended to who reads. */
static void a_flush_leaves_the_reset_to_the_reader(void)
{
    int peer;
    char byte;
    weir_conn *conn = tcp_pair(&peer);
    struct pollfd there = {peer, POLLIN, 0}, here = {weir_fd(conn), 0, 0};
    const char *whose = text("flush tcp://127.0.0.1:%u: ", port_of(peer));
    check(weir_send_all(conn, "x", 1) == 0);
    check(poll(&there, 1, 20000) == 1);
    close(peer);
    check(poll(&here, 1, 20000) == 1);
    check(weir_flush(conn, WEIR_S(20)) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check(strncmp(weir_error()->sentence, whose, strlen(whose)) == 0);
    check(weir_recv(conn, &byte, 1) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    weir_close(conn);
}

static void *abort_later(void *conn)
{
    usleep(20000);
    weir_abort(conn);
    return NULL;
}

static void an_abort_ends_a_flush(void)
{
    int pair[2];
    weir_conn *conn;
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    check((conn = weir_adopt(pair[0])));
    check(weir_send_all(conn, "x", 1) == 0);
    pthread_t thread = beside(abort_later, conn);
    check(weir_flush(conn, WEIR_S(20)) == -1);
    check_error(ECONNABORTED, WEIR_ERROR_CLOSED);
    join_beside(thread);
    weir_close(conn);
    close(pair[1]);
}

static void a_flush_waits_and_leaves_the_other_direction(void)
{
    struct reader reader = {0};
    weir_conn *conn = tcp_pair(&reader.fd);
    size_t sent = fill(conn);
    char byte;
    check(weir_flush(conn, WEIR_MS(20)) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    pthread_t thread = beside(read_all, &reader);
    check(weir_flush(conn, WEIR_S(20)) == 0);
    join_beside(thread);
    check(reader.received == sent && reader.ended);
    check(send(reader.fd, "y", 1, 0) == 1);
    check(weir_recv(conn, &byte, 1) == 1 && byte == 'y');
    close(reader.fd);
    check(weir_flush(conn, WEIR_S(20)) == 0);
    check(weir_recv(conn, &byte, 1) == 0);
    check(weir_flush(conn, WEIR_S(20)) == 0);
    weir_close(conn);
}

/* --- giving the descriptor back --- */

static bool is_blocking(int fd)
{
    return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void check_plain_pair(int fd, int peer)
{
    char word[8];
    check(is_blocking(fd));
    check(send(fd, "there", 5, 0) == 5 && recv(peer, word, sizeof word, 0) == 5);
    check(send(peer, "back", 4, 0) == 4 && recv(fd, word, sizeof word, 0) == 4);
}

/* After it was used, and waited for, as others go on using the socket. */
static void the_descriptor_is_given_back(void)
{
    int peer;
    char byte;
    weir_conn *conn = tcp_pair(&peer);
    int number = weir_fd(conn);
    weir_set_deadline(conn, WEIR_READ, weir_deadline(WEIR_MS(1)));
    check(weir_recv(conn, &byte, 1) < 0 && errno == ETIMEDOUT);
    int fd = weir_yield_fd(conn);
    check(fd == number);
    check_plain_pair(fd, peer);
    weir_conn *again = weir_adopt(fd);
    check(again && weir_send_all(again, "x", 1) == 0 && recv(peer, &byte, 1, 0) == 1);
    weir_close(again);
    close(peer);
}

static void not_while_something_was_read_ahead(void)
{
    int peer;
    char *line;
    weir_conn *conn = tcp_pair(&peer);
    check(send(peer, "one\ntwo\n", 8, 0) == 8);
    check(weir_read_line(conn, &line, NULL, 100) == 1);
    check(weir_yield_fd(conn) == -1);
    check_error(EBUSY, WEIR_ERROR_BUSY);
    check(weir_read_line(conn, &line, NULL, 100) == 1);
    check_text(line, "two");
    int fd = weir_yield_fd(conn);
    check(fd >= 0);
    check_plain_pair(fd, peer);
    close(fd);
    close(peer);
}

struct handover {
    weir_conn *conn;
    int fd;
};

static void *give_back(void *arg)
{
    struct handover *handover = arg;
    handover->fd = weir_yield_fd(handover->conn);
    return NULL;
}

/* By another thread than that of the loop where it has been waited for. */
static void another_thread_gives_it_back(void)
{
    int peer;
    char byte;
    struct handover handover = {.conn = tcp_pair(&peer)};
    weir_set_deadline(handover.conn, WEIR_READ, weir_deadline(WEIR_MS(1)));
    check(weir_recv(handover.conn, &byte, 1) < 0 && errno == ETIMEDOUT);
    join_beside(beside(give_back, &handover));
    check_plain_pair(handover.fd, peer);
    close(handover.fd);
    close(peer);
}

/* --- options --- */

static int option(weir_conn *conn, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    check(getsockopt(weir_fd(conn), level, name, &value, &length) == 0);
    return value;
}

static void options_are_the_sockets(void)
{
    int peer;
    weir_conn *conn = tcp_pair(&peer);
    for (int on = 1; on >= 0; on--) {
        check(weir_set_nodelay(conn, on) == 0 && option(conn, IPPROTO_TCP, TCP_NODELAY) == on);
        check(weir_set_keepalive(conn, on) == 0 && option(conn, SOL_SOCKET, SO_KEEPALIVE) == on);
    }
    check(weir_set_buffers(conn, 20000, 30000) == 0);
    check(option(conn, SOL_SOCKET, SO_RCVBUF) == 2 * 20000); /* Linux doubles it */
    check(option(conn, SOL_SOCKET, SO_SNDBUF) == 2 * 30000);
    check(weir_set_buffers(conn, 0, 40000) == 0);
    check(option(conn, SOL_SOCKET, SO_RCVBUF) == 2 * 20000);
    check(option(conn, SOL_SOCKET, SO_SNDBUF) == 2 * 40000);
    weir_close(conn);
    close(peer);
}

static void what_a_socket_cannot_is_told(void)
{
    weir_conn *pair[2];
    check(weir_pair(SOCK_STREAM, pair) == 0);
    check(weir_set_nodelay(pair[0], true) == -1);
    check_error(EOPNOTSUPP, WEIR_ERROR_SYSTEM);
    weir_close(pair[0]);
    weir_close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_close_that_lingers_waits_until_all_was_taken),
        EVERYWHERE(it_lingers_as_long_as_it_was_told),
        EVERYWHERE(nothing_left_is_no_reason_to_linger),
        EVERYWHERE(a_reset_ends_the_lingering),
        IN_FIBERS(a_cancelled_fiber_lingers_no_more),
        EVERYWHERE(a_flush_tells_that_nobody_takes_it),
        EVERYWHERE(a_flush_tells_of_what_was_not_read),
        EVERYWHERE(a_flush_leaves_the_reset_to_the_reader),
        EVERYWHERE(an_abort_ends_a_flush),
        EVERYWHERE(a_flush_waits_and_leaves_the_other_direction),
        EVERYWHERE(the_descriptor_is_given_back),
        EVERYWHERE(not_while_something_was_read_ahead),
        EVERYWHERE(another_thread_gives_it_back),
        EVERYWHERE(options_are_the_sockets),
        EVERYWHERE(what_a_socket_cannot_is_told),
    };
    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
