/* Channels: order, room, rendezvous, closing, and that nothing is lost or doubled between threads and loops. */
#include <weir/channel.h>

#include "engine.h"

static weir_channel *made(size_t item_size, size_t capacity)
{
    weir_channel *channel = weir_channel_new(item_size, capacity);
    check(channel);
    return channel;
}

static int send_number(weir_channel *channel, int64_t number, int64_t deadline)
{
    return weir_channel_send(channel, &number, deadline);
}

static int64_t received_number(weir_channel *channel)
{
    int64_t number = -1;
    check(weir_channel_receive(channel, &number, WEIR_FOREVER) == 0);
    return number;
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

/* --- without waiting --- */

static int keeps_order(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 5);
    (void)arg;
    for (int64_t round = 0; round < 20; round++) {
        for (int64_t i = 0; i < 5; i++)
            check(send_number(channel, round * 10 + i, WEIR_NOW) == 0);
        check(send_number(channel, 99, WEIR_NOW) == -1 && errno == ETIMEDOUT);
        check(weir_error()->kind == WEIR_ERROR_DEADLINE);
        for (int64_t i = 0; i < 5; i++)
            check(received_number(channel) == round * 10 + i);
        int64_t number;
        check(weir_channel_receive(channel, &number, WEIR_NOW) == -1 && errno == ETIMEDOUT);
        /* So that the ring begins elsewhere next time. */
        check(send_number(channel, 1, WEIR_NOW) == 0 && received_number(channel) == 1);
    }
    weir_channel_free(channel);
    return 0;
}

static void items_keep_their_order(void **state)
{
    run_on(state, keeps_order, NULL);
}

static void threads_use_it_too(void **state)
{
    (void)state;
    keeps_order(NULL);
}

static void items_have_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 3, 17, 4096, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weir_channel *channel = made(sizes[i], 3);
        char *item = malloc(sizes[i]), *got = malloc(sizes[i]);
        check(item && got);
        for (int round = 0; round < 7; round++) {
            memset(item, 'a' + round, sizes[i]);
            assert_int_equal(weir_channel_send(channel, item, WEIR_NOW), 0);
            assert_int_equal(weir_channel_receive(channel, got, WEIR_NOW), 0);
            assert_memory_equal(item, got, sizes[i]);
        }
        free(item);
        free(got);
        weir_channel_free(channel);
    }
}

/* A channel of nothing but signals. */
static void items_may_be_empty(void **state)
{
    (void)state;
    weir_channel *channel = made(0, 2);
    assert_int_equal(weir_channel_send(channel, NULL, WEIR_NOW), 0);
    assert_int_equal(weir_channel_send(channel, NULL, WEIR_NOW), 0);
    assert_int_equal(weir_channel_send(channel, NULL, WEIR_NOW), -1);
    assert_int_equal(weir_channel_receive(channel, NULL, WEIR_NOW), 0);
    assert_int_equal(weir_channel_receive(channel, NULL, WEIR_NOW), 0);
    assert_int_equal(weir_channel_receive(channel, NULL, WEIR_NOW), -1);
    weir_channel_free(channel);
}

static void what_is_too_much_is_refused(void **state)
{
    (void)state;
    assert_null(weir_channel_new(SIZE_MAX / 2, 3));
    assert_int_equal(errno, ENOMEM);
    assert_null(weir_channel_new(1, SIZE_MAX - 8));
    assert_null(weir_channel_new(SIZE_MAX - 8, 0));
    assert_int_equal(errno, ENOMEM);
    weir_channel_free(NULL);
}

static void deadlines_in_the_past_do_what_can_be_done(void **state)
{
    (void)state;
    weir_channel *channel = made(sizeof(int64_t), 1);
    int64_t past = weir_now() - WEIR_S(1), number = 0;
    assert_int_equal(send_number(channel, 1, past), 0);
    assert_int_equal(send_number(channel, 2, past), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(weir_channel_receive(channel, &number, past), 0);
    assert_int_equal(weir_channel_receive(channel, &number, past), -1);
    assert_int_equal(errno, ETIMEDOUT);
    weir_channel_free(channel);
}

/* --- waiting --- */

static int sends_three(void *arg)
{
    for (int64_t i = 1; i <= 3; i++)
        check(send_number(arg, i, WEIR_FOREVER) == 0);
    return 0;
}

static int meets(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 0);
    (void)arg;
    check(send_number(channel, 9, WEIR_NOW) == -1 && errno == ETIMEDOUT);
    weir_fiber *sender = spawned(sends_three, channel);
    /* The receiver first, then the sender, then the receiver again. */
    check(received_number(channel) == 1);
    weir_sleep(WEIR_MS(1));
    check(received_number(channel) == 2);
    check(received_number(channel) == 3);
    check(joined(sender) == 0);
    weir_channel_free(channel);
    return 0;
}

static void without_room_they_meet(void **state)
{
    run_on(state, meets, NULL);
}

