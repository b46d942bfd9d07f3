/* Copying between connections and files, pipes and what is neither: all of it, once, and whose fault it was. */
#include "sockets.h"

#include <fcntl.h>
#include <sys/ioctl.h>

enum { SIZE = 3000000 };

static char *pattern;

static int make_pattern(void **state)
{
    (void)state;
    pattern = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        pattern[i] = (char)(i * 13 + i / 257);
    return 0;
}

static int free_pattern(void **state)
{
    (void)state;
    free(pattern);
    return 0;
}

static weir_conn *connection(int *peer)
{
    int listener = plain_listening("127.0.0.1:0", 1);
    *peer = plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_of(listener)));
    weir_conn *conn = weir_adopt(accept(listener, NULL, NULL));
    check(conn);
    close(listener);
    return conn;
}

/* A file without a name; its descriptor is the caller's. */
static weir_file *nameless_file(int *fd)
{
    char path[] = "/tmp/weir-test-copy-file-XXXXXX";
    *fd = mkstemp(path);
    unlink(path);
    weir_file *file = weir_file_adopt(*fd, false);
    check(*fd >= 0 && file);
    return file;
}

/* --- the other side, in a thread --- */

struct other_end {
    int fd;
    size_t size; /* at most to be read, or to be written */
    char *data;
    size_t length;
    pthread_t thread;
};

static void *read_to_end(void *arg)
{
    struct other_end *own = arg;
    ssize_t length;
    while (own->length < own->size && (length = read(own->fd, own->data + own->length, own->size - own->length)) > 0)
        own->length += (size_t)length;
    return NULL;
}

static void *write_all(void *arg)
{
    struct other_end *own = arg;
    while (own->length < own->size) {
        size_t piece = own->size - own->length < 70001 ? own->size - own->length : 70001;
        ssize_t length = write(own->fd, pattern + own->length, piece);
        check(length > 0);
        own->length += (size_t)length;
    }
    close(own->fd);
    return NULL;
}

static void begin_reading(struct other_end *end, int fd)
{
    *end = (struct other_end){.fd = fd, .size = SIZE + 1, .data = malloc(SIZE + 1)};
    end->thread = beside(read_to_end, end);
}

static void check_whole(struct other_end *end)
{
    join_beside(end->thread);
    check(end->length == SIZE && memcmp(end->data, pattern, SIZE) == 0);
    free(end->data);
}

static void begin_writing(struct other_end *end, int fd, size_t size)
{
    *end = (struct other_end){.fd = fd, .size = size};
    end->thread = beside(write_all, end);
}

static uint64_t received_on(weir_conn *conn)
{
    uint64_t received, sent;
    weir_conn_bytes(conn, &received, &sent);
    return received;
}

static uint64_t sent_on(weir_conn *conn)
{
    uint64_t received, sent;
    weir_conn_bytes(conn, &received, &sent);
    return sent;
}

/* --- all of it --- */

static void to_a_pipe(void)
{
    int peer, pair[2];
    weir_conn *conn = connection(&peer);
    check(pipe2(pair, O_CLOEXEC) == 0);
    weir_file *file = weir_file_adopt(pair[1], true);
    struct other_end reader, writer;
    begin_reading(&reader, pair[0]);
    begin_writing(&writer, peer, SIZE);
    check(weir_copy_to_file(conn, file, UINT64_MAX, WEIR_FOREVER) == SIZE);
    check(weir_at_end(conn) && received_on(conn) == SIZE);
    check(weir_copy_to_file(conn, file, UINT64_MAX, WEIR_FOREVER) == 0); /* at the end it stays */
    join_beside(writer.thread);
    weir_file_close(file);
    check_whole(&reader);
    close(pair[0]);
    weir_close(conn);
}

static void from_a_pipe(void)
{
    int peer, pair[2];
    weir_conn *conn = connection(&peer);
    check(pipe2(pair, O_CLOEXEC) == 0);
    weir_file *file = weir_file_adopt(pair[0], true);
    struct other_end reader, writer;
    begin_reading(&reader, peer);
    begin_writing(&writer, pair[1], SIZE);
    check(weir_copy_from_file(conn, file, UINT64_MAX, WEIR_FOREVER) == SIZE);
    check(sent_on(conn) == SIZE);
    join_beside(writer.thread);
    weir_file_close(file);
    weir_close(conn);
    check_whole(&reader);
    close(peer);
}

