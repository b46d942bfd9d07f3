/* The pool for blocking work: results, its bounds, and callers that do not wait for the end. */
#include <sched.h>
#include <sys/wait.h>
#include <weir/fiber.h>

#include "engine.h"

/* What a test's job is about; freed by its caller or by the pool, once. */
struct work {
    atomic_int started, go, ended, abandoned;
    int result, number;
};

static int works(void *arg)
{
    struct work *work = arg;
    work->started++;
    while (!work->go)
        breathe();
    work->ended++;
    errno = work->number;
    return work->result;
}

static void abandons(void *arg)
{
    struct work *work = arg;
    check(work->started == work->ended);
    work->abandoned++;
}

static int gives_a_result(void *arg)
{
    struct work work = {.go = 1, .result = 17, .number = ENOENT};
    int result = -1;
    (void)arg;
    check(weir_offload(works, &work, NULL, &result, WEIR_FOREVER) == 0);
    check(errno == ENOENT && result == 17 && work.ended == 1);
    check(weir_offload(works, &work, abandons, NULL, WEIR_FOREVER) == 0 && work.ended == 2);
    check(weir_offload(works, &work, NULL, NULL, WEIR_NOW) == 0 && work.ended == 3);
    check(work.abandoned == 0);
    return 0;
}

static void the_result_and_errno_come_back(void **state)
{
    run_on(state, gives_a_result, NULL);
}

static void outside_of_fibers_it_is_a_call(void **state)
{
    (void)state;
    gives_a_result(NULL);
}

static int tells_its_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return 0;
}

static int is_elsewhere(void *arg)
{
    pthread_t thread = pthread_self();
    (void)arg;
    check(weir_offload(tells_its_thread, &thread, NULL, NULL, WEIR_FOREVER) == 0);
    check(!pthread_equal(thread, pthread_self()));
    return 0;
}

static void it_runs_in_another_thread(void **state)
{
    run_on(state, is_elsewhere, NULL);
}

/* --- how many threads --- */

static int offloads(void *arg)
{
    int result = -1;
    check(weir_offload(works, arg, NULL, &result, WEIR_FOREVER) == 0);
    return result;
}

static int bound(void)
{
    cpu_set_t cpus;
    int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? 4 * CPU_COUNT(&cpus) : 8;
    return count < 8 ? 8 : count > 64 ? 64 : count;
}

static int fills_the_pool(void *arg)
{
    enum { JOBS = 100 };
    static struct work works_of[JOBS];
    weir_fiber *fibers[JOBS];
    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        works_of[i] = (struct work){.result = i};
        check((fibers[i] = weir_spawn(offloads, &works_of[i], NULL)));
    }
    /* As many as it may have begin, none waits behind another while there could be a thread; the loop goes on. */
    for (int i = 0; i < bound(); i++)
        while (!works_of[i].started)
            weir_sleep(WEIR_US(200));
    weir_sleep(WEIR_MS(5));
    for (int i = bound(); i < JOBS; i++)
        check(!works_of[i].started);
    for (int i = 0; i < JOBS; i++) {
        int result;
        works_of[i].go = 1;
        check(weir_join(fibers[i], &result, WEIR_FOREVER) == 0 && result == i);
    }
    return 0;
}

static void threads_are_bounded_and_none_is_spared(void **state)
{
    run_on(state, fills_the_pool, NULL);
}

/* --- leaving --- */

static void wait_for_count(atomic_int *count)
{
    while (!*count)
        weir_sleep(WEIR_US(200));
}

static int leaves_a_running_job(void *arg)
{
    struct work work = {0};
    (void)arg;
    int64_t deadline = weir_deadline(WEIR_MS(3));
    check(weir_offload(works, &work, abandons, NULL, deadline) == -1 && errno == ETIMEDOUT);
    check(weir_error()->kind == WEIR_ERROR_DEADLINE && weir_now() >= deadline);
    check(work.abandoned == 0 || work.started == 0);
    work.go = 1;
    wait_for_count(&work.abandoned);
    weir_sleep(WEIR_MS(1));
    check(work.abandoned == 1);
    return 0;
}

static void a_deadline_leaves_a_running_job(void **state)
{
    run_on(state, leaves_a_running_job, NULL);
}

static void a_thread_leaves_a_running_job(void **state)
{
    (void)state;
    leaves_a_running_job(NULL);
}

/* Every thread of the pool is held. */
static void hold_pool(struct work *held, weir_fiber **fibers)
{
    for (int i = 0; i < bound(); i++) {
        held[i] = (struct work){0};
        check((fibers[i] = weir_spawn(offloads, &held[i], NULL)));
    }
    for (int i = 0; i < bound(); i++)
        wait_for_count(&held[i].started);
}

static void let_pool_go(struct work *held, weir_fiber **fibers)
{
    for (int i = 0; i < bound(); i++)
        held[i].go = 1;
    for (int i = 0; i < bound(); i++)
        check(weir_join(fibers[i], NULL, WEIR_FOREVER) == 0);
}

static int leaves_a_waiting_job(void *arg)
{
    static struct work held[64];
    weir_fiber *fibers[64];
    struct work work = {.go = 1};
    (void)arg;
    hold_pool(held, fibers);
    check(weir_offload(works, &work, abandons, NULL, weir_deadline(WEIR_MS(2))) == -1 && errno == ETIMEDOUT);
    check(work.abandoned == 1 && work.started == 0);
    check(weir_offload(works, &work, abandons, NULL, WEIR_NOW) == -1 && errno == ETIMEDOUT);
    check(work.abandoned == 2 && work.started == 0);
    let_pool_go(held, fibers);
    check(weir_offload(works, &work, abandons, NULL, WEIR_FOREVER) == 0);
    check(work.abandoned == 2 && work.started == 1);
    return 0;
}