static int times_out(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 1);
    int64_t number, deadline = weir_deadline(WEIR_MS(2));
    (void)arg;
    check(weir_channel_receive(channel, &number, deadline) == -1 && errno == ETIMEDOUT);
    check(weir_now() >= deadline && weir_error()->kind == WEIR_ERROR_DEADLINE);
    check(send_number(channel, 1, WEIR_FOREVER) == 0);
    deadline = weir_deadline(WEIR_MS(2));
    check(send_number(channel, 2, deadline) == -1 && errno == ETIMEDOUT && weir_now() >= deadline);
    /* What timed out was not sent. */
    check(received_number(channel) == 1);
    check(weir_channel_receive(channel, &number, WEIR_NOW) == -1);
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

static int receives_or_fails(void *arg)
{
    int64_t number = -1;
    return weir_channel_receive(arg, &number, WEIR_FOREVER) == 0 ? (int)number : -errno;
}

static int sends_or_fails(void *arg)
{
    return send_number(arg, 55, WEIR_FOREVER) == 0 ? 0 : -errno;
}

static int is_cancelled(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 0);
    (void)arg;
    weir_fiber *receiver = spawned(receives_or_fails, channel), *next = spawned(receives_or_fails, channel);
    weir_yield();
    weir_cancel_fiber(receiver);
    check(joined(receiver) == -ECANCELED);
    check(send_number(channel, 5, WEIR_NOW) == 0);
    check(joined(next) == 5);
    weir_fiber *sender = spawned(sends_or_fails, channel);
    weir_yield();
    weir_cancel_fiber(sender);
    check(joined(sender) == -ECANCELED);
    int64_t number;
    check(weir_channel_receive(channel, &number, WEIR_NOW) == -1 && errno == ETIMEDOUT);
    /* Cancelled and served in the same moment: what was taken is not lost. */
    receiver = spawned(receives_or_fails, channel);
    weir_yield();
    check(send_number(channel, 6, WEIR_NOW) == 0);
    weir_cancel_fiber(receiver);
    check(joined(receiver) == 6);
    weir_channel_free(channel);
    return 0;
}

static void a_cancelled_wait_leaves_nothing(void **state)
{
    run_on(state, is_cancelled, NULL);
}

static int serves_in_turn(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 0);
    weir_fiber *receivers[5];
    (void)arg;
    for (int i = 0; i < 5; i++)
        receivers[i] = spawned(receives_or_fails, channel);
    weir_yield();
    for (int64_t i = 0; i < 5; i++)
        check(send_number(channel, i, WEIR_NOW) == 0);
    for (int i = 0; i < 5; i++)
        check(joined(receivers[i]) == i);
    weir_channel_free(channel);
    return 0;
}

static void who_came_first_is_served_first(void **state)
{
    run_on(state, serves_in_turn, NULL);
}

/* Its own item: the stack of a parked sender is not looked at. */
static int sends_what_it_changes(void *arg)
{
    int64_t number = 1;
    weir_channel *channel = arg;
    check(weir_channel_send(channel, &number, WEIR_FOREVER) == 0);
    number = 2;
    check(weir_channel_send(channel, &number, WEIR_FOREVER) == 0);
    number = 3;
    weir_yield();
    return 0;
}

static int takes_what_was_sent(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 1);
    (void)arg;
    weir_fiber *sender = spawned(sends_what_it_changes, channel);
    weir_sleep(WEIR_MS(1));
    /* The one that waited moves up into the ring. */
    check(received_number(channel) == 1);
    weir_sleep(WEIR_MS(1));
    check(received_number(channel) == 2);
    check(joined(sender) == 0);
    weir_channel_free(channel);
    return 0;
}

static void items_are_copied(void **state)
{
    run_on(state, takes_what_was_sent, NULL);
}

static int raises_a_flag(void *arg)
{
    weir_yield();
    *(bool *)arg = true;
    return 0;
}

static int never_waits(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 1);
    bool raised = false;
    (void)arg;
    weir_fiber *other = spawned(raises_a_flag, &raised);
    while (!raised)
        check(send_number(channel, 1, WEIR_FOREVER) == 0 && received_number(channel) == 1);
    check(joined(other) == 0);
    weir_cancel_fiber(weir_self());
    int count = 0;
    while (count < 100 && send_number(channel, 1, WEIR_FOREVER) == 0 &&
           weir_channel_receive(channel, &(int64_t){0}, WEIR_NOW) == 0)
        count++;
    check(count < 100 && errno == ECANCELED);
    weir_channel_free(channel);
    return 0;
}

/* What never has to wait keeps nobody from running, and can be cancelled. */
static void one_that_never_waits_lets_others_run(void **state)
{
    run_on(state, never_waits, NULL);
}

/* --- closing --- */

