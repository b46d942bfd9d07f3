/* Buffered reading: lines, marks, exact sizes; that nothing is lost whatever goes wrong, and nothing held while idle. */
#include "sockets.h"

#include "net/conn.h"

/* A connection and the plain socket at its other end. */
static weir_conn *connection(int *peer)
{
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    *peer = pair[1];
    weir_conn *conn = weir_adopt(pair[0]);
    check(conn);
    return conn;
}

static void say(int peer, const char *bytes)
{
    check(send(peer, bytes, strlen(bytes), MSG_NOSIGNAL) == (ssize_t)strlen(bytes));
}

static void check_line(weir_conn *conn, const char *expected)
{
    char *line;
    size_t length;
    check(weir_read_line(conn, &line, &length, 100) == 1);
    check_text(line, expected);
    check(length == strlen(expected));
}

static void check_no_line(weir_conn *conn, size_t limit, int expected_errno)
{
    char *line;
    size_t length;
    check(weir_read_line(conn, &line, &length, limit) == -1);
    check(errno == expected_errno);
}

/* What is left is read by weir_recv, and then comes the end. */
static void check_rest(weir_conn *conn, const char *expected)
{
    char buffer[300];
    size_t done = 0;
    ssize_t length;
    while ((length = weir_recv(conn, buffer + done, sizeof buffer - 1 - done)) > 0)
        done += (size_t)length;
    check(length == 0);
    buffer[done] = '\0';
    check_text(buffer, expected);
    check(weir_at_end(conn));
}

static void lines_end_in_either_way(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    say(peer, "one\ntwo\r\n\n\r\nwith\rin\n\r\r\nlast");
    close(peer);
    check_line(conn, "one");
    check_line(conn, "two");
    check_line(conn, "");
    check_line(conn, "");
    check_line(conn, "with\rin");
    check_line(conn, "\r");
    check(!weir_at_end(conn));
    check_line(conn, "last");
    char *line;
    size_t length;
    check(weir_read_line(conn, &line, &length, 100) == 0);
    check(weir_at_end(conn));
    check(weir_read_line(conn, &line, &length, 100) == 0);
    weir_close(conn);
}

static void a_line_may_hold_nul(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    char *line;
    size_t length;
    check(send(peer, "a\0b\n", 4, 0) == 4);
    check(weir_read_line(conn, &line, &length, 100) == 1);
    check(length == 3 && memcmp(line, "a\0b", 4) == 0);
    close(peer);
    weir_close(conn);
}

static void *say_slowly(void *arg)
{
    int peer = (int)(intptr_t)arg;
    for (const char *byte = "slow line\r\nanother\n"; *byte; byte++) {
        check(send(peer, byte, 1, 0) == 1);
        usleep(500);
    }
    return NULL;
}

static void lines_come_byte_by_byte(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    pthread_t other = beside(say_slowly, (void *)(intptr_t)peer);
    check_line(conn, "slow line");
    check_line(conn, "another");
    join_beside(other);
    close(peer);
    weir_close(conn);
}

