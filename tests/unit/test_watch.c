/* Watches: waiting for a descriptor at home, from another loop and from a thread; closing at any time. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "engine.h"
#include "engine/loop.h"

/* A watch as a connection has one, with the pair's other end. */
struct end {
    struct weir__watch watch;
    int peer;
    atomic_int released;
    atomic_bool claimed;
};

static void count_release(struct weir__watch *watch)
{
    ((struct end *)watch)->released++;
}

static struct end *make_end(void)
{
    struct end *end = calloc(1, sizeof *end);
    int pair[2];
    check(end && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    weir__watch_init(&end->watch, pair[0]);
    end->watch.released = count_release;
    end->peer = pair[1];
    return end;
}

static void close_end(struct end *end)
{
    weir__watch_close(&end->watch, true);
}

/* After its loop was freed, or when it was told: the backend lets go of it once. */
static void free_end(struct end *end)
{
    check(end->released == 1);
    close(end->peer);
    free(end);
}

static int wait_for(struct end *end, int direction, int64_t timeout)
{
    return weir__watch_wait(&end->watch, direction, weir_deadline(timeout), NULL, NULL);
}

/* As a connection receives. */
static ssize_t receive(struct end *end, char *data, size_t size, int64_t deadline)
{
    for (;;) {
        if (weir__watch_maybe_ready(&end->watch, WEIR__READABLE)) {
            ssize_t length = recv(end->watch.fd, data, size, 0);
            if (length >= 0) {
                if ((size_t)length < size)
                    weir__watch_drained(&end->watch);
                return length;
            }
            check(errno == EAGAIN);
            weir__watch_clear(&end->watch, WEIR__READABLE);
        }
        if (weir__watch_wait(&end->watch, WEIR__READABLE, deadline, NULL, NULL) < 0)
            return -1;
    }
}

static ssize_t send_some(struct end *end, const char *data, size_t size, int64_t deadline)
{
    for (;;) {
        ssize_t length = send(end->watch.fd, data, size, MSG_NOSIGNAL);
        if (length >= 0 || errno != EAGAIN)
            return length;
        weir__watch_clear(&end->watch, WEIR__WRITABLE);
        if (weir__watch_wait(&end->watch, WEIR__WRITABLE, deadline, NULL, NULL) < 0)
            return -1;
    }
}

static void say(int fd, const char *text)
{
    check(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void fill(int fd)
{
    static const char block[4096];
    while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
        ;
    check(errno == EAGAIN);
}

static void drain(int fd)
{
    char block[4096];
    while (recv(fd, block, sizeof block, 0) > 0)
        ;
}

/* --- readiness --- */

static int reads_what_is_there(void *arg)
{
    struct end *end = arg;
    char data[16];
    say(end->peer, "abc");
    check(receive(end, data, sizeof data, WEIR_FOREVER) == 3);
    /* Nothing: the watch knows it, and waits until the deadline. */
    check(receive(end, data, sizeof data, weir_deadline(WEIR_MS(2))) == -1 && errno == ETIMEDOUT);
    check(!weir__watch_maybe_ready(&end->watch, WEIR__READABLE));
    /* What comes while nobody waits is found later. */
    say(end->peer, "defg");
    weir_sleep(WEIR_MS(1));
    check(weir__watch_maybe_ready(&end->watch, WEIR__READABLE));
    check(receive(end, data, 2, WEIR_FOREVER) == 2);
    check(weir__watch_maybe_ready(&end->watch, WEIR__READABLE));
    check(receive(end, data, 2, WEIR_FOREVER) == 2);
    check(receive(end, data, 2, weir_deadline(WEIR_MS(1))) == -1);
    close_end(end);
    return 0;
}

static void with_end(void **state, weir_fiber_function *function)
{
    (void)backend_of(state);
    struct end *end = make_end();
    run_on(state, function, end);
    free_end(end);
}

static void what_is_there_is_read(void **state)
{
    with_end(state, reads_what_is_there);
}

static int writes_after(void *arg)
{
    struct end *end = arg;
    weir_sleep(WEIR_MS(1));
    say(end->peer, "x");
    return 0;
}

static int is_woken_by_data(void *arg)
{
    struct end *end = arg;
    char data[4];
    for (int i = 0; i < 10; i++) {
        weir_fiber *writer = weir_spawn(writes_after, end, NULL);
        check(receive(end, data, sizeof data, WEIR_FOREVER) == 1);
        weir_join(writer, NULL, WEIR_FOREVER);
    }
    close_end(end);
    return 0;
}

static void data_wakes(void **state)
{
    with_end(state, is_woken_by_data);
}

static int reads_the_end(void *arg)
{
    struct end *end = arg;
    char data[8];
    say(end->peer, "bye");
    shutdown(end->peer, SHUT_WR);
    check(receive(end, data, sizeof data, WEIR_FOREVER) == 3);
    check(receive(end, data, sizeof data, WEIR_FOREVER) == 0);
    check(receive(end, data, sizeof data, WEIR_FOREVER) == 0);
    close_end(end);
    return 0;
}

/* The end comes together with the data, or after it, in one event or in two: it is read, never waited for. */
static void the_end_is_not_waited_for(void **state)
{
    with_end(state, reads_the_end);
}

static int reads_the_late_end(void *arg)
{
    struct end *end = arg;
    char data[8];
    check(receive(end, data, sizeof data, weir_deadline(WEIR_MS(1))) == -1);
    say(end->peer, "bye");
    shutdown(end->peer, SHUT_WR);
    weir_sleep(WEIR_MS(1));
    check(receive(end, data, sizeof data, WEIR_FOREVER) == 3);
    check(receive(end, data, sizeof data, WEIR_FOREVER) == 0);
    close_end(end);
    return 0;
}

static void the_end_together_with_data(void **state)
{
    with_end(state, reads_the_late_end);
}

static int drains_after(void *arg)
{
    struct end *end = arg;
    weir_sleep(WEIR_MS(1));
    drain(end->peer);
    return 0;
}

static int writes_again_and_again(void *arg)
{
    struct end *end = arg;
    for (int i = 0; i < 10; i++) {
        fill(end->watch.fd);
        weir_fiber *reader = weir_spawn(drains_after, end, NULL);
        check(send_some(end, "x", 1, WEIR_FOREVER) == 1);
        weir_join(reader, NULL, WEIR_FOREVER);
    }
    fill(end->watch.fd);
    check(send_some(end, "x", 1, weir_deadline(WEIR_MS(1))) == -1 && errno == ETIMEDOUT);
    close_end(end);
    return 0;
}

static void room_wakes(void **state)
{
    with_end(state, writes_again_and_again);
}

/* The peer says no more, before the wait or in the middle of it, and takes what was sent only later. */
static int ends_then_drains(void *arg)
{
    struct end *end = arg;
    check(weir_sleep(WEIR_MS(1)) == 0);
    check(shutdown(end->peer, SHUT_WR) == 0);
    check(weir_sleep(WEIR_MS(2)) == 0);
    drain(end->peer);
    return 0;
}

static int writes_beyond_the_end(void *arg)
{
    struct end *end = arg;
    for (int i = 0; i < 3; i++) {
        fill(end->watch.fd);
        weir_fiber *reader = weir_spawn(ends_then_drains, end, NULL);
        /* Not again and again meanwhile: the end is told once. */
        int tries = 0;
        while (send(end->watch.fd, "x", 1, MSG_NOSIGNAL) < 0) {
            check(errno == EAGAIN && ++tries < 4);
            weir__watch_clear(&end->watch, WEIR__WRITABLE);
            check(weir__watch_wait(&end->watch, WEIR__WRITABLE, weir_deadline(WEIR_S(20)), NULL, NULL) == 0);
        }
        weir_join(reader, NULL, WEIR_FOREVER);
    }
    return 0;
}

static int writes_beyond_the_end_and_closes(void *arg)
{
    writes_beyond_the_end(arg);
    close_end(arg);
    return 0;
}

static void room_wakes_after_the_end(void **state)
{
    with_end(state, writes_beyond_the_end_and_closes);
}

static int reads_one(void *arg)
{
    char data[4];
    return receive(arg, data, sizeof data, WEIR_FOREVER) == 1 ? 0 : errno;
}

static int writes_one(void *arg)
{
    return send_some(arg, "x", 1, WEIR_FOREVER) == 1 ? 0 : errno;
}

static int both_wait(void *arg)
{
    struct end *end = arg;
    int result = -1;
    fill(end->watch.fd);
    weir_fiber *reader = weir_spawn(reads_one, end, NULL), *writer = weir_spawn(writes_one, end, NULL);
    check(weir_sleep(WEIR_MS(1)) == 0);
    say(end->peer, "y");
    check(weir_join(reader, &result, WEIR_FOREVER) == 0 && result == 0);
    drain(end->peer);
    check(weir_join(writer, &result, WEIR_FOREVER) == 0 && result == 0);
    close_end(end);
    return 0;
}

static void a_reader_and_a_writer_wait_at_once(void **state)
{
    with_end(state, both_wait);
}

/* --- other wake-ups --- */

static bool say_yes(void *arg)
{
    (*(int *)arg)++;
    return true;
}

static int looks_again(void *arg)
{
    struct end *end = arg;
    int looks = 0;
    weir__watch_clear(&end->watch, WEIR__READABLE);
    check(wait_for(end, WEIR__READABLE, WEIR_MS(1)) == -1 && errno == ETIMEDOUT);
    check(weir__watch_wait(&end->watch, WEIR__READABLE, WEIR_FOREVER, say_yes, &looks) == 0 && looks == 1);
    close_end(end);
    return 0;
}

static void the_condition_is_looked_at_again(void **state)
{
    with_end(state, looks_again);
}

static int waits_to_read(void *arg)
{
    struct end *end = arg;
    return wait_for(end, WEIR__READABLE, WEIR_FOREVER) == 0 ? 0 : errno;
}

static int wakes_and_cancels(void *arg)
{
    struct end *end = arg;
    int result;
    char data;
    check(receive(end, &data, 1, weir_deadline(WEIR_US(100))) == -1);
    weir_fiber *waiter = weir_spawn(waits_to_read, end, NULL);
    weir_yield();
    check(weir__wake(&end->watch.slot[0]) && !weir__wake(&end->watch.slot[0]) && !weir__wake(&end->watch.slot[1]));
    check(weir_join(waiter, &result, WEIR_FOREVER) == 0 && result == 0);
    waiter = weir_spawn(waits_to_read, end, NULL);
    weir_yield();
    weir_cancel_fiber(waiter);
    check(weir_join(waiter, &result, WEIR_FOREVER) == 0 && result == ECANCELED);
    check(!weir__wake(&end->watch.slot[0]));
    close_end(end);
    return 0;
}

static void wakes_and_cancels_end_the_wait(void **state)
{
    with_end(state, wakes_and_cancels);
}

static int claims(void *arg)
{
    struct end *end = arg;
    char data;
    check(receive(end, &data, 1, weir_deadline(WEIR_US(100))) == -1);
    end->claimed = true;
    return 0;
}

static int wakes_often(void *arg)
{
    struct end *end = arg;
    while (!end->claimed)
        sched_yield();
    for (size_t woken = 0; woken < often(2000);) {
        woken += weir__wake(&end->watch.slot[0]);
        if (woken % 7 == 0)
            sched_yield();
    }
    return 0;
}

static int is_woken_often(void *arg)
{
    struct end *end = arg;
    claims(end);
    for (size_t woken = 0; woken < often(2000);)
        if (weir__watch_wait(&end->watch, WEIR__READABLE, weir_deadline(WEIR_US(1 + woken % 3 * 30)), NULL, NULL) == 0)
            woken++;
    close_end(end);
    return 0;
}

/* Each wake that said that there was somebody is a wait that returned 0, whatever time-outs come in between. */
static void wakes_from_a_thread_are_counted(void **state)
{
    (void)backend_of(state);
    struct end *end = make_end();
    struct other waker;
    start_thread(&waker, wakes_often, end);
    run_on(state, is_woken_often, end);
    finish_other(&waker);
    free_end(end);
}

/* --- from elsewhere --- */

static int reads_elsewhere(void *arg)
{
    struct end *end = arg;
    char data[8];
    for (int i = 0; i < 100; i++)
        check(receive(end, data, 1, WEIR_FOREVER) == 1);
    check(receive(end, data, 1, weir_deadline(WEIR_MS(1))) == -1 && errno == ETIMEDOUT);
    return 0;
}

static int fills_slowly(void *arg)
{
    struct end *end = arg;
    for (int i = 0; i < 100; i++) {
        say(end->peer, "z");
        breathe();
    }
    return 0;
}

/* The home is this thread's loop; the reader is a fiber of another loop, or a thread; the closer one or the other. */
static void reads_from_elsewhere(void **state, bool thread)
{
    weir_loop *loop = loop_on(backend_of(state));
    struct end *end = make_end();
    struct other reader, writer;
    check(weir_spawn(claims, end, WEIR_OPTIONS(weir_fiber_options, .detached = true)));
    assert_int_equal(weir_loop_run(loop), 0);
    assert_ptr_equal(end->watch.home, loop);
    if (thread)
        start_thread(&reader, reads_elsewhere, end);
    else
        start_loop_thread(&reader, backend_of(state), reads_elsewhere, end);
    start_thread(&writer, fills_slowly, end);
    finish_other(&reader);
    finish_other(&writer);
    close_end(end);
    weir_loop_free(loop);
    free_end(end);
}

static void a_fiber_of_another_loop_reads(void **state)
{
    reads_from_elsewhere(state, false);
}

static void a_thread_reads(void **state)
{
    reads_from_elsewhere(state, true);
}

static void a_thread_reads_what_has_no_home(void **state)
{
    (void)state;
    struct end *end = make_end();
    struct other writer;
    start_thread(&writer, fills_slowly, end);
    reads_elsewhere(end);
    finish_other(&writer);
    close_end(end);
    free_end(end);
}

static int both_wait_elsewhere(void *arg)
{
    struct end *end = arg;
    int result = -1;
    fill(end->watch.fd);
    weir_fiber *reader = weir_spawn(reads_one, end, NULL), *writer = weir_spawn(writes_one, end, NULL);
    check(weir_sleep(WEIR_MS(1)) == 0);
    drain(end->peer);
    check(weir_join(writer, &result, WEIR_FOREVER) == 0 && result == 0);
    say(end->peer, "y");
    check(weir_join(reader, &result, WEIR_FOREVER) == 0 && result == 0);
    return 0;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A fiber of a loop that is not the home of the end that it uses. */
static void away_from_home(void **state, weir_fiber_function *function)
{
    weir_loop *loop = loop_on(backend_of(state));
    struct end *end = make_end();
    check(weir_spawn(claims, end, WEIR_OPTIONS(weir_fiber_options, .detached = true)));
    assert_int_equal(weir_loop_run(loop), 0);
    size_t before = open_descriptors();
    struct other other;
    start_loop_thread(&other, backend_of(state), function, end);
    finish_other(&other);
    assert_int_equal(open_descriptors(), before);
    close_end(end);
    weir_loop_free(loop);
    free_end(end);
}

/* Both directions of one descriptor in one epoll that is not its home. */
static void a_reader_and_a_writer_of_another_loop(void **state)
{
    away_from_home(state, both_wait_elsewhere);
}

static void a_writer_of_another_loop_after_the_end(void **state)
{
    away_from_home(state, writes_beyond_the_end);
}

/* Two loops take turns to wait: what each knows of readiness must not mislead the other. */
struct table {
    struct end *ends[2];
    weir__slot turn[2];
    atomic_int whose;
};

static int takes_turns(struct table *table, int side)
{
    char data[8];
    for (int round = 0; round < 200; round++) {
        while (table->whose != side) {
            check(weir__wait_begin(&table->turn[side]));
            if (table->whose == side)
                weir__wait_abandon(&table->turn[side]);
            else
                weir__wait_park(&table->turn[side], WEIR_FOREVER);
        }
        for (int i = 0; i < 2; i++) {
            say(table->ends[i]->peer, "ab");
            check(receive(table->ends[i], data, round % 2 ? 2 : 8, WEIR_FOREVER) == 2);
            check(receive(table->ends[i], data, 8, weir_deadline(WEIR_US(20))) == -1);
        }
        table->whose = !side;
        weir__wake(&table->turn[!side]);
    }
    return 0;
}

static int takes_first_turns(void *arg)
{
    return takes_turns(arg, 0);
}

static int takes_second_turns(void *arg)
{
    return takes_turns(arg, 1);
}

static void loops_take_turns(void **state)
{
    (void)backend_of(state);
    struct table table = {.ends = {make_end(), make_end()}};
    struct other first, second;
    start_loop_thread(&first, backend_of(state), takes_first_turns, &table);
    start_loop_thread(&second, backend_of(state), takes_second_turns, &table);
    finish_other(&first);
    finish_other(&second);
    for (int i = 0; i < 2; i++) {
        close_end(table.ends[i]);
        free_end(table.ends[i]);
    }
}

/* --- closing --- */

static int closes_armed(void *arg)
{
    struct end *end = arg;
    char data;
    check(receive(end, &data, 1, weir_deadline(WEIR_US(100))) == -1);
    fill(end->watch.fd);
    check(send_some(end, "x", 1, weir_deadline(WEIR_US(100))) == -1);
    close_end(end);
    /* Events of the time of closing are nobody's. */
    drain(end->peer);
    for (int i = 0; i < 3; i++)
        weir_yield();
    check(recv(end->peer, &data, 1, 0) == 0);
    check(end->released == 1);
    return 0;
}

static void an_armed_watch_is_closed(void **state)
{
    with_end(state, closes_armed);
}

static int bound_to(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(fd >= 0 && bind(fd, (struct sockaddr *)address, length) == 0);
    check(getsockname(fd, (struct sockaddr *)address, &length) == 0);
    return fd;
}

static int binds_again(void *arg)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)arg;
    for (int i = 0; i < 10; i++) {
        struct end *end = calloc(1, sizeof *end);
        check(end);
        weir__watch_init(&end->watch, bound_to(&address));
        end->watch.bound = true;
        end->watch.released = count_release;
        end->peer = -1;
        claims(end);
        close_end(end);
        close(bound_to(&address));
        while (!end->released)
            weir_yield();
        free(end);
    }
    return 0;
}

/* The kernel holds on to no socket that was closed, whatever was still registered for it. */
static void the_address_of_a_closed_socket_is_free(void **state)
{
    run_on(state, binds_again, NULL);
}

static void a_new_watch_is_closed(void **state)
{
    (void)state;
    struct end *end = make_end();
    int fd = end->watch.fd;
    weir__watch_close(&end->watch, false);
    assert_int_equal(end->released, 1);
    assert_int_equal(close(fd), 0);
    free_end(end);
}

static int claims_and_waits(void *arg)
{
    struct end **ends = arg;
    for (size_t i = 0; i < 64; i++)
        claims(ends[i]);
    for (size_t i = 0; i < 64; i++)
        while (!ends[i]->released)
            weir_sleep(WEIR_US(200));
    return 0;
}

/* Events come in (data, hang-ups) while another thread closes: nothing is touched after its release. */
static void a_thread_closes_while_events_come(void **state)
{
    (void)backend_of(state);
    for (size_t round = 0; round < often(40); round++) {
        struct end *ends[64];
        struct other home;
        for (size_t i = 0; i < 64; i++)
            ends[i] = make_end();
        start_loop_thread(&home, backend_of(state), claims_and_waits, ends);
        for (size_t i = 0; i < 64; i++) {
            while (!ends[i]->claimed)
                sched_yield();
            breathe();
            if (i % 3 == 0)
                say(ends[i]->peer, "x");
            if (i % 3 == 1)
                shutdown(ends[i]->peer, SHUT_RDWR);
            close_end(ends[i]);
            if (i % 3 == 2)
                shutdown(ends[i]->peer, SHUT_RDWR);
        }
        finish_other(&home);
        for (size_t i = 0; i < 64; i++)
            free_end(ends[i]);
    }
}

/* A watch outlives its home: it can be waited on elsewhere, and closed. */
static void a_loop_goes_before_its_watches(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    struct end *ends[2] = {make_end(), make_end()};
    for (int i = 0; i < 2; i++) {
        check(weir_spawn(claims, ends[i], WEIR_OPTIONS(weir_fiber_options, .detached = true)));
        assert_int_equal(weir_loop_run(loop), 0);
    }
    weir_loop_free(loop);
    say(ends[0]->peer, "x");
    assert_int_equal(wait_for(ends[0], WEIR__READABLE, WEIR_FOREVER), 0);
    run_on(state, reads_one, ends[0]);
    assert_int_equal(ends[0]->released + ends[1]->released, 0);
    close_end(ends[0]);
    close_end(ends[1]);
    free_end(ends[0]);
    free_end(ends[1]);
}

static int closes_all(void *arg)
{
    struct end **ends = arg;
    for (size_t i = 0; i < 64; i++)
        close_end(ends[i]);
    return 0;
}

static void a_loop_goes_while_its_watches_are_closed(void **state)
{
    (void)backend_of(state);
    for (size_t round = 0; round < often(40); round++) {
        weir_loop *loop = loop_on(backend_of(state));
        struct end *ends[64];
        for (size_t i = 0; i < 64; i++) {
            ends[i] = make_end();
            check(weir_spawn(claims, ends[i], WEIR_OPTIONS(weir_fiber_options, .detached = true)));
        }
        assert_int_equal(weir_loop_run(loop), 0);
        struct other closer;
        start_thread(&closer, closes_all, ends);
        weir_loop_free(loop);
        finish_other(&closer);
        for (size_t i = 0; i < 64; i++)
            free_end(ends[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(what_is_there_is_read),
        on_each_backend(data_wakes),
        on_each_backend(the_end_is_not_waited_for),
        on_each_backend(the_end_together_with_data),
        on_each_backend(room_wakes),
        on_each_backend(room_wakes_after_the_end),
        on_each_backend(a_reader_and_a_writer_wait_at_once),
        on_each_backend(the_condition_is_looked_at_again),
        on_each_backend(wakes_and_cancels_end_the_wait),
        on_each_backend(wakes_from_a_thread_are_counted),
        on_each_backend(a_fiber_of_another_loop_reads),
        on_each_backend(a_thread_reads),
        cmocka_unit_test(a_thread_reads_what_has_no_home),
        on_each_backend(a_reader_and_a_writer_of_another_loop),
        on_each_backend(a_writer_of_another_loop_after_the_end),
        on_each_backend(loops_take_turns),
        on_each_backend(an_armed_watch_is_closed),
        on_each_backend(the_address_of_a_closed_socket_is_free),
        cmocka_unit_test(a_new_watch_is_closed),
        on_each_backend(a_thread_closes_while_events_come),
        on_each_backend(a_loop_goes_before_its_watches),
        on_each_backend(a_loop_goes_while_its_watches_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