static void to_a_regular_file(void)
{
    int peer, fd;
    weir_conn *conn = connection(&peer);
    weir_file *file = nameless_file(&fd);
    struct other_end writer;
    begin_writing(&writer, peer, SIZE);
    check(weir_copy_to_file(conn, file, 1000, WEIR_FOREVER) == 1000);
    check(weir_copy_to_file(conn, file, UINT64_MAX, WEIR_FOREVER) == SIZE - 1000);
    join_beside(writer.thread);
    char *data = malloc(SIZE + 1);
    check(pread(fd, data, SIZE + 1, 0) == SIZE && memcmp(data, pattern, SIZE) == 0);
    free(data);
    weir_file_close(file);
    close(fd);
    weir_close(conn);
}

static void from_a_regular_file(void)
{
    int peer, fd;
    weir_conn *conn = connection(&peer);
    weir_file *file = nameless_file(&fd);
    check(write(fd, pattern, SIZE) == SIZE);
    check(lseek(fd, 0, SEEK_SET) == 0);
    struct other_end reader;
    begin_reading(&reader, peer);
    check(weir_copy_from_file(conn, file, 1000, WEIR_FOREVER) == 1000);
    check(lseek(fd, 0, SEEK_CUR) == 1000); /* its position moves on */
    check(weir_copy_from_file(conn, file, UINT64_MAX, WEIR_FOREVER) == SIZE - 1000);
    check(weir_copy_from_file(conn, file, UINT64_MAX, WEIR_FOREVER) == 0);
    weir_file_close(file);
    close(fd);
    weir_close(conn);
    check_whole(&reader);
    close(peer);
}

static void all_four_ways(void)
{
    to_a_pipe();
    from_a_pipe();
    to_a_regular_file();
    from_a_regular_file();
}

static ssize_t no_splice(int from, int to, size_t count, unsigned flags)
{
    (void)from, (void)to, (void)count, (void)flags;
    errno = EINVAL;
    return -1;
}

static ssize_t no_sendfile(int socket, int file, off_t *offset, size_t count)
{
    (void)socket, (void)file, (void)offset, (void)count;
    errno = EINVAL;
    return -1;
}

static void what_the_kernel_cannot_move_is_copied(void)
{
    replace_system()->splice = no_splice;
    test_system.sendfile = no_sendfile;
    all_four_ways();
    restore_system();
}

static ssize_t undecided_splice(int from, int to, size_t count, unsigned flags)
{
    (void)from, (void)to, (void)count, (void)flags;
    errno = EAGAIN;
    return -1;
}

static void a_splice_that_never_goes_on_is_given_up(void)
{
    replace_system()->splice = undecided_splice;
    to_a_pipe();
    from_a_pipe();
    restore_system();
}

/* --- parts --- */

static void what_was_read_ahead_goes_first(void)
{
    int peer, pair[2];
    weir_conn *conn = connection(&peer);
    check(pipe2(pair, O_CLOEXEC) == 0);
    weir_file *file = weir_file_adopt(pair[1], true);
    char *line, buffer[20];
    size_t length;
    check(send(peer, "header\nbody", 11, 0) == 11);
    check(weir_read_line(conn, &line, &length, 100) == 1);
    check(send(peer, " and more", 9, 0) == 9);
    shutdown(peer, SHUT_WR);
    check(weir_copy_to_file(conn, file, 6, WEIR_FOREVER) == 6);
    check(weir_copy_to_file(conn, file, UINT64_MAX, WEIR_FOREVER) == 7);
    check(read(pair[0], buffer, sizeof buffer) == 13 && memcmp(buffer, "body and more", 13) == 0);
    weir_file_close(file);
    close(pair[0]);
    close(peer);
    weir_close(conn);
}

static void no_more_than_was_asked_for_is_taken(void)
{
    int peer, pair[2];
    weir_conn *conn = connection(&peer);
    check(pipe2(pair, O_CLOEXEC) == 0);
    weir_file *file = weir_file_adopt(pair[1], true);
    char buffer[10];
    check(send(peer, "123456", 6, 0) == 6);
    check(weir_copy_to_file(conn, file, 0, WEIR_FOREVER) == 0);
    check(weir_copy_to_file(conn, file, 4, WEIR_FOREVER) == 4);
    check(weir_recv(conn, buffer, 10) == 2 && memcmp(buffer, "56", 2) == 0);
    weir_file_close(file);
    close(pair[0]);
    close(peer);
    weir_close(conn);
}