static void the_limit_is_exact(void)
{
    static const struct {
        const char *said;
        size_t limit;
        int result; /* 0: too long */
        const char *line;
    } cases[] = {
        {"12345\n", 5, 1, "12345"}, {"12345\r\n", 5, 1, "12345"},
        {"123456\n", 5, 0, NULL},   {"12345\rx\n", 5, 0, NULL},
        {"123456", 5, 0, NULL},     {"12345\r", 5, 0, NULL},
        {"12345", 5, 1, "12345"},   {"\n", 0, 1, ""},
        {"\r\n", 0, 1, ""},         {"x\n", 0, 0, NULL},
        {"1234\r", 5, 1, "1234\r"}, {"123456789\n", SIZE_MAX, 1, "123456789"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int peer;
        char *line;
        size_t length;
        weir_conn *conn = connection(&peer);
        say(peer, cases[i].said);
        close(peer);
        int result = weir_read_line(conn, &line, &length, cases[i].limit);
        if (cases[i].result) {
            check(result == 1);
            check_text(line, cases[i].line);
            check_rest(conn, "");
        } else {
            check(result == -1);
            check_error(EMSGSIZE, WEIR_ERROR_LIMIT);
            check_rest(conn, cases[i].said); /* nothing is lost */
        }
        weir_close(conn);
    }
}

static void a_line_too_long_is_told_before_it_ends(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    say(peer, "123456");
    check_no_line(conn, 5, EMSGSIZE);
    check(strstr(weir_error()->sentence, "more than 5 bytes without a newline"));
    say(peer, "7\nnext\n");
    check_line(conn, "1234567"); /* with a larger limit it is there */
    check_line(conn, "next");
    close(peer);
    weir_close(conn);
}

static void read_ahead_is_bounded_by_the_limit(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    static char much[60000];
    memset(much, 'x', sizeof much);
    check(send(peer, much, sizeof much, 0) == sizeof much);
    check_no_line(conn, 10000, EMSGSIZE);
    check(weir__lines_left(conn) <= 10002);
    close(peer);
    weir_close(conn);
}

static void nothing_is_lost_at_a_time_limit(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    char buffer[16] = "", *data;
    size_t length;
    weir_set_timeout(conn, WEIR_MS(10));
    say(peer, "half");
    check_no_line(conn, 100, ETIMEDOUT);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    say(peer, " a line\nex");
    check_line(conn, "half a line");
    check(weir_read_exactly(conn, buffer, 7) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    say(peer, "actly");
    check(weir_read_exactly(conn, buffer, 7) == 0);
    check_text(buffer, "exactly");
    say(peer, "up t");
    check(weir_read_until(conn, "!!", 2, &data, &length, 100) == -1);
    check(errno == ETIMEDOUT);
    say(peer, "o!");
    check(weir_read_until(conn, "!!", 2, &data, &length, 100) == -1);
    say(peer, "!rest");
    check(weir_read_until(conn, "!!", 2, &data, &length, 100) == 1);
    check_text(data, "up to!!");
    close(peer);
    check_rest(conn, "rest");
    weir_close(conn);
}

static void what_is_ahead_is_for_every_reading_call(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    char buffer[16] = "", *view;
    say(peer, "line\nABCDEFGHIJKLMNOPQR");
    check_line(conn, "line");
    check(weir_recv_flags(conn, buffer, 2, MSG_PEEK) == 2 && memcmp(buffer, "AB", 2) == 0);
    check(weir_recv(conn, buffer, 2) == 2 && memcmp(buffer, "AB", 2) == 0);
    check(weir_read_exactly(conn, buffer, 3) == 0 && memcmp(buffer, "CDE", 3) == 0);
    struct iovec vector[2] = {{buffer, 1}, {buffer + 8, 2}};
    check(weir_recv_vector(conn, vector, 2) == 3 && buffer[0] == 'F' && memcmp(buffer + 8, "GH", 2) == 0);
    say(peer, "ST");
    check(weir_recv_flags(conn, buffer, 12, MSG_WAITALL) == 12 && memcmp(buffer, "IJKLMNOPQRST", 12) == 0);
    say(peer, "x\nlent");
    check_line(conn, "x");
    check(weir_receive(conn, &view) == 4 && memcmp(view, "lent", 4) == 0);
    weir_release(conn);
    say(peer, "y\nleft");
    check_line(conn, "y");
    check(weir_yield_fd(conn) == -1);
    check_error(EBUSY, WEIR_ERROR_BUSY);
    close(peer);
    check_rest(conn, "left");
    weir_close(conn);
}

static void marks_are_found_wherever_they_begin(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    char *data;
    size_t length;
    say(peer, "head\r\n\r\nbody--e");
    check(weir_read_until(conn, "\r\n\r\n", 4, &data, &length, 100) == 1);
    check(length == 8);
    check_text(data, "head\r\n\r\n");
    check(weir_read_until(conn, "o", 1, &data, &length, 100) == 1); /* the NUL behind the head was not the body's */
    check_text(data, "bo");
    say(peer, "-end-");
    check(weir_read_until(conn, "--e-end-", 8, &data, &length, 2) == 1);
    check_text(data, "dy--e-end-");
    check(weir_read_until(conn, "", 0, &data, &length, 100) == -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    close(peer);
    check(weir_read_until(conn, "x", 1, &data, &length, 100) == 0);
    weir_close(conn);
}

static void marks_have_an_exact_limit(void)
{
    static const struct {
        const char *said;
        int found;
    } cases[] = {{"12345<>", 1}, {"123456<>", 0}, {"1234567", 0}, {"<>", 1}};
    for (size_t i = 0; i < 4; i++) {
        int peer;
        char *data;
        size_t length;
        weir_conn *conn = connection(&peer);
        say(peer, cases[i].said);
        int result = weir_read_until(conn, "<>", 2, &data, &length, 5);
        if (cases[i].found) {
            check(result == 1);
        } else {
            check(result == -1);
            check_error(EMSGSIZE, WEIR_ERROR_LIMIT);
        }
        close(peer);
        check_rest(conn, cases[i].found ? "" : cases[i].said);
        weir_close(conn);
    }
}

static void an_end_in_the_middle_is_told_and_loses_nothing(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    char *data, buffer[8];
    size_t length;
    say(peer, "part");
    close(peer);
    check(weir_read_until(conn, "!", 1, &data, &length, 100) == -1);
    check_error(ENODATA, WEIR_ERROR_CLOSED);
    check(weir_error_exit_status(weir_error()) == 4);
    check(weir_read_exactly(conn, buffer, 8) == -1);
    check_error(ENODATA, WEIR_ERROR_CLOSED);
    check(strstr(weir_error()->sentence, "the stream ended after 4 of 8 bytes"));
    check_rest(conn, "part");
    check(weir_read_exactly(conn, buffer, 1) == -1);
    check_error(ENODATA, WEIR_ERROR_CLOSED);
    check(weir_read_exactly(conn, buffer, 0) == 0);
    weir_close(conn);
}

static void nothing_is_held_while_nothing_is_ahead(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    say(peer, "line\n");
    check_line(conn, "line");
    check(conn->lines); /* the line itself */
    weir_set_timeout(conn, WEIR_MS(5));
    check_no_line(conn, 100, ETIMEDOUT);
    check(!conn->lines);
    say(peer, "again\n");
    check_line(conn, "again");
    char byte;
    check(weir_recv(conn, &byte, 1) == -1);
    check(!conn->lines);
    close(peer);
    weir_close(conn);
}

static void *talk_much(void *arg)
{
    int peer = (int)(intptr_t)arg;
    static char text_of_lines[300 * 300];
    size_t size = 0;
    for (int i = 0; i < 300; i++) {
        memset(text_of_lines + size, 'a' + i % 26, (size_t)i);
        size += (size_t)i;
        text_of_lines[size++] = '\n';
    }
    for (size_t done = 0, step = 1; done < size; done += step, step = step * 7 % 911 + 1) {
        if (step > size - done)
            step = size - done;
        check(send(peer, text_of_lines + done, step, 0) == (ssize_t)step);
    }
    close(peer);
    return NULL;
}

static void many_lines_come_in_all_sizes(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    pthread_t other = beside(talk_much, (void *)(intptr_t)peer);
    char *line;
    size_t length;
    for (size_t i = 0; i < 300; i++) {
        check(weir_read_line(conn, &line, &length, 299) == 1);
        check(length == i && strlen(line) == i);
        for (size_t j = 0; j < i; j++)
            check(line[j] == (char)('a' + i % 26));
    }
    check(weir_read_line(conn, &line, &length, 299) == 0);
    join_beside(other);
    weir_close(conn);
}

static void a_message_that_is_not_completed_has_a_time_limit(void)
{
    static const struct weir__conn_limits limits = {
        .idle = WEIR_FOREVER, .write = WEIR_FOREVER, .message = WEIR_MS(30)};
    int peer;
    weir_conn *conn = connection(&peer);
    weir__conn_set_limits(conn, &limits, WEIR_FOREVER);
    weir_set_timeout(conn, WEIR_MS(60));
    check_no_line(conn, 100, ETIMEDOUT); /* nothing has begun: the call's own limit */
    check(conn->failure == WEIR__FAILURE_DEADLINE);
    say(peer, "whole\nbeg");
    check_line(conn, "whole");
    check_no_line(conn, 100, ETIMEDOUT);
    check(conn->failure == WEIR__FAILURE_MESSAGE);
    check_text(weir_error()->reason, "the message was not completed in time");
    close(peer);
    weir_close(conn);
}

static ssize_t recv_reset(int fd, void *buffer, size_t size, int flags)
{
    (void)fd, (void)buffer, (void)size, (void)flags;
    errno = ECONNRESET;
    return -1;
}

static void a_reset_keeps_what_came_before(void)
{
    int peer;
    weir_conn *conn = connection(&peer);
    char buffer[8] = "";
    say(peer, "a\nb");
    check_line(conn, "a");
    replace_system()->recv = recv_reset;
    check_no_line(conn, 100, ECONNRESET);
    check(weir_error()->kind == WEIR_ERROR_CLOSED);
    check(weir_recv(conn, buffer, sizeof buffer) == 1 && buffer[0] == 'b');
    check(weir_recv(conn, buffer, sizeof buffer) == -1 && errno == ECONNRESET);
    restore_system();
    close(peer);
    weir_close(conn);
}

/* A part of what was wanted is told first; that it was not the end, after that. */
static void a_reset_after_a_part_is_told(void)
{
    weir_conn *pair[2];
    char buffer[8] = "";
    check(weir_pair(SOCK_STREAM, pair) == 0);
    check(weir_send_all(pair[0], "unread", 6) == 0 && weir_send_all(pair[1], "abc", 3) == 0);
    weir_close(pair[1]); /* with something unread: a reset */
    check(weir_recv_flags(pair[0], buffer, sizeof buffer, MSG_WAITALL) == 3 && memcmp(buffer, "abc", 3) == 0);
    check(weir_recv(pair[0], buffer, sizeof buffer) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check(weir_recv(pair[0], buffer, sizeof buffer) == -1 && errno == ECONNRESET); /* and stays so */
    weir_close(pair[0]);
}

static void *abort_later(void *conn)
{
    usleep(3000);
    weir_abort(conn);
    return NULL;
}

/* It shuts the socket down, but nobody is to take that for the end of the stream. */
static void an_abort_is_no_end(void)
{
    char *line, buffer[8];
    size_t length;
    for (int way = 0; way < 4; way++) {
        int peer;
        weir_conn *conn = connection(&peer);
        pthread_t other = beside(abort_later, conn);
        check(way != 0 || weir_read_line(conn, &line, &length, 100) == -1);
        check(way != 1 || weir_recv(conn, buffer, sizeof buffer) == -1);
        check(way != 2 || weir_receive(conn, &line) == -1);
        check(way != 3 || weir_read_exactly(conn, buffer, sizeof buffer) == -1);
        check_error(ECONNABORTED, WEIR_ERROR_CLOSED);
        check_text(weir_error()->reason, "the connection was aborted");
        join_beside(other);
        close(peer);
        weir_close(conn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(lines_end_in_either_way),
        EVERYWHERE(a_line_may_hold_nul),
        EVERYWHERE(lines_come_byte_by_byte),
        EVERYWHERE(the_limit_is_exact),
        EVERYWHERE(a_line_too_long_is_told_before_it_ends),
        EVERYWHERE(read_ahead_is_bounded_by_the_limit),
        EVERYWHERE(nothing_is_lost_at_a_time_limit),
        EVERYWHERE(what_is_ahead_is_for_every_reading_call),
        EVERYWHERE(marks_are_found_wherever_they_begin),
        EVERYWHERE(marks_have_an_exact_limit),
        EVERYWHERE(an_end_in_the_middle_is_told_and_loses_nothing),
        EVERYWHERE(nothing_is_held_while_nothing_is_ahead),
        EVERYWHERE(many_lines_come_in_all_sizes),
        EVERYWHERE(a_message_that_is_not_completed_has_a_time_limit),
        EVERYWHERE(a_reset_keeps_what_came_before),
        EVERYWHERE(a_reset_after_a_part_is_told),
        EVERYWHERE(an_abort_is_no_end),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