static void a_deadline_leaves_a_waiting_job(void **state)
{
    run_on(state, leaves_a_waiting_job, NULL);
}

static int offloads_and_may_leave(void *arg)
{
    return weir_offload(works, arg, abandons, NULL, WEIR_FOREVER) == 0 ? 0 : errno;
}

static int is_cancelled(void *arg)
{
    struct work work = {0};
    int result;
    (void)arg;
    /* While it runs. */
    weir_fiber *fiber = weir_spawn(offloads_and_may_leave, &work, NULL);
    wait_for_count(&work.started);
    weir_cancel_fiber(fiber);
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0 && result == ECANCELED && !work.abandoned);
    work.go = 1;
    wait_for_count(&work.abandoned);
    /* Before it was handed in. */
    struct work never = {.go = 1};
    fiber = weir_spawn(offloads_and_may_leave, &never, NULL);
    weir_cancel_fiber(fiber);
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0);
    check(result == ECANCELED ? 1 : result == 0);
    if (result)
        wait_for_count(&never.abandoned);
    return 0;
}

static void a_cancel_leaves_the_job(void **state)
{
    run_on(state, is_cancelled, NULL);
}

static int lets_go(void *arg)
{
    weir_sleep(WEIR_MS(3));
    ((struct work *)arg)->go = 1;
    return 0;
}

static int cannot_leave(void *arg)
{
    struct work work = {.result = 5};
    int result;
    (void)arg;
    weir_fiber *fiber = weir_spawn(offloads, &work, NULL), *other = weir_spawn(lets_go, &work, NULL);
    wait_for_count(&work.started);
    weir_cancel_fiber(fiber);
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0 && result == 5 && work.ended == 1);
    check(weir_join(other, NULL, WEIR_FOREVER) == 0);
    return 0;
}

static void without_abandon_it_is_waited_out(void **state)
{
    run_on(state, cannot_leave, NULL);
}

/* --- forked children --- */

static int offload_in_fiber(void *arg)
{
    struct work work = {.go = 1, .result = 17};
    int result = -1;
    (void)arg;
    check(weir_offload(works, &work, NULL, &result, WEIR_FOREVER) == 0);
    return result;
}

static void a_forked_child_has_a_pool_of_its_own(void **state)
{
    const weir_loop_options *options = WEIR_OPTIONS(weir_loop_options, .backend = backend_of(state));
    int status;
    if (WEIR__TSAN)
        skip(); /* it ends children of programs with threads */
    assert_int_equal(weir_run(offload_in_fiber, NULL, options), 17);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        _exit(weir_run(offload_in_fiber, NULL, options));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 17);
    assert_int_equal(weir_run(offload_in_fiber, NULL, options), 17);
}

/* --- at random --- */

struct piece {
    int value;
    unsigned micro;
};

static int works_shortly(void *arg)
{
    struct piece *piece = arg;
    if (piece->micro)
        usleep(piece->micro);
    return piece->value;
}

static int offloads_at_random(void *arg)
{
    uint64_t random = (uintptr_t)arg;
    for (size_t i = 0; i < often(100); i++) {
        struct piece *piece = malloc(sizeof *piece);
        check(piece);
        *piece = (struct piece){(int)i, (unsigned)chance(&random, 200)};
        int result = -1;
        int64_t deadline = chance(&random, 4) ? weir_deadline((int64_t)chance(&random, WEIR_US(400))) : WEIR_FOREVER;
        if (weir_offload(works_shortly, piece, free, &result, deadline) < 0) {
            check(errno == ETIMEDOUT && deadline != WEIR_FOREVER);
            continue;
        }
        check(result == (int)i);
        free(piece);
    }
    return 0;
}

static int many_offload(void *arg)
{
    weir_fiber *fibers[30];
    for (uintptr_t i = 0; i < 30; i++)
        check((fibers[i] = weir_spawn(offloads_at_random, (void *)((uintptr_t)arg + i), NULL)));
    for (size_t i = 0; i < 30; i++)
        check(weir_join(fibers[i], NULL, WEIR_FOREVER) == 0);
    return 0;
}

/* What a job is about is freed once, by whoever it belongs to, however ends and deadlines meet. */
static void ends_and_deadlines_meet(void **state)
{
    struct other loops[2];
    for (uintptr_t i = 0; i < 2; i++)
        start_loop_thread(&loops[i], backend_of(state), many_offload, (void *)(1 + i * 1000));
    for (size_t i = 0; i < 2; i++)
        finish_other(&loops[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(the_result_and_errno_come_back),
        cmocka_unit_test(outside_of_fibers_it_is_a_call),
        on_each_backend(it_runs_in_another_thread),
        on_each_backend(threads_are_bounded_and_none_is_spared),
        on_each_backend(a_deadline_leaves_a_running_job),
        cmocka_unit_test(a_thread_leaves_a_running_job),
        on_each_backend(a_deadline_leaves_a_waiting_job),
        on_each_backend(a_cancel_leaves_the_job),
        on_each_backend(without_abandon_it_is_waited_out),
        on_each_backend(ends_and_deadlines_meet),
        on_each_backend(a_forked_child_has_a_pool_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
