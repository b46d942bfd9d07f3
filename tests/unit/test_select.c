/* Select: exactly one of several things is done, whatever comes first, from fibers of several loops and from threads. */
#include <sys/socket.h>
#include <weir/channel.h>

#include "engine.h"

static weir_channel *made(size_t capacity)
{
    weir_channel *channel = weir_channel_new(sizeof(int64_t), capacity);
    check(channel);
    return channel;
}

static weir_fiber *spawned(weir_fiber_function *function, void *arg)
{
    weir_fiber *fiber = weir_spawn(function, arg, NULL);
    check(fiber);
    return fiber;
}

static int joined(weir_fiber *fiber)
{
    int result = -1;
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0);
    return result;
}

static weir_case sending(weir_channel *channel, int64_t *number)
{
    return (weir_case){.kind = WEIR_CASE_SEND, .channel = channel, .item = number, .error = -1};
}

static weir_case receiving(weir_channel *channel, int64_t *number)
{
    return (weir_case){.kind = WEIR_CASE_RECEIVE, .channel = channel, .item = number, .error = -1};
}

static weir_case ending(weir_fiber *fiber)
{
    return (weir_case){.kind = WEIR_CASE_END, .fiber = fiber, .error = -1};
}

static weir_case readable(weir_conn *conn)
{
    return (weir_case){.kind = WEIR_CASE_READABLE, .conn = conn, .error = -1};
}

static weir_case writable(weir_conn *conn)
{
    return (weir_case){.kind = WEIR_CASE_WRITABLE, .conn = conn, .error = -1};
}

static void pair_of(weir_conn *pair[2])
{
    check(weir_pair(SOCK_STREAM, pair) == 0);
}

