/* Copying between connections whose home is another thread's loop: the copier is a visitor there. */
#include "sockets.h"

#include <weir/file.h>

enum { LONG = 300000 };

static weir_conn *left[2], *right[2], *leave[2];
static atomic_bool at_home;

/* --- the other loop --- */

/* Who is the first to wait on a connection makes its loop the home of it. */
static void make_home(weir_conn *conn)
{
    char byte;
    weir_set_timeout(conn, WEIR_MS(1));
    check(weir_recv(conn, &byte, 1) < 0 && errno == ETIMEDOUT);
    weir_set_timeout(conn, WEIR_S(20));
}

static int live(void *arg)
{
    char byte;
    (void)arg;
    make_home(left[1]);
    make_home(right[0]);
    atomic_store(&at_home, true);
    check(weir_recv(leave[1], &byte, 1) == 0); /* until all is over: a home that has gone is another test's */
    return 0;
}

static void *run_home(void *arg)
{
    check(weir_run(live, NULL, WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_EPOLL)) == 0);
    return arg;
}

static pthread_t begin(void)
{
    check(weir_pair(SOCK_STREAM, left) == 0 && weir_pair(SOCK_STREAM, right) == 0);
    check(weir_pair(SOCK_STREAM, leave) == 0);
    weir_set_timeout(left[0], WEIR_S(20));
    weir_set_timeout(right[1], WEIR_S(20));
    atomic_store(&at_home, false);
    pthread_t home = beside(run_home, NULL);
    for (int tries = 0; !atomic_load(&at_home) && tries < 20000; tries++)
        weir_sleep(WEIR_MS(1));
    check(atomic_load(&at_home));
    return home;
}

static void end(pthread_t home)
{
    weir_close(left[0]);
    weir_close(left[1]);
    weir_close(right[0]);
    weir_close(right[1]);
    weir_close(leave[0]);
    join_beside(home);
    weir_close(leave[1]);
}

/* --- copying --- */

static char sent[LONG];

static void *send_much(void *arg)
{
    for (size_t i = 0; i < LONG; i++)
        sent[i] = (char)(i * 7 + i / 251);
    check(weir_send_all(left[0], sent, LONG) == 0 && weir_shutdown(left[0], SHUT_WR) == 0);
    return arg;
}

/* Byte by byte first, so that the copier has to wait for each. */
static void *talk(void *arg)
{
    static char got[LONG];
    char byte;
    for (int i = 0; i < 20; i++) {
        check(weir_send_all(left[0], "a", 1) == 0 && weir_recv(right[1], &byte, 1) == 1 && byte == 'a');
        check(weir_send_all(right[1], "b", 1) == 0 && weir_recv(left[0], &byte, 1) == 1 && byte == 'b');
    }
    pthread_t sender = beside(send_much, NULL);
    check(weir_read_exactly(right[1], got, LONG) == 0 && weir_recv(right[1], &byte, 1) == 0);
    check(pthread_join(sender, NULL) == 0 && memcmp(got, sent, LONG) == 0);
    check(weir_shutdown(right[1], SHUT_WR) == 0 && weir_recv(left[0], &byte, 1) == 0);
    return arg;
}

static void a_visitor_copies(void)
{
    uint64_t bytes[2];
    pthread_t home = begin(), talker = beside(talk, NULL);
    check(weir_copy(left[1], right[0], bytes) == 0);
    check(bytes[0] == 20 + LONG && bytes[1] == 20);
    join_beside(talker);
    end(home);
}

/* --- and does not --- */

static void a_visitor_is_told_of_a_deadline(void)
{
    weir_file *ends[2];
    pthread_t home = begin();
    check(weir_pipe(ends) == 0);
    check(weir_copy_to_file(left[1], ends[1], UINT64_MAX, weir_deadline(WEIR_MS(5))) < 0 && errno == ETIMEDOUT);
    int64_t past = weir_now();
    weir_sleep(WEIR_MS(1));
    check(weir_file_write_all(ends[1], "there is no need to wait", 24, SOON) == 0);
    check(weir_copy_from_file(right[0], ends[0], UINT64_MAX, past) < 0 && errno == ETIMEDOUT);
    check(weir_file_close(ends[0]) == 0 && weir_file_close(ends[1]) == 0);
    end(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_visitor_copies),
        EVERYWHERE(a_visitor_is_told_of_a_deadline),
    };
    return cmocka_run_group_tests_name("copy elsewhere", tests, NULL, NULL);
}
