/* Waiting for several things at once: what is ready already, the ends of fibers, many from everywhere. */
#include "selecting.h"

/* --- without waiting --- */

static void counts_are_checked(void **state)
{
    (void)state;
    weir_case cases[65] = {{0}};
    assert_int_equal(weir_select(cases, 0, WEIR_NOW), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(weir_select(cases, 65, WEIR_NOW), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
}

/* One ready case among others that are not, of every kind, in every place. */
static int does_what_is_ready(void *arg)
{
    weir_channel *empty = made(0), *stocked = made(1), *roomy = made(1);
    weir_conn *quiet[2], *talking[2];
    int64_t in = 0, out = 5, stock = 7;
    (void)arg;
    pair_of(quiet);
    pair_of(talking);
    fill(quiet[0]);
    check(weir_send(talking[1], "x", 1) == 1);
    for (int place = 0; place < 3; place++) {
        weir_case ready[] = {receiving(stocked, &in), sending(roomy, &out), readable(talking[0]), writable(talking[0])};
        for (size_t kind = 0; kind < 4; kind++) {
            weir_case cases[] = {receiving(empty, &in), sending(empty, &out), readable(quiet[0]), writable(quiet[0])};
            cases[place] = ready[kind];
            check(kind != 0 || weir_channel_send(stocked, &stock, WEIR_NOW) == 0);
            check(weir_select(cases, 4, WEIR_FOREVER) == place && cases[place].error == 0);
            check(kind != 0 || in == 7);
            check(kind != 1 || (weir_channel_receive(roomy, &in, WEIR_NOW) == 0 && in == 5));
        }
    }
    weir_case cases[] = {receiving(empty, &in), sending(empty, &out), readable(quiet[0]), writable(quiet[0])};
    check(weir_select(cases, 4, WEIR_NOW) == -1 && errno == ETIMEDOUT);
    check(weir_error()->kind == WEIR_ERROR_DEADLINE);
    for (int i = 0; i < 2; i++) {
        weir_close(quiet[i]);
        weir_close(talking[i]);
    }
    weir_channel_free(empty);
    weir_channel_free(stocked);
    weir_channel_free(roomy);
    return 0;
}

static void what_is_ready_is_done(void **state)
{
    run_on(state, does_what_is_ready, NULL);
}

static void in_a_thread_too(void **state)
{
    (void)state;
    does_what_is_ready(NULL);
}

static int chooses_at_random(void *arg)
{
    weir_channel *channels[3] = {made(1), made(1), made(1)};
    int64_t number = 1;
    int chosen[3] = {0};
    (void)arg;
    for (int i = 0; i < 3; i++)
        check(weir_channel_send(channels[i], &number, WEIR_NOW) == 0);
    for (int i = 0; i < 3000; i++) {
        weir_case cases[3];
        for (int j = 0; j < 3; j++)
            cases[j] = receiving(channels[j], &number);
        int which = weir_select(cases, 3, WEIR_NOW);
        check(which >= 0 && weir_channel_send(channels[which], &number, WEIR_NOW) == 0);
        chosen[which]++;
    }
    for (int i = 0; i < 3; i++) {
        check(chosen[i] > 500);
        weir_channel_free(channels[i]);
    }
    return 0;
}

static void none_starves(void **state)
{
    run_on(state, chooses_at_random, NULL);
}

static int meets_closed(void *arg)
{
    weir_channel *open = made(0), *closed = made(0);
    int64_t number = 1;
    (void)arg;
    weir_channel_close(closed);
    weir_case cases[] = {receiving(open, &number), receiving(closed, &number), sending(open, &number)};
    check(weir_select(cases, 3, WEIR_FOREVER) == 1 && cases[1].error == EPIPE);
    cases[1] = sending(closed, &number);
    check(weir_select(cases, 3, WEIR_FOREVER) == 1 && cases[1].error == EPIPE);
    weir_channel_free(open);
    weir_channel_free(closed);
    return 0;
}

static void a_closed_channel_is_ready(void **state)
{
    run_on(state, meets_closed, NULL);
}

/* --- the end of fibers --- */

static int waits_for_ends(void *arg)
{
    weir_channel *quiet = made(0);
    int64_t number;
    (void)arg;
    weir_fiber *ended = spawned(returns, (void *)9), *running = spawned(sleeps, (void *)(intptr_t)WEIR_FOREVER);
    weir_yield();
    weir_yield();
    weir_case cases[] = {ending(running), ending(ended), receiving(quiet, &number)};
    check(weir_select(cases, 3, WEIR_FOREVER) == 1 && cases[1].error == 0);
    check(joined(ended) == 9);
    weir_case one[] = {ending(running), receiving(quiet, &number)};
    check(weir_select(one, 2, weir_deadline(WEIR_MS(1))) == -1 && errno == ETIMEDOUT);
    /* Twice the same: one of them is in the way of the other. */
    weir_case twice[] = {ending(running), ending(running)};
    check(weir_select(twice, 2, WEIR_FOREVER) == -1 && errno == EBUSY);
    weir_cancel_fiber(running);
    check(weir_select(one, 2, WEIR_FOREVER) == 0);
    check(joined(running) == ECANCELED);
    weir_channel_free(quiet);
    return 0;
}

static void ends_are_waited_for(void **state)
{
    run_on(state, waits_for_ends, NULL);
}

static int waits_for_many_ends(void *arg)
{
    enum { FIBERS = 8 };
    weir_loop *elsewhere = arg;
    uint64_t random = 31;
    for (size_t round = 0; round < often(300); round++) {
        weir_fiber *fibers[FIBERS];
        weir_case cases[FIBERS];
        size_t left = FIBERS;
        for (size_t i = 0; i < FIBERS; i++) {
            weir_loop *loop = i % 2 ? elsewhere : weir_loop_self() ? weir_loop_self() : elsewhere;
            fibers[i] = weir_spawn(sleeps, (void *)(uintptr_t)chance(&random, WEIR_US(100)),
                                   WEIR_OPTIONS(weir_fiber_options, .loop = loop));
            check(fibers[i]);
        }
        /* Deadlines and ends meet; each end is reported until it is joined. */
        while (left > 0) {
            for (size_t i = 0; i < left; i++)
                cases[i] = ending(fibers[i]);
            int chosen = weir_select(cases, left, weir_deadline((int64_t)chance(&random, WEIR_US(100))));
            if (chosen < 0) {
                check(errno == ETIMEDOUT);
                continue;
            }
            int result;
            check(weir_join(fibers[chosen], &result, WEIR_NOW) == 0 && result == 3);
            fibers[chosen] = fibers[--left];
        }
    }
    return 0;
}

struct place {
    weir_loop *_Atomic loop;
    atomic_bool over;
};

static int keeps_a_loop(void *arg)
{
    struct place *place = arg;
    place->loop = weir_loop_self();
    while (!place->over)
        weir_sleep(WEIR_MS(1));
    return 0;
}

static void ends_of_other_loops_meet_deadlines(void **state)
{
    struct place place = {.over = false};
    struct other home, plain;
    start_loop_thread(&home, backend_of(state), keeps_a_loop, &place);
    while (!place.loop)
        breathe();
    start_thread(&plain, waits_for_many_ends, place.loop);
    run_on(state, waits_for_many_ends, place.loop);
    finish_other(&plain);
    place.over = true;
    finish_other(&home);
}

/* --- many, from everywhere --- */

enum { CHANNELS = 5, TOKENS = 12 };

/*
 * Tokens go round: whoever holds one puts it into any channel, whoever holds none takes one. None is lost and none doubled.
 */
struct round {
    weir_channel *channels[CHANNELS];
    size_t steps;
    atomic_uint_least64_t seed;
    atomic_int_least64_t kept_sum, kept_count;
};

static int goes_round(void *arg)
{
    struct round *round = arg;
    uint64_t random = ++round->seed * 7919;
    int64_t token = 0, got = 0;
    for (size_t step = 0; step < round->steps; step++) {
        weir_case cases[CHANNELS];
        size_t first = chance(&random, CHANNELS), count = 1 + chance(&random, CHANNELS);
        for (size_t i = 0; i < count; i++) {
            weir_channel *channel = round->channels[(first + i) % CHANNELS];
            cases[i] = token ? sending(channel, &token) : receiving(channel, &got);
        }
        int chosen = weir_select(cases, count, weir_deadline((int64_t)chance(&random, WEIR_US(60))));
        if (chosen < 0)
            check(errno == ETIMEDOUT);
        else
            check(cases[chosen].error == 0);
        if (chosen >= 0) {
            token = token ? 0 : got;
            got = 0;
        }
    }
    if (token) {
        round->kept_sum += token;
        round->kept_count++;
    }
    return 0;
}

static int go_round(void *arg)
{
    weir_fiber *fibers[6];
    for (int i = 0; i < 6; i++)
        fibers[i] = spawned(goes_round, arg);
    for (int i = 0; i < 6; i++)
        check(joined(fibers[i]) == 0);
    return 0;
}

static void tokens_are_neither_lost_nor_doubled(void **state)
{
    (void)backend_of(state);
    struct round round = {.steps = often(1500)};
    struct other loops[2], plain[2];
    for (size_t i = 0; i < CHANNELS; i++)
        round.channels[i] = made(i % 2 ? 0 : TOKENS);
    for (int64_t token = 1; token <= TOKENS; token++)
        check(weir_channel_send(round.channels[0], &token, WEIR_NOW) == 0);
    for (int i = 0; i < 2; i++) {
        start_loop_thread(&loops[i], backend_of(state), go_round, &round);
        start_thread(&plain[i], goes_round, &round);
    }
    for (int i = 0; i < 2; i++) {
        finish_other(&loops[i]);
        finish_other(&plain[i]);
    }
    int64_t token, sum = round.kept_sum, count = round.kept_count;
    for (size_t i = 0; i < CHANNELS; i++) {
        for (; weir_channel_receive(round.channels[i], &token, WEIR_NOW) == 0; count++)
            sum += token;
        weir_channel_free(round.channels[i]);
    }
    assert_int_equal(count, TOKENS);
    assert_int_equal(sum, TOKENS * (TOKENS + 1) / 2);
}

/* Each both offers and asks on the same channels: partners find each other, never themselves. */
struct exchange {
    weir_channel *left, *right;
    atomic_int_least64_t sent, received, count;
    size_t steps;
};

static int exchanges(void *arg)
{
    struct exchange *all = arg;
    uint64_t random = (uintptr_t)&random | 1;
    for (size_t i = 0; i < all->steps; i++) {
        int64_t out = (int64_t)chance(&random, 1000), in = -1;
        weir_case cases[] = {sending(all->left, &out), receiving(all->left, &in), receiving(all->right, &in),
                             sending(all->right, &out)};
        int chosen = weir_select(cases, 4, weir_deadline(WEIR_MS(1)));
        if (chosen < 0)
            continue;
        bool sent = chosen == 0 || chosen == 3;
        if (sent)
            all->sent += out;
        else
            all->received += in;
        all->count += sent ? 1 : -1;
    }
    return 0;
}

static int exchange_in_fibers(void *arg)
{
    weir_fiber *fibers[4];
    for (int i = 0; i < 4; i++)
        fibers[i] = spawned(exchanges, arg);
    for (int i = 0; i < 4; i++)
        check(joined(fibers[i]) == 0);
    return 0;
}

static void partners_find_each_other(void **state)
{
    (void)backend_of(state);
    struct exchange all = {.left = made(0), .right = made(0), .steps = often(1000)};
    struct other loops[2], plain;
    for (int i = 0; i < 2; i++)
        start_loop_thread(&loops[i], backend_of(state), exchange_in_fibers, &all);
    start_thread(&plain, exchanges, &all);
    for (int i = 0; i < 2; i++)
        finish_other(&loops[i]);
    finish_other(&plain);
    assert_int_equal(all.count, 0);
    assert_int_equal(all.sent, all.received);
    weir_channel_free(all.left);
    weir_channel_free(all.right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_checked),
        on_each_backend(what_is_ready_is_done),
        cmocka_unit_test(in_a_thread_too),
        on_each_backend(none_starves),
        on_each_backend(a_closed_channel_is_ready),
        on_each_backend(ends_are_waited_for),
        on_each_backend(ends_of_other_loops_meet_deadlines),
        on_each_backend(tokens_are_neither_lost_nor_doubled),
        on_each_backend(partners_find_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