static void fill(weir_conn *conn)
{
    static const char block[65536];
    while (weir_send_flags(conn, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
    check(errno == EAGAIN);
}

static void drain(weir_conn *conn)
{
    static char block[65536];
    while (weir_recv_flags(conn, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
}

static int returns(void *arg)
{
    return (int)(intptr_t)arg;
}

static int sleeps(void *arg)
{
    return weir_sleep((int64_t)(intptr_t)arg) == 0 ? 3 : errno;
}

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

/* --- waiting --- */

struct later {
    weir_channel *channel;
    weir_conn *conn;
    int64_t number;
    int what;
};

enum { LATER_SEND, LATER_RECEIVE, LATER_CLOSE, LATER_TALK, LATER_DRAIN, LATER_END, LATER_SHUT };

static int does_it_later(void *arg)
{
    struct later *later = arg;
    weir_sleep(WEIR_MS(1));
    switch (later->what) {
    case LATER_SEND:
        return weir_channel_send(later->channel, &later->number, WEIR_FOREVER);
    case LATER_RECEIVE:
        return weir_channel_receive(later->channel, &later->number, WEIR_FOREVER);
    case LATER_CLOSE:
        weir_channel_close(later->channel);
        return 0;
    case LATER_TALK:
        return weir_send(later->conn, "y", 1) == 1 ? 0 : -1;
    case LATER_DRAIN:
        drain(later->conn);
        return 0;
    case LATER_SHUT:
        return weir_shutdown(later->conn, SHUT_WR);
    default:
        return 0;
    }
}

struct waiting {
    weir_channel *from, *to;
    weir_conn *quiet[2], *full[2];
};

/* Waits for everything at once while one thing happens, in a fiber or in a thread beside a fiber or a thread. */
static int waits_for(struct waiting *all, int what, bool in_fiber)
{
    int64_t in = 0, out = 21;
    struct later later = {.what = what, .number = 33};
    later.channel = what == LATER_RECEIVE ? all->to : all->from;
    later.conn = what == LATER_DRAIN ? all->full[1] : all->quiet[1];
    struct other other;
    weir_fiber *fiber = NULL;
    weir_case cases[5] = {receiving(all->from, &in), sending(all->to, &out), readable(all->quiet[0]),
                          writable(all->full[0])};
    if (in_fiber)
        fiber = spawned(does_it_later, &later);
    else
        start_thread(&other, does_it_later, &later);
    cases[4] = ending(fiber);
    int chosen = weir_select(cases, fiber && what == LATER_END ? 5 : 4, WEIR_FOREVER);
    check(chosen >= 0 && (cases[chosen].error == 0 || what == LATER_CLOSE));
    check(what != LATER_SEND || in == 33);
    if (fiber)
        check(joined(fiber) == 0);
    else
        finish_other(&other);
    check(what != LATER_RECEIVE || later.number == 21);
    return chosen;
}

static int waits_for_each(void *arg)
{
    bool in_fiber = *(bool *)arg;
    struct waiting all = {.from = made(0), .to = made(0)};
    char data[4];
    pair_of(all.quiet);
    pair_of(all.full);
    for (int round = 0; round < 3; round++) {
        fill(all.full[0]);
        check(waits_for(&all, LATER_SEND, in_fiber) == 0);
        check(waits_for(&all, LATER_RECEIVE, in_fiber) == 1);
        check(waits_for(&all, LATER_TALK, in_fiber) == 2);
        check(weir_recv(all.quiet[0], data, sizeof data) == 1);
        check(waits_for(&all, LATER_DRAIN, in_fiber) == 3);
        fill(all.full[0]);
        if (in_fiber)
            check(waits_for(&all, LATER_END, in_fiber) == 4);
    }
    check(waits_for(&all, LATER_SHUT, in_fiber) == 2);
    check(weir_recv(all.quiet[0], data, sizeof data) == 0);
    weir_close(all.quiet[0]);
    weir_close(all.quiet[1]);
    pair_of(all.quiet);
    check(waits_for(&all, LATER_CLOSE, in_fiber) == 0);
    for (int i = 0; i < 2; i++) {
        weir_close(all.quiet[i]);
        weir_close(all.full[i]);
    }
    weir_channel_free(all.from);
    weir_channel_free(all.to);
    return 0;
}

static void whatever_comes_first_is_done(void **state)
{
    run_on(state, waits_for_each, &(bool){true});
}

static void whatever_comes_first_from_a_thread(void **state)
{
    run_on(state, waits_for_each, &(bool){false});
}

static void a_thread_waits_for_whatever_comes_first(void **state)
{
    (void)state;
    waits_for_each(&(bool){false});
}

static int does_one_alone(void *arg)
{
    weir_channel *channels[2] = {made(0), made(0)};
    int64_t in = 0;
    (void)arg;
    struct later later[2] = {{.what = LATER_SEND, .channel = channels[0], .number = 1},
                             {.what = LATER_SEND, .channel = channels[1], .number = 2}};
    weir_fiber *senders[2] = {spawned(does_it_later, &later[0]), spawned(does_it_later, &later[1])};
    weir_case cases[] = {receiving(channels[0], &in), receiving(channels[1], &in)};
    int first = weir_select(cases, 2, WEIR_FOREVER);
    check(in == first + 1);
    /* The other sender still waits; its number is not lost. */
    check(weir_channel_receive(channels[!first], &in, WEIR_FOREVER) == 0 && in == !first + 1);
    for (int i = 0; i < 2; i++) {
        check(joined(senders[i]) == 0);
        weir_channel_free(channels[i]);
    }
    return 0;
}

static void only_one_is_done(void **state)
{
    run_on(state, does_one_alone, NULL);
}

static int times_out(void *arg)
{
    weir_channel *channel = made(0);
    weir_conn *pair[2];
    int64_t number = 0;
    (void)arg;
    pair_of(pair);
    for (int i = 0; i < 3; i++) {
        weir_case cases[] = {receiving(channel, &number), sending(channel, &number), readable(pair[0])};
        int64_t deadline = weir_deadline(WEIR_MS(2));
        check(weir_select(cases, 3, deadline) == -1 && errno == ETIMEDOUT && weir_now() >= deadline);
        check(weir_error()->kind == WEIR_ERROR_DEADLINE);
        check(weir_select(cases, 3, weir_now() - WEIR_S(1)) == -1 && errno == ETIMEDOUT);
    }
    /* Nothing of it is left: neither an item nor a reader. */
    check(weir_channel_receive(channel, &number, WEIR_NOW) == -1 &&
          weir_channel_send(channel, &number, WEIR_NOW) == -1);
    check(weir_send(pair[1], "z", 1) == 1 && weir_recv(pair[0], &number, 1) == 1);
    weir_close(pair[0]);
    weir_close(pair[1]);
    weir_channel_free(channel);
    return 0;
}

static void deadlines_are_kept(void **state)
{
    run_on(state, times_out, NULL);
}

static void threads_keep_deadlines_too(void **state)
{
    (void)state;
    times_out(NULL);
}

static int selects_for_ever(void *arg)
{
    struct waiting *all = arg;
    int64_t in, out = 1;
    weir_case cases[] = {receiving(all->from, &in), sending(all->to, &out), readable(all->quiet[0])};
    return weir_select(cases, 3, WEIR_FOREVER) < 0 ? errno : 0;
}

static int is_cancelled(void *arg)
{
    struct waiting all = {.from = made(0), .to = made(0)};
    int64_t number = 0;
    (void)arg;
    pair_of(all.quiet);
    weir_fiber *fiber = spawned(selects_for_ever, &all);
    weir_sleep(WEIR_US(200));
    weir_case busy[] = {receiving(all.from, &number), readable(all.quiet[0])};
    check(weir_select(busy, 2, WEIR_FOREVER) == -1 && errno == EBUSY);
    weir_cancel_fiber(fiber);
    check(joined(fiber) == ECANCELED);
    check(weir_channel_receive(all.to, &number, WEIR_NOW) == -1);
    check(weir_send(all.quiet[1], "z", 1) == 1 && weir_recv(all.quiet[0], &number, 1) == 1);
    weir_close(all.quiet[0]);
    weir_close(all.quiet[1]);
    weir_channel_free(all.from);
    weir_channel_free(all.to);
    return 0;
}

static void a_cancel_leaves_nothing(void **state)
{
    run_on(state, is_cancelled, NULL);
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
        on_each_backend(whatever_comes_first_is_done),
        on_each_backend(whatever_comes_first_from_a_thread),
        cmocka_unit_test(a_thread_waits_for_whatever_comes_first),
        on_each_backend(only_one_is_done),
        on_each_backend(deadlines_are_kept),
        cmocka_unit_test(threads_keep_deadlines_too),
        on_each_backend(a_cancel_leaves_nothing),
        on_each_backend(ends_are_waited_for),
        on_each_backend(ends_of_other_loops_meet_deadlines),
        on_each_backend(tokens_are_neither_lost_nor_doubled),
        on_each_backend(partners_find_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
