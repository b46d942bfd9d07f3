/* Many timers: sleeps, joins and channels with deadlines from nothing to minutes, each kept to the tick. */
#include "common.h"
#include "scenarios.h"

enum { SLEEPERS = 40, NAPS = 6 };

/* A tick of the wheel's, and what a turn of the loop costs. */
#define SOON WEIR_US(200)

static weir_channel *never;

/* From microseconds to minutes, each order of magnitude alike. */
static int64_t some_time(void)
{
    int64_t most = WEIR_US(1) << weir_sim_below(28);
    return between(most / 2, most);
}

static int wait_in_channel(int64_t deadline)
{
    char item;
    return weir_channel_receive(never, &item, deadline) < 0 && errno == ETIMEDOUT ? 0 : -1;
}

static int sleep_for(void *arg)
{
    return weir_sleep(*(int64_t *)arg);
}

/* Joins a fiber that sleeps longer than it is waited for. */
static int wait_in_join(int64_t deadline)
{
    int64_t longer = WEIR_MINUTES(10);
    weir_fiber *fiber = weir_spawn(sleep_for, &longer, WEIR_OPTIONS(weir_fiber_options, .name = "sleeper"));
    if (!fiber)
        return -1;
    int result = weir_join(fiber, NULL, deadline) < 0 && errno == ETIMEDOUT ? 0 : -1;
    int64_t ended = weir_now();
    weir_cancel_fiber(fiber);
    if (weir_join(fiber, NULL, WEIR_FOREVER) < 0)
        return -1;
    WEIR_SIM_CHECK(weir_now() <= ended + SOON);
    return result;
}

static int wait_in_select(int64_t deadline)
{
    char item;
    weir_case cases[] = {{.kind = WEIR_CASE_RECEIVE, .channel = never, .item = &item}};
    return weir_select(cases, 1, deadline) < 0 && errno == ETIMEDOUT ? 0 : -1;
}

static int nap(void)
{
    int64_t deadline = weir_now() + some_time();
    int result;
    switch (weir_sim_below(4)) {
    case 0:
        result = wait_in_channel(deadline);
        break;
    case 1:
        result = wait_in_join(deadline);
        break;
    case 2:
        result = wait_in_select(deadline);
        break;
    default:
        result = weir_sleep_until(deadline);
        break;
    }
    check_due("a wait", deadline, SOON);
    return result;
}

static int sleeper(void *arg)
{
    int64_t wall = weir_wall_clock(), now = weir_now();
    (void)arg;
    for (int i = 0; i < NAPS; i++)
        if (nap() < 0)
            return -1;
    WEIR_SIM_CHECK(weir_wall_clock() - wall >= weir_now() - now);
    return 0;
}

static int program(void *arg)
{
    weir_fiber *fibers[SLEEPERS];
    int result = 0;
    never = weir_channel_new(1, 1);
    for (int i = 0; i < SLEEPERS; i++)
        if (!(fibers[i] = weir_spawn(sleeper, arg, WEIR_OPTIONS(weir_fiber_options, .name = "sleeper"))))
            abort();
    for (int i = 0, one; i < SLEEPERS; i++)
        if (weir_join(fibers[i], &one, WEIR_FOREVER) < 0 || one < 0)
            result = -1;
    weir_channel_free(never);
    return result;
}

void clocks(void)
{
    weir_sim_program(weir_sim_host_new(NULL), "sleepers", program, NULL);
}