static int closes(void *arg)
{
    weir_channel *channel = made(sizeof(int64_t), 2);
    int64_t number;
    (void)arg;
    check(send_number(channel, 1, WEIR_NOW) == 0 && send_number(channel, 2, WEIR_NOW) == 0);
    weir_fiber *senders[] = {spawned(sends_or_fails, channel), spawned(sends_or_fails, channel)};
    weir_yield();
    weir_channel_close(channel);
    weir_channel_close(channel);
    check(joined(senders[0]) == -EPIPE && joined(senders[1]) == -EPIPE);
    check(send_number(channel, 3, WEIR_FOREVER) == -1 && errno == EPIPE);
    check(weir_error()->kind == WEIR_ERROR_CLOSED);
    check(received_number(channel) == 1 && received_number(channel) == 2);
    check(weir_channel_receive(channel, &number, WEIR_FOREVER) == -1 && errno == EPIPE);
    weir_channel_free(channel);
    channel = made(sizeof(int64_t), 2);
    weir_fiber *receivers[] = {spawned(receives_or_fails, channel), spawned(receives_or_fails, channel)};
    weir_yield();
    weir_channel_close(channel);
    check(joined(receivers[0]) == -EPIPE && joined(receivers[1]) == -EPIPE);
    weir_channel_free(channel);
    return 0;
}

static void closing_ends_every_wait(void **state)
{
    run_on(state, closes, NULL);
}

/* --- many, from everywhere --- */

enum { SENDERS = 4, RECEIVERS = 4 };

struct market {
    weir_channel *channel;
    int64_t each; /* numbers that each sender sends */
    atomic_int_least64_t next_sender, sum, count;
};

static int market_sends(void *arg)
{
    struct market *market = arg;
    int64_t first = market->next_sender++ * market->each;
    uint64_t random = (uint64_t)first + 7;
    for (int64_t i = 0; i < market->each;) {
        /* Some come too late, and try again: what failed was not sent. */
        int64_t deadline = chance(&random, 4) ? WEIR_FOREVER : weir_deadline((int64_t)chance(&random, WEIR_US(50)));
        if (send_number(market->channel, first + i, deadline) == 0)
            i++;
        else
            check(errno == ETIMEDOUT);
    }
    return 0;
}

static int market_receives(void *arg)
{
    struct market *market = arg;
    uint64_t random = (uintptr_t)&random | 1;
    for (;;) {
        int64_t number = -1;
        int64_t deadline = chance(&random, 4) ? WEIR_FOREVER : weir_deadline((int64_t)chance(&random, WEIR_US(50)));
        if (weir_channel_receive(market->channel, &number, deadline) == 0) {
            market->sum += number;
            market->count++;
        } else if (errno == EPIPE) {
            return 0;
        } else {
            check(errno == ETIMEDOUT);
        }
    }
}

static int market_receives_in_fibers(void *arg)
{
    weir_fiber *fibers[RECEIVERS];
    for (int i = 0; i < RECEIVERS; i++)
        fibers[i] = spawned(market_receives, arg);
    for (int i = 0; i < RECEIVERS; i++)
        check(joined(fibers[i]) == 0);
    return 0;
}

static int market_sends_in_fibers(void *arg)
{
    weir_fiber *fibers[SENDERS];
    for (int i = 0; i < SENDERS; i++)
        fibers[i] = spawned(market_sends, arg);
    for (int i = 0; i < SENDERS; i++)
        check(joined(fibers[i]) == 0);
    return 0;
}

static void hold_market(void **state, size_t capacity)
{
    (void)backend_of(state);
    struct market market = {.channel = made(sizeof(int64_t), capacity), .each = (int64_t)often(2000)};
    struct other senders[3], receivers[3];
    start_loop_thread(&receivers[0], backend_of(state), market_receives_in_fibers, &market);
    start_loop_thread(&receivers[1], backend_of(state), market_receives_in_fibers, &market);
    start_thread(&receivers[2], market_receives, &market);
    start_loop_thread(&senders[0], backend_of(state), market_sends_in_fibers, &market);
    start_loop_thread(&senders[1], backend_of(state), market_sends_in_fibers, &market);
    start_thread(&senders[2], market_sends, &market);
    for (int i = 0; i < 3; i++)
        finish_other(&senders[i]);
    weir_channel_close(market.channel);
    for (int i = 0; i < 3; i++)
        finish_other(&receivers[i]);
    int64_t total = market.each * (2 * SENDERS + 1);
    assert_int_equal(market.count, total);
    assert_int_equal(market.sum, total * (total - 1) / 2);
    weir_channel_free(market.channel);
}

static void nothing_is_lost_without_room(void **state)
{
    hold_market(state, 0);
}

static void nothing_is_lost_with_little_room(void **state)
{
    hold_market(state, 3);
}

static void nothing_is_lost_with_much_room(void **state)
{
    hold_market(state, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(items_keep_their_order),
        cmocka_unit_test(threads_use_it_too),
        cmocka_unit_test(items_have_any_size),
        cmocka_unit_test(items_may_be_empty),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(deadlines_in_the_past_do_what_can_be_done),
        on_each_backend(without_room_they_meet),
        on_each_backend(deadlines_are_kept),
        cmocka_unit_test(threads_keep_deadlines_too),
        on_each_backend(a_cancelled_wait_leaves_nothing),
        on_each_backend(who_came_first_is_served_first),
        on_each_backend(items_are_copied),
        on_each_backend(one_that_never_waits_lets_others_run),
        on_each_backend(closing_ends_every_wait),
        on_each_backend(nothing_is_lost_without_room),
        on_each_backend(nothing_is_lost_with_little_room),
        on_each_backend(nothing_is_lost_with_much_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
