/* Signals that are waited for, and their names. */
#include "everywhere.h"

#include <signal.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/signal.h>
#include <weir/time.h>

static weir_signals *new_signals(void)
{
    static const int numbers[] = {SIGUSR1, SIGUSR2};
    weir_signals *signals = weir_signals_new(numbers, 2);
    assert_non_null(signals);
    return signals;
}

static void those_that_came_are_read_one_by_one(void)
{
    weir_signals *signals = new_signals();
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    assert_int_equal(weir_signals_wait(signals, WEIR_NOW), SIGUSR1);
    assert_int_equal(weir_signals_wait(signals, SOON), SIGUSR2);
    assert_int_equal(weir_signals_wait(signals, WEIR_NOW), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_DEADLINE);
    assert_int_equal(weir_signals_wait(signals, weir_deadline(WEIR_MS(5))), -1);
    assert_int_equal(errno, ETIMEDOUT);
    weir_signals_free(signals);
}

static void *send_soon(void *arg)
{
    weir_sleep(WEIR_MS(5));
    kill(getpid(), SIGUSR1);
    return arg;
}

static void one_is_waited_for(void)
{
    weir_signals *signals = new_signals();
    for (int round = 0; round < 3; round++) {
        pthread_t other = beside(send_soon, NULL);
        assert_int_equal(weir_signals_wait(signals, SOON), SIGUSR1);
        join_beside(other);
    }
    weir_signals_free(signals);
}

/* Directed at the very thread, as raise(3) does. */
static void one_for_the_thread_is_read(void)
{
    weir_signals *signals = new_signals();
    raise(SIGUSR2);
    assert_int_equal(weir_signals_wait(signals, SOON), SIGUSR2);
    weir_signals_free(signals);
}

static int wait_for_ever(void *signals)
{
    return weir_signals_wait(signals, WEIR_FOREVER) < 0 ? errno : 0;
}

static void one_waits_at_a_time_and_may_be_cancelled(void)
{
    int result;
    weir_signals *signals = new_signals();
    weir_fiber *waiter = weir_spawn(wait_for_ever, signals, NULL);
    weir_yield();
    assert_int_equal(weir_signals_wait(signals, SOON), -1);
    assert_int_equal(errno, EBUSY);
    weir_cancel_fiber(waiter);
    assert_int_equal(weir_join(waiter, &result, SOON), 0);
    assert_int_equal(result, ECANCELED);
    weir_signals_free(signals);
}

static bool is_blocked(int number)
{
    sigset_t mask;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    return sigismember(&mask, number) == 1;
}

static void the_mask_is_given_back(void)
{
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    weir_signals *signals = new_signals();
    assert_true(is_blocked(SIGUSR1));
    weir_signals_free(signals);
    assert_false(is_blocked(SIGUSR1));
    assert_true(is_blocked(SIGUSR2));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    weir_signals_free(NULL);
}

static void what_never_comes_is_refused(void)
{
    static const int wrong[] = {SIGKILL, SIGSTOP, 0, -1, 999};
    for (size_t index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
        const int numbers[] = {SIGUSR1, wrong[index]};
        assert_null(weir_signals_new(numbers, 2));
        assert_int_equal(errno, EINVAL);
        assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
        assert_false(is_blocked(SIGUSR1));
    }
}

static int no_signalfd(int fd, const sigset_t *mask, int flags)
{
    (void)fd, (void)mask, (void)flags;
    errno = EMFILE;
    return -1;
}

static void without_a_descriptor_nothing_is_changed(void **state)
{
    static const int numbers[] = {SIGUSR1};
    struct weir__system without = weir__kernel;
    (void)state;
    without.signalfd = no_signalfd;
    weir__system_here = &without;
    assert_null(weir_signals_new(numbers, 1));
    weir__system_here = &weir__kernel;
    assert_int_equal(errno, EMFILE);
    assert_false(is_blocked(SIGUSR1));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(weir_signal_name(SIGTERM), "SIGTERM");
    assert_string_equal(weir_signal_name(SIGSYS), "SIGSYS");
    assert_string_equal(weir_signal_name(99), "signal 99");
    assert_string_equal(weir_signal_name(0), "signal 0");
    assert_string_equal(weir_signal_name(-1), "signal -1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(those_that_came_are_read_one_by_one),
        EVERYWHERE(one_is_waited_for),
        EVERYWHERE(one_for_the_thread_is_read),
        IN_FIBERS(one_waits_at_a_time_and_may_be_cancelled),
        EVERYWHERE(the_mask_is_given_back),
        EVERYWHERE(what_never_comes_is_refused),
        cmocka_unit_test(without_a_descriptor_nothing_is_changed),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
