/* A reset is told to everybody: the kernel tells it once, to whichever call comes first, and shows an end to all others. */
#include "live.h"

/* Sends until one meets the reset, which may be under way still. Returns its errno. */
static int meet_reset(weir_conn *conn)
{
    for (int tries = 0; tries < 20000; tries++) {
        if (weir_send(conn, "x", 1) < 0)
            return errno;
        weir_sleep(WEIR_MS(1));
    }
    return 0;
}

/* The writer meets the reset first. */
static void reset_pair(weir_conn *pair[2])
{
    tcp_pair(pair);
    check(weir_send_all(pair[0], "half a l", 8) == 0);
    drain(pair[1], 4);
    weir_abort(pair[0]);
    check(meet_reset(pair[1]) == ECONNRESET);
}

/* No end of a stream that was not ended, however the reader asks. */
static void a_reader_learns_of_the_reset_that_a_writer_met(void)
{
    weir_conn *pair[2];
    char bytes[16], *line;
    reset_pair(pair);
    ssize_t length;
    while ((length = weir_recv(pair[1], bytes, sizeof bytes)) > 0)
        ; /* the kernel may keep what came before it */
    check(length == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check(!weir_at_end(pair[1]));
    check(weir_receive(pair[1], &line) == -1 && errno == ECONNRESET);
    check(weir_recv_vector(pair[1], &(struct iovec){bytes, sizeof bytes}, 1) == -1 && errno == ECONNRESET);
    close_pair(pair);
}

static void a_reader_of_lines_learns_of_it_too(void)
{
    weir_conn *pair[2];
    char *line;
    size_t length;
    reset_pair(pair);
    check(weir_read_line(pair[1], &line, &length, 100) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    close_pair(pair);
}

/* An end that was read before is one, whatever comes after it. */
static void an_end_stays_an_end(void)
{
    weir_conn *pair[2];
    char byte;
    tcp_pair(pair);
    check(weir_shutdown(pair[0], SHUT_WR) == 0);
    check(weir_recv(pair[1], &byte, 1) == 0);
    weir_abort(pair[0]);
    check(meet_reset(pair[1]) != 0);
    check(weir_recv(pair[1], &byte, 1) == 0);
    check(weir_at_end(pair[1]));
    close_pair(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_reader_learns_of_the_reset_that_a_writer_met),
        EVERYWHERE(a_reader_of_lines_learns_of_it_too),
        EVERYWHERE(an_end_stays_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
