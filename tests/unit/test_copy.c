/* Copying: files into connections, and connections into each other, each direction to its own end. */
#include "sockets.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>

enum { FILE_SIZE = 3000000 };

static char *pattern;
static int file;

static int make_file(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-test-copy-XXXXXX";
    pattern = malloc(FILE_SIZE);
    for (size_t i = 0; i < FILE_SIZE; i++)
        pattern[i] = (char)(i * 13 + i / 257);
    file = mkstemp(path);
    unlink(path);
    return file < 0 || write(file, pattern, FILE_SIZE) != FILE_SIZE;
}

static int free_file(void **state)
{
    (void)state;
    free(pattern);
    return close(file);
}

/* A connection over TCP, as sendfile and half-closes are about, and the plain socket at its other end. */
static weir_conn *connection(int *peer)
{
    int listener = plain_listening("127.0.0.1:0", 1);
    *peer = plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_of(listener)));
    weir_conn *conn = weir_adopt(accept(listener, NULL, NULL));
    check(conn);
    close(listener);
    return conn;
}

/* --- sendfile --- */

static struct reader {
    int fd;
    char *data;
    size_t length;
    pthread_t thread;
} reader;

static void *read_all(void *arg)
{
    struct reader *own = arg;
    ssize_t length;
    while ((length = recv(own->fd, own->data + own->length, FILE_SIZE + 1 - own->length, 0)) > 0)
        own->length += (size_t)length;
    return NULL;
}

static void start_reader(int fd)
{
    reader = (struct reader){.fd = fd, .data = malloc(FILE_SIZE + 1)};
    reader.thread = beside(read_all, &reader);
}

static void check_read(size_t begin, size_t length)
{
    join_beside(reader.thread);
    check(reader.length == length);
    check(memcmp(reader.data, pattern + begin, length) == 0);
    free(reader.data);
    close(reader.fd);
}

static void send_parts(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    start_reader(peer);
    int64_t offset = 1000;
    check(weir_sendfile(conn, file, &offset, 0) == 0 && offset == 1000);
    check(weir_sendfile(conn, file, &offset, 5) == 5 && offset == 1005);
    check(weir_sendfile(conn, file, &offset, 2000000) == 2000000 && offset == 2001005);
    check(weir_sendfile(conn, file, &offset, UINT64_MAX) == FILE_SIZE - 2001005 && offset == FILE_SIZE);
    check(weir_sendfile(conn, file, &offset, 1) == 0);
    uint64_t received, sent;
    weir_conn_bytes(conn, &received, &sent);
    check(sent == FILE_SIZE - 1000);
    weir_close(conn);
    check_read(1000, FILE_SIZE - 1000);
}

static void a_file_is_sent_in_parts_or_whole(void)
{
    send_parts();
}

static ssize_t no_sendfile(int socket, int from, off_t *offset, size_t count)
{
    (void)socket, (void)from, (void)offset, (void)count;
    errno = EINVAL;
    return -1;
}

static void a_file_that_the_kernel_cannot_send_is_copied(void)
{
    replace_system()->sendfile = no_sendfile;
    send_parts();
    restore_system();
}