/* --- ends and errors --- */

static void a_reader_that_went_is_the_files_error(void)
{
    for (int copying = 0; copying < 2; copying++) {
        int peer, pair[2];
        weir_conn *conn = connection(&peer);
        if (copying)
            replace_system()->splice = no_splice;
        check(pipe2(pair, O_CLOEXEC) == 0);
        weir_file *file = weir_file_adopt(pair[1], true);
        close(pair[0]);
        check(send(peer, "question", 8, 0) == 8);
        check(weir_copy_to_file(conn, file, UINT64_MAX, WEIR_FOREVER) == -1);
        check(errno == EPIPE);
        check_text(weir_error()->step, "write");
        check(strncmp(weir_error()->subject, "descriptor", 10) == 0 && weir_error()->transferred == 0);
        char buffer[10];
        check(weir_recv(conn, buffer, 10) == 8); /* what was not written is not lost */
        restore_system();
        weir_file_close(file);
        close(peer);
        weir_close(conn);
    }
}

static void a_peer_that_went_is_the_connections_error(void)
{
    int peer, pair[2];
    weir_conn *conn = connection(&peer);
    check(pipe2(pair, O_CLOEXEC) == 0);
    weir_file *to = weir_file_adopt(pair[1], true), *from = weir_file_adopt(pair[0], true);
    struct linger none = {.l_onoff = 1};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(peer);
    check(weir_copy_to_file(conn, to, UINT64_MAX, WEIR_FOREVER) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check_text(weir_error()->step, "recv");
    check(write(pair[1], "x", 1) == 1);
    check(weir_copy_from_file(conn, from, UINT64_MAX, WEIR_FOREVER) == -1);
    check_error(EPIPE, WEIR_ERROR_CLOSED);
    check_text(weir_error()->step, "send");
    weir_file_close(to);
    weir_file_close(from);
    weir_close(conn);
}

/* A pipe may not be enlarged. */
static int fcntl_of_small_pipes(int fd, int command, int argument)
{
    if (command != F_SETPIPE_SZ)
        return fcntl(fd, command, argument);
    errno = EPERM;
    return -1;
}

static void a_deadline_ends_it_whichever_side_it_waits_for(void)
{
    int peer, pair[2];
    weir_conn *conn = connection(&peer);
    check(pipe2(pair, O_CLOEXEC) == 0);
    weir_file *to = weir_file_adopt(pair[1], true), *from = weir_file_adopt(pair[0], true);
    replace_system()->fcntl = fcntl_of_small_pipes;
    check(weir_copy_to_file(conn, to, UINT64_MAX, weir_deadline(WEIR_MS(20))) == -1); /* nothing comes */
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check_text(weir_error()->step, "recv");
    check(weir_copy_from_file(conn, from, UINT64_MAX, weir_deadline(WEIR_MS(20))) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check_text(weir_error()->step, "read");
    struct other_end writer;
    begin_writing(&writer, peer, SIZE); /* more than the pipe takes */
    check(weir_copy_to_file(conn, to, UINT64_MAX, weir_deadline(WEIR_MS(300))) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check_text(weir_error()->step, "write");
    uint64_t went = weir_error()->transferred;
    check(went > 0 && went == received_on(conn));
    weir_set_timeout(conn, WEIR_FOREVER); /* a deadline of the call is the call's alone */
    char *rest = malloc(SIZE);
    check(weir_read_exactly(conn, rest, SIZE - went) == 0 && memcmp(rest, pattern + went, SIZE - went) == 0);
    free(rest);
    restore_system();
    join_beside(writer.thread);
    weir_file_close(to);
    weir_file_close(from);
    weir_close(conn);
}

static void what_need_not_be_waited_for_goes_at_once(void)
{
    int peer, pair[2];
    weir_conn *conn = connection(&peer);
    check(pipe2(pair, O_CLOEXEC) == 0);
    weir_file *to = weir_file_adopt(pair[1], true);
    check(send(peer, "hello", 5, 0) == 5);
    char byte;
    check(weir_recv_flags(conn, &byte, 1, MSG_PEEK) == 1); /* it is there */
    check(weir_copy_to_file(conn, to, UINT64_MAX, WEIR_NOW) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(weir_error()->transferred == 5);
    weir_file_close(to);
    close(pair[0]);
    close(peer);
    weir_close(conn);
}

struct cancelled {
    weir_conn *conn;
    weir_file *file;
};

static void *cancel_later(void *arg)
{
    struct cancelled *cancelled = arg;
    usleep(20000);
    if (cancelled->conn)
        weir_cancel(cancelled->conn);
    else
        weir_file_cancel(cancelled->file);
    return NULL;
}

/* Though it waits for the connection alone. */
static void either_side_can_be_cancelled(void)
{
    for (int side = 0; side < 2; side++) {
        int peer, pair[2];
        weir_conn *conn = connection(&peer);
        check(pipe2(pair, O_CLOEXEC) == 0);
        weir_file *to = weir_file_adopt(pair[1], true);
        struct cancelled cancelled = {side ? conn : NULL, to};
        pthread_t other = beside(cancel_later, &cancelled);
        check(weir_copy_to_file(conn, to, UINT64_MAX, WEIR_FOREVER) == -1);
        check_error(ECANCELED, WEIR_ERROR_CANCELLED);
        check_text(weir_error()->step, side ? "recv" : "write");
        join_beside(other);
        weir_file_close(to);
        close(pair[0]);
        close(peer);
        weir_close(conn);
    }
}

struct late {
    weir_file *file;
    int peer, pipe, queued;
};

/* Cancels the file once what was in the pipe has been read, and then makes room where it is to go. */
static void *cancel_then_read(void *arg)
{
    struct late *late = arg;
    char got[16];
    for (int left = 1; left > 0; usleep(1000))
        check(ioctl(late->pipe, FIONREAD, &left) == 0);
    usleep(20000);
    weir_file_cancel(late->file);
    usleep(20000);
    while (late->queued-- > 0)
        check(recv(late->peer, got, sizeof got, 0) == 4);
    return NULL;
}

/* What was read of a file can be read by nobody else. */
static void a_cancelled_file_loses_nothing(void)
{
    weir_conn *ends[2];
    int pair[2], sent = 0;
    char got[16];
    check(weir_pair(SOCK_DGRAM, ends) == 0 && pipe2(pair, O_CLOEXEC) == 0);
    while (weir_send_flags(ends[0], "full", 4, MSG_DONTWAIT) == 4)
        sent++;
    check_error(EAGAIN, WEIR_ERROR_SYSTEM);
    check(write(pair[1], "hello", 5) == 5);
    struct late late = {weir_file_adopt(pair[0], true), weir_fd(ends[1]), pair[0], sent};
    pthread_t other = beside(cancel_then_read, &late);
    check(weir_copy_from_file(ends[0], late.file, UINT64_MAX, WEIR_FOREVER) == -1);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    check_text(weir_error()->step, "read");
    check(weir_error()->transferred == 5);
    join_beside(other);
    check(weir_recv(ends[1], got, sizeof got) == 5 && memcmp(got, "hello", 5) == 0);
    weir_file_close(late.file);
    close(pair[1]);
    weir_close(ends[0]);
    weir_close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(all_four_ways),
        EVERYWHERE(what_the_kernel_cannot_move_is_copied),
        EVERYWHERE(a_splice_that_never_goes_on_is_given_up),
        EVERYWHERE(what_was_read_ahead_goes_first),
        EVERYWHERE(no_more_than_was_asked_for_is_taken),
        EVERYWHERE(a_reader_that_went_is_the_files_error),
        EVERYWHERE(a_peer_that_went_is_the_connections_error),
        EVERYWHERE(a_deadline_ends_it_whichever_side_it_waits_for),
        EVERYWHERE(what_need_not_be_waited_for_goes_at_once),
        EVERYWHERE(either_side_can_be_cancelled),
        EVERYWHERE(a_cancelled_file_loses_nothing),
    };
    return cmocka_run_group_tests_name("copy_file", tests, make_pattern, free_pattern);
}
