/* Watches: readiness, and what else wakes who waits by one. */
#include "watched.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
