/* Watches: from other loops and threads, and how they are closed. */
#include "watched.h"

#include <netinet/in.h>

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