static atomic_int signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void a_peer_that_went_is_an_error_and_no_signal(void)
{
    struct sigaction counted = {.sa_handler = count_signal}, before;
    sigaction(SIGPIPE, &counted, &before);
    signals = 0;
    int peer;
    weir_conn *conn = connection(&peer);
    struct linger none = {.l_onoff = 1};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(peer);
    int64_t offset = 0, result;
    while ((result = weir_sendfile(conn, file, &offset, 100000)) > 0) {
    }
    check(result == -1);
    check(errno == ECONNRESET || errno == EPIPE);
    check(weir_error()->kind == WEIR_ERROR_CLOSED);
    check(weir_sendfile(conn, file, &offset, 100000) == -1 && errno == EPIPE);
    check_text(weir_error()->step, "sendfile");
    check(signals == 0);
    sigset_t pending;
    check(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    check(weir_sendfile(conn, -1, &offset, 100) == -1 && errno == EBADF);
    weir_close(conn);
    sigaction(SIGPIPE, &before, NULL);
}

static void a_peer_that_does_not_read_is_a_time_out(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    weir_set_buffers(conn, 0, 4096);
    weir_set_timeout(conn, WEIR_MS(20));
    int64_t offset = 0;
    while (weir_sendfile(conn, file, &offset, FILE_SIZE) > 0)
        offset = 0;
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(weir_error()->transferred == (uint64_t)offset);
    close(peer);
    weir_close(conn);
}

/* --- two connections --- */

struct joined {
    weir_conn *a, *b;
    int a_peer, b_peer;
    uint64_t bytes[2];
    int result, number;
};

static struct joined join(void)
{
    struct joined joined = {0};
    joined.a = connection(&joined.a_peer);
    joined.b = connection(&joined.b_peer);
    return joined;
}

static void unjoin(struct joined *joined)
{
    weir_close(joined->a);
    weir_close(joined->b);
    close(joined->a_peer);
    close(joined->b_peer);
}

static char buffer[64];

/* The whole of what comes until the end. */
static const char *read_to_end(int fd)
{
    size_t done = 0;
    ssize_t length;
    while ((length = recv(fd, buffer + done, sizeof buffer - 1 - done, 0)) > 0)
        done += (size_t)length;
    check(length == 0);
    buffer[done] = '\0';
    return buffer;
}

static void *ask_and_answer(void *arg)
{
    struct joined *joined = arg;
    check(send(joined->a_peer, "question", 8, 0) == 8);
    shutdown(joined->a_peer, SHUT_WR);
    check_text(read_to_end(joined->b_peer), "question"); /* the half-close has come through */
    usleep(20000);
    check(send(joined->b_peer, "a late answer", 13, 0) == 13);
    shutdown(joined->b_peer, SHUT_WR);
    check_text(read_to_end(joined->a_peer), "a late answer");
    return NULL;
}

static void each_direction_ends_by_itself(void)
{
    struct joined joined = join();
    pthread_t other = beside(ask_and_answer, &joined);
    check(weir_copy(joined.a, joined.b, joined.bytes) == 0);
    join_beside(other);
    check(joined.bytes[0] == 8 && joined.bytes[1] == 13);
    unjoin(&joined);

    joined = join();
    shutdown(joined.a_peer, SHUT_WR);
    shutdown(joined.b_peer, SHUT_WR);
    check(weir_copy(joined.a, joined.b, NULL) == 0);
    unjoin(&joined);
}

static void *send_much(void *arg)
{
    int fd = (int)(intptr_t)arg;
    for (size_t done = 0; done < FILE_SIZE;) {
        ssize_t length = send(fd, pattern + done, FILE_SIZE - done < 70001 ? FILE_SIZE - done : 70001, 0);
        check(length > 0);
        done += (size_t)length;
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

static void much_goes_both_ways_at_once(void)
{
    struct joined joined = join();
    struct reader readers[2] = {{.fd = joined.a_peer, .data = malloc(FILE_SIZE + 1)},
                                {.fd = joined.b_peer, .data = malloc(FILE_SIZE + 1)}};
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        threads[i] = beside(read_all, &readers[i]);
        threads[i + 2] = beside(send_much, (void *)(intptr_t)readers[i].fd);
    }
    check(weir_copy(joined.a, joined.b, joined.bytes) == 0);
    check(joined.bytes[0] == FILE_SIZE && joined.bytes[1] == FILE_SIZE);
    for (int i = 0; i < 4; i++)
        join_beside(threads[i]);
    for (int i = 0; i < 2; i++) {
        check(readers[i].length == FILE_SIZE && memcmp(readers[i].data, pattern, FILE_SIZE) == 0);
        free(readers[i].data);
    }
    unjoin(&joined);
}

static void one_side_cut_ends_both(void)
{
    struct joined joined = join();
    struct linger none = {.l_onoff = 1};
    check(send(joined.a_peer, "x", 1, 0) == 1);
    setsockopt(joined.b_peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(joined.b_peer);
    joined.b_peer = -1;
    check(weir_copy(joined.a, joined.b, joined.bytes) == -1);
    check(errno == ECONNRESET || errno == EPIPE);
    check(weir_error()->kind == WEIR_ERROR_CLOSED);
    check(weir_error()->transferred == joined.bytes[0] + joined.bytes[1]);
    check(recv(joined.a_peer, buffer, 1, 0) == -1 && errno == ECONNRESET); /* the other side is told */
    check(weir_send(joined.a, "y", 1) == -1 && errno == ECONNABORTED);
    unjoin(&joined);
}

static void *upload_until_cut(void *arg)
{
    struct joined *joined = arg;
    while (send(joined->a_peer, pattern, 70001, MSG_NOSIGNAL) > 0)
        ;
    return NULL;
}

static void *answer_and_go(void *arg)
{
    struct joined *joined = arg;
    check(recv(joined->b_peer, buffer, 1, 0) == 1);
    check(send(joined->b_peer, "too much", 8, 0) == 8);
    close(joined->b_peer); /* with something unread: a reset */
    joined->b_peer = -1;
    return NULL;
}

/* A server that refuses an upload says why and closes; what it said must not be lost with the upload. */
static void the_last_words_of_who_takes_no_more_are_delivered(void)
{
    struct joined joined = join();
    struct reader own = {.fd = joined.a_peer, .data = malloc(FILE_SIZE + 1)};
    pthread_t threads[] = {beside(upload_until_cut, &joined), beside(answer_and_go, &joined), beside(read_all, &own)};
    check(weir_copy(joined.a, joined.b, joined.bytes) == -1);
    check(errno == ECONNRESET || errno == EPIPE);
    check(joined.bytes[1] == 8);
    for (int i = 0; i < 3; i++)
        join_beside(threads[i]);
    check(own.length == 8 && memcmp(own.data, "too much", 8) == 0);
    free(own.data);
    unjoin(&joined);
}

enum { MUCH = 300000 };

struct last {
    struct joined *joined;
    struct reader reader;
};

static void *send_and_reset_and_read(void *arg)
{
    struct last *last = arg;
    struct joined *joined = last->joined;
    struct linger none = {.l_onoff = 1};
    check(send(joined->b_peer, pattern, MUCH, 0) == MUCH);
    for (int queued = 1; queued; usleep(1000))
        check(ioctl(joined->b_peer, TIOCOUTQ, &queued) == 0);
    setsockopt(joined->b_peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(joined->b_peer);
    joined->b_peer = -1;
    usleep(20000);
    return read_all(&last->reader);
}

/* More than fits on the way to a side that reads late: it is cut only when it has all of it. */
static void what_came_before_a_reset_is_delivered(void)
{
    struct joined joined = join();
    struct last last = {&joined, {.fd = joined.a_peer, .data = malloc(FILE_SIZE + 1)}};
    pthread_t thread = beside(send_and_reset_and_read, &last);
    check(weir_copy(joined.a, joined.b, joined.bytes) == -1);
    check(errno == ECONNRESET && weir_error()->kind == WEIR_ERROR_CLOSED);
    join_beside(thread);
    check(joined.bytes[1] == MUCH && last.reader.length == MUCH);
    check(memcmp(last.reader.data, pattern, MUCH) == 0);
    free(last.reader.data);
    unjoin(&joined);
}

static void *cancel_when_read(void *arg)
{
    struct joined *joined = arg;
    struct pollfd there = {joined->a_peer, POLLIN, 0};
    check(poll(&there, 1, 20000) == 1);
    usleep(20000);
    weir_cancel(joined->a);
    return NULL;
}

/* The one side was cut, and its last words wait for the other to read them. */
static void a_cancel_ends_the_wait_for_the_last_words(void)
{
    struct joined joined = {0};
    int a[2], b[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    check((joined.a = weir_adopt(a[0])) && (joined.b = weir_adopt(b[0])));
    joined.a_peer = a[1];
    joined.b_peer = -1;
    check(send(b[0], "unread", 6, 0) == 6);
    check(send(b[1], "last", 4, 0) == 4);
    close(b[1]);
    pthread_t thread = beside(cancel_when_read, &joined);
    check(weir_copy(joined.a, joined.b, joined.bytes) == -1);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    check(joined.bytes[1] == 4);
    join_beside(thread);
    unjoin(&joined);
}

static void a_time_limit_is_an_error_of_the_copy(void)
{
    struct joined joined = join();
    weir_set_timeout(joined.a, WEIR_MS(20));
    check(weir_copy(joined.a, joined.b, NULL) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(strstr(weir_error()->sentence, "recv tcp://127.0.0.1:") && strstr(weir_error()->sentence, "timed out"));
    unjoin(&joined);
}

static void *cancel_later(void *arg)
{
    struct joined *joined = arg;
    usleep(20000);
    weir_abort(joined->b);
    return NULL;
}

static void an_abort_from_elsewhere_ends_it(void)
{
    struct joined joined = join();
    pthread_t other = beside(cancel_later, &joined);
    check(weir_copy(joined.a, joined.b, NULL) == -1);
    check_error(ECONNABORTED, WEIR_ERROR_CLOSED);
    join_beside(other);
    unjoin(&joined);
}

static void what_was_read_ahead_is_copied_too(void)
{
    struct joined joined = join();
    char *line;
    size_t length;
    check(send(joined.a_peer, "header\nbody", 11, 0) == 11);
    check(weir_read_line(joined.a, &line, &length, 100) == 1);
    shutdown(joined.a_peer, SHUT_WR);
    shutdown(joined.b_peer, SHUT_WR);
    check(weir_copy(joined.a, joined.b, joined.bytes) == 0);
    check_text(read_to_end(joined.b_peer), "body");
    unjoin(&joined);
}

static void datagrams_keep_their_bounds(void)
{
    int a[2], b[2];
    check(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, a) == 0);
    check(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, b) == 0);
    weir_conn *from = weir_adopt(a[0]), *to = weir_adopt(b[0]);
    check(send(a[1], "one", 3, 0) == 3 && send(a[1], "", 0, 0) == 0 && send(a[1], "three", 5, 0) == 5);
    weir_set_timeout(from, WEIR_MS(30));
    check(weir_copy(from, to, NULL) == -1 && errno == ETIMEDOUT); /* datagrams have no end */
    check(recv(b[1], buffer, 10, 0) == 3 && recv(b[1], buffer, 10, 0) == 0 && recv(b[1], buffer, 10, 0) == 5);
    weir_close(from);
    weir_close(to);
    close(a[1]);
    close(b[1]);
}

/* --- fibers alone --- */

static int copy_and_be_cancelled(void *arg)
{
    struct joined *joined = arg;
    check(weir_copy(joined->a, joined->b, joined->bytes) == -1);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    return 7;
}

static void a_cancelled_fiber_stops_copying(void)
{
    for (int half = 0; half < 2; half++) {
        struct joined joined = join();
        if (half)
            shutdown(joined.a_peer, SHUT_WR); /* then it waits for the second fiber */
        weir_fiber *fiber = weir_spawn(copy_and_be_cancelled, &joined, NULL);
        weir_sleep(WEIR_MS(20));
        weir_cancel_fiber(fiber);
        int result;
        check(weir_join(fiber, &result, SOON) == 0);
        check(result == 7);
        unjoin(&joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_file_is_sent_in_parts_or_whole),
        EVERYWHERE(a_file_that_the_kernel_cannot_send_is_copied),
        EVERYWHERE(a_peer_that_went_is_an_error_and_no_signal),
        EVERYWHERE(a_peer_that_does_not_read_is_a_time_out),
        EVERYWHERE(each_direction_ends_by_itself),
        EVERYWHERE(much_goes_both_ways_at_once),
        EVERYWHERE(one_side_cut_ends_both),
        EVERYWHERE(the_last_words_of_who_takes_no_more_are_delivered),
        EVERYWHERE(what_came_before_a_reset_is_delivered),
        EVERYWHERE(a_cancel_ends_the_wait_for_the_last_words),
        EVERYWHERE(a_time_limit_is_an_error_of_the_copy),
        EVERYWHERE(an_abort_from_elsewhere_ends_it),
        EVERYWHERE(what_was_read_ahead_is_copied_too),
        EVERYWHERE(datagrams_keep_their_bounds),
        IN_FIBERS(a_cancelled_fiber_stops_copying),
    };
    return cmocka_run_group_tests_name("copy", tests, make_file, free_file);
}
