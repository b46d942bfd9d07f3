/* Conversations of fibers with each other and with threads: spawned, joined, cancelled; channels, select, the pool, loops. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "talks.h"

/* --- fibers --- */

static int sleep_long(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_S(100000)) == 0; /* until it is cancelled */
}

static int sleep_short(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_MS(1)) < 0 ? failed("weir_sleep") - 1 : 0;
}

static weir_fiber *spawn(weir_fiber_function *function, void *arg)
{
    weir_fiber *fiber = weir_spawn(function, arg, NULL);
    if (!fiber)
        failed("weir_spawn");
    return fiber;
}

static bool fibers(void)
{
    weir_fiber *sleeper = spawn(sleep_long, NULL);
    if (!sleeper)
        return false;
    weir_fiber *short_one = spawn(sleep_short, NULL);
    bool well = short_one && join(short_one);
    if (weir_yield() < 0)
        well = failed("weir_yield");
    weir_cancel_fiber(sleeper);
    return join(sleeper) && well;
}

/* --- channels --- */

enum { ITEMS = 5 };

static int send_items(void *arg)
{
    weir_channel *channel = arg;
    int result = 0;
    for (int i = 0; i < ITEMS && result == 0; i++)
        if (weir_channel_send(channel, &i, SOON) < 0)
            result = failed("weir_channel_send") - 1;
    weir_channel_close(channel);
    return result;
}

static bool receive_items(weir_channel *channel)
{
    for (int i = 0, item; i < ITEMS; i++) {
        if (weir_channel_receive(channel, &item, SOON) < 0)
            return failed("weir_channel_receive");
        if (item != i)
            return wrong("item %d is %d", i, item);
    }
    return true;
}

/* An end before the last item is not an error of the receiver's making, but of the sender's. */
static bool pass_items(weir_channel *channel)
{
    weir_fiber *sender = spawn(send_items, channel);
    if (!sender)
        return false;
    bool well = receive_items(channel);
    weir_channel_close(channel);
    return join(sender) && well;
}

static bool channels(void)
{
    for (size_t capacity = 0; capacity < 2; capacity++) {
        weir_channel *channel = weir_channel_new(sizeof(int), capacity);
        if (!channel)
            return failed("weir_channel_new");
        bool well = pass_items(channel);
        weir_channel_free(channel);
        if (!well)
            return false;
    }
    return true;
}

/* --- select --- */

struct several {
    weir_channel *channel;
    weir_fiber *fiber;
    weir_conn *pair[2];
};

static int give_later(void *arg)
{
    struct several *several = arg;
    int item = 7;
    if (weir_sleep(WEIR_MS(1)) < 0)
        return failed("weir_sleep") - 1;
    return weir_channel_send(several->channel, &item, SOON) < 0 ? failed("weir_channel_send") - 1 : 0;
}

static bool select_channel(struct several *several)
{
    int item = 0;
    weir_case cases[] = {
        {.kind = WEIR_CASE_READABLE, .conn = several->pair[0]},
        {.kind = WEIR_CASE_RECEIVE, .channel = several->channel, .item = &item},
    };
    int which = weir_select(cases, 2, SOON);
    if (which < 0)
        return failed("weir_select");
    return (which == 1 && item == 7) || wrong("weir_select says %d, the item is %d", which, item);
}

static bool select_end_and_readable(struct several *several)
{
    weir_case cases[] = {
        {.kind = WEIR_CASE_END, .fiber = several->fiber},
        {.kind = WEIR_CASE_READABLE, .conn = several->pair[0]},
        {.kind = WEIR_CASE_WRITABLE, .conn = several->pair[1]},
    };
    if (!send_text(several->pair[1], "x"))
        return false;
    for (int i = 0; i < 3; i++)
        TRY(weir_select(cases, 3, SOON));
    return read_text(several->pair[0], "x");
}

static bool select_with(struct several *several)
{
    several->fiber = spawn(give_later, several);
    if (!several->fiber)
        return false;
    bool well = select_channel(several) && select_end_and_readable(several);
    weir_channel_close(several->channel);
    return join(several->fiber) && well;
}

static bool selects(void)
{
    struct several several = {.channel = weir_channel_new(sizeof(int), 0)};
    if (!several.channel)
        return failed("weir_channel_new");
    bool well = weir_pair(SOCK_STREAM, several.pair) == 0;
    if (!well)
        failed("weir_pair");
    else {
        well = select_with(&several);
        weir_close(several.pair[0]);
        weir_close(several.pair[1]);
    }
    weir_channel_free(several.channel);
    return well;
}

