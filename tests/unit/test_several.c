/* Waiting on several descriptors at once, from fibers of several loops and from threads in turn. */
#include "engine/several.h"

#include <sys/socket.h>

#include "engine.h"

enum { ENDS = 4 };

struct ends {
    struct weir__several *several;
    int own[ENDS], peer[ENDS];
};

static void open_ends(struct ends *ends)
{
    ends->several = weir__several_new(ENDS);
    check(ends->several);
    for (int i = 0; i < ENDS; i++) {
        int pair[2];
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
        ends->own[i] = pair[0];
        ends->peer[i] = pair[1];
        weir__several_add(ends->several, pair[0]);
    }
}

static void close_ends(struct ends *ends)
{
    weir__several_close(ends->several);
    for (int i = 0; i < ENDS; i++)
        close(ends->peer[i]);
}

/* Reads one byte from whichever has one; -1 and errno if none came in time. */
static int read_one(struct ends *ends, int64_t deadline)
{
    for (;;) {
        char byte;
        for (int i = 0; i < ENDS; i++)
            if (ends->own[i] >= 0 && recv(ends->own[i], &byte, 1, 0) == 1)
                return i;
        if (weir__several_wait(ends->several, WEIR__READABLE, deadline, NULL, NULL) < 0)
            return -1;
    }
}

static void say(int fd)
{
    check(send(fd, "x", 1, MSG_NOSIGNAL) == 1);
}

static int reads_each(void *arg)
{
    struct ends *ends = arg;
    for (int round = 0; round < 20; round++) {
        int which = round % ENDS;
        say(ends->peer[which]);
        check(read_one(ends, WEIR_FOREVER) == which);
        check(read_one(ends, weir_deadline(WEIR_US(100))) == -1 && errno == ETIMEDOUT);
    }
    return 0;
}

static int reads_each_of_its_own(void *arg)
{
    struct ends ends;
    (void)arg;
    open_ends(&ends);
    reads_each(&ends);
    close_ends(&ends);
    return 0;
}

static void whichever_is_ready_is_found(void **state)
{
    run_on(state, reads_each_of_its_own, NULL);
}

static void threads_find_it_too(void **state)
{
    (void)state;
    reads_each_of_its_own(NULL);
}

static int says_later(void *arg)
{
    struct ends *ends = arg;
    for (int i = 0; i < 40; i++) {
        breathe();
        say(ends->peer[i % ENDS]);
    }
    return 0;
}

static int reads_forty(void *arg)
{
    for (int i = 0; i < 40; i++)
        check(read_one(arg, WEIR_FOREVER) >= 0);
    return 0;
}

/* Loops, one of which goes on and one of which is gone, and threads wait in turn on the same. */
static void loops_and_threads_take_turns(void **state)
{
    struct ends ends;
    weir_loop *loop = loop_on(backend_of(state));
    open_ends(&ends);
    for (int round = 0; round < 3; round++) {
        struct other speaker, reader;
        weir_fiber *fiber = weir_spawn(reads_each, &ends, NULL);
        check(fiber && weir_loop_run(loop) == 0 && weir_join(fiber, NULL, WEIR_NOW) == 0);
        start_thread(&speaker, says_later, &ends);
        start_loop_thread(&reader, backend_of(state), reads_forty, &ends);
        finish_other(&reader);
        finish_other(&speaker);
        start_thread(&speaker, says_later, &ends);
        start_thread(&reader, reads_forty, &ends);
        finish_other(&reader);
        finish_other(&speaker);
    }
    close_ends(&ends);
    weir_loop_free(loop);
}

/*
 * A visitor's registration ends with its wait. Were it left to be ended later, that would hit whoever has got the
 * descriptor's number meanwhile.
 */
static int visits_and_leaves(void *arg)
{
    struct ends *ends = arg, mine;
    reads_each(ends);
    /* Closed at home, that is elsewhere and later. */
    weir__several_close(ends->several);
    open_ends(&mine);
    for (int i = 0; i < 20; i++) {
        weir_sleep(WEIR_US(200));
        reads_each(&mine);
    }
    close_ends(&mine);
    return 0;
}

