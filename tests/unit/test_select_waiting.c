/* Waiting for several things at once: what comes later, deadlines, cancels. */
#include "selecting.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(whatever_comes_first_is_done),
        on_each_backend(whatever_comes_first_from_a_thread),
        cmocka_unit_test(a_thread_waits_for_whatever_comes_first),
        on_each_backend(only_one_is_done),
        on_each_backend(deadlines_are_kept),
        cmocka_unit_test(threads_keep_deadlines_too),
        on_each_backend(a_cancel_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