/* In a thread, where no fiber can be spawned: what is there already. */
static bool select_ready(struct several *several)
{
    int item = 0, seven = 7;
    weir_case cases[] = {
        {.kind = WEIR_CASE_READABLE, .conn = several->pair[0]},
        {.kind = WEIR_CASE_RECEIVE, .channel = several->channel, .item = &item},
    };
    TRY(weir_channel_send(several->channel, &seven, SOON));
    TRY(weir_select(&cases[1], 1, SOON));
    if (item != 7)
        return wrong("the item is %d", item);
    if (weir_select(cases, 2, weir_deadline(WEIR_MS(1))) >= 0)
        return wrong("weir_select found what is not there");
    if (errno != ETIMEDOUT)
        return failed("weir_select");
    if (!send_text(several->pair[1], "x"))
        return false;
    TRY(weir_select(cases, 2, SOON));
    return read_text(several->pair[0], "x");
}

static bool selects_in_thread(void)
{
    struct several several = {.channel = weir_channel_new(sizeof(int), 1)};
    if (!several.channel)
        return failed("weir_channel_new");
    bool well = weir_pair(SOCK_STREAM, several.pair) == 0;
    if (well) {
        well = select_ready(&several);
        weir_close(several.pair[0]);
        weir_close(several.pair[1]);
    } else
        failed("weir_pair");
    weir_channel_free(several.channel);
    return well;
}

/* --- the pool --- */

static int answer(void *arg)
{
    *(int *)arg += 1;
    errno = EDOM;
    return 42;
}

static void nothing_to_free(void *arg)
{
    (void)arg;
}

static int on_pool(void *arg)
{
    int result = 0;
    if (weir_offload(answer, arg, NULL, &result, WEIR_FOREVER) < 0)
        return failed("weir_offload") - 1;
    return result == 42 && errno == EDOM ? 0 : wrong("weir_offload gives %d", result) - 1;
}

static bool offloads(void)
{
    static int sum[3]; /* the pool's where it was abandoned */
    weir_fiber *fiber = spawn(on_pool, &sum[0]);
    if (!fiber)
        return false;
    bool well = on_pool(&sum[1]) == 0;
    int result;
    if (weir_offload(answer, &sum[2], nothing_to_free, &result, SOON) < 0)
        well = failed("weir_offload");
    return join(fiber) && well;
}

/* --- a loop within another --- */

static bool turn_until_ended(weir_loop *loop)
{
    int descriptor = weir_loop_fd(loop);
    if (descriptor < 0)
        return failed("weir_loop_fd");
    for (;;) {
        int left = weir_loop_once(loop, WEIR_NOW);
        if (left < 0)
            return failed("weir_loop_once");
        if (left == 0)
            return true;
        struct pollfd readable = {descriptor, POLLIN, 0};
        poll(&readable, 1, 1);
    }
}

static bool embedded(void)
{
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = talk_backend));
    if (!loop)
        return failed("weir_loop_new");
    weir_fiber *fiber = spawn(sleep_short, NULL);
    bool well = fiber && turn_until_ended(loop);
    if (fiber && well)
        well = join(fiber);
    else if (fiber) {
        weir_loop_free(loop);
        return join(fiber) && false;
    }
    weir_loop_free(loop);
    return well;
}

/* --- threads --- */

struct between {
    weir_conn *pair[2];
    weir_channel *channel;
    bool well;
};

static void *other_thread(void *arg)
{
    struct between *between = arg;
    int item = 3;
    between->well = read_line(between->pair[1], "over") && send_text(between->pair[1], "and out\n");
    if (between->well && weir_channel_send(between->channel, &item, SOON) < 0)
        between->well = failed("weir_channel_send");
    weir_channel_close(between->channel);
    return NULL;
}

static bool this_thread(struct between *between)
{
    int item = 0;
    if (!send_text(between->pair[0], "over\n") || !read_line(between->pair[0], "and out"))
        return false;
    TRY(weir_channel_receive(between->channel, &item, SOON));
    return item == 3 || wrong("the item is %d", item);
}

static bool with_other_thread(struct between *between)
{
    pthread_t thread;
    weir_set_timeout(between->pair[0], PATIENCE);
    weir_set_timeout(between->pair[1], PATIENCE);
    bool started = start_with_system(&thread, other_thread, between);
    bool well = started && this_thread(between);
    weir_abort(between->pair[0]);
    if (started)
        pthread_join(thread, NULL);
    return well && between->well;
}

static bool threads(void)
{
    struct between between = {.channel = weir_channel_new(sizeof(int), 1)};
    if (!between.channel)
        return failed("weir_channel_new");
    bool well = weir_pair(SOCK_STREAM, between.pair) == 0;
    if (well) {
        well = with_other_thread(&between);
        weir_close(between.pair[0]);
        weir_close(between.pair[1]);
    } else
        failed("weir_pair");
    weir_channel_free(between.channel);
    return well;
}

const struct conversation engine_talks[] = {
    {"fibers", fibers, .in_fiber = true},     {"channels", channels, .in_fiber = true},
    {"selects", selects, .in_fiber = true},   {"selects_in_thread", selects_in_thread, .once = true},
    {"offloads", offloads, .in_fiber = true}, {"embedded", embedded},
    {"threads", threads, .once = true},       {0},
};