static void what_is_closed_elsewhere_disturbs_nobody(void **state)
{
    struct ends ends;
    struct other visitor;
    weir_loop *loop = loop_on(backend_of(state));
    open_ends(&ends);
    weir_fiber *fiber = weir_spawn(reads_each, &ends, NULL);
    check(fiber && weir_loop_run(loop) == 0 && weir_join(fiber, NULL, WEIR_NOW) == 0);
    start_loop_thread(&visitor, backend_of(state), visits_and_leaves, &ends);
    breathe();
    while (pthread_tryjoin_np(visitor.thread, NULL) != 0)
        check(weir_loop_once(loop, weir_deadline(WEIR_MS(1))) == 0);
    for (int i = 0; i < ENDS; i++)
        close(ends.peer[i]);
    weir_loop_free(loop);
}

/* --- wakes, looks, removals --- */

static bool say_yes(void *arg)
{
    ++*(int *)arg;
    return true;
}

static int looks_and_wakes(void *arg)
{
    struct ends *ends = arg;
    int looks = 0;
    check(weir__several_wait(ends->several, WEIR__READABLE, weir_deadline(WEIR_MS(1)), NULL, NULL) == -1);
    check(weir__several_wait(ends->several, WEIR__READABLE, WEIR_FOREVER, say_yes, &looks) == 0 && looks == 1);
    check(weir__several_wait(ends->several, WEIR__WRITABLE, WEIR_FOREVER, NULL, NULL) == 0);
    return 0;
}

static int waits_for_ever(void *arg)
{
    struct ends *ends = arg;
    return weir__several_wait(ends->several, WEIR__READABLE, WEIR_FOREVER, NULL, NULL) == 0 ? 0 : errno;
}

static int wakes_and_cancels(void *arg)
{
    struct ends *ends = arg;
    int result;
    looks_and_wakes(ends);
    check(weir__several_wait(ends->several, WEIR__READABLE, weir_deadline(WEIR_MS(1)), NULL, NULL) <= 0);
    weir_fiber *fiber = weir_spawn(waits_for_ever, ends, NULL);
    weir_yield();
    weir__several_wake(ends->several);
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0 && result == 0);
    fiber = weir_spawn(waits_for_ever, ends, NULL);
    weir_yield();
    weir_cancel_fiber(fiber);
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0 && result == ECANCELED);
    return 0;
}

static void it_is_woken_and_cancelled(void **state)
{
    struct ends ends;
    (void)backend_of(state);
    open_ends(&ends);
    run_on(state, wakes_and_cancels, &ends);
    close_ends(&ends);
}

static int removes(void *arg)
{
    struct ends *ends = arg;
    check(read_one(ends, weir_deadline(WEIR_US(100))) == -1);
    /* One is kept open, one is not; the others go on. */
    int kept = ends->own[1];
    weir__several_remove(ends->several, ends->own[1], false);
    weir__several_remove(ends->several, ends->own[2], true);
    ends->own[1] = ends->own[2] = -1;
    say(ends->peer[1]);
    check(read_one(ends, weir_deadline(WEIR_MS(1))) == -1 && errno == ETIMEDOUT);
    char byte;
    check(recv(kept, &byte, 1, 0) == 1);
    close(kept);
    weir_sleep(WEIR_MS(1));
    check(recv(ends->peer[2], &byte, 1, 0) == 0);
    say(ends->peer[3]);
    check(read_one(ends, WEIR_FOREVER) == 3);
    weir__several_add(ends->several, dup(ends->own[0]));
    return 0;
}

static void some_are_removed(void **state)
{
    struct ends ends;
    (void)backend_of(state);
    open_ends(&ends);
    run_on(state, removes, &ends);
    close_ends(&ends);
}

static void too_many_are_refused(void **state)
{
    (void)state;
    assert_null(weir__several_new(WEIR__SEVERAL_MOST + 1));
    assert_int_equal(errno, EINVAL);
    weir__several_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(whichever_is_ready_is_found),  cmocka_unit_test(threads_find_it_too),
        on_each_backend(loops_and_threads_take_turns), on_each_backend(what_is_closed_elsewhere_disturbs_nobody),
        on_each_backend(it_is_woken_and_cancelled),    on_each_backend(some_are_removed),
        cmocka_unit_test(too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
