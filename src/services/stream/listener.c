/*
 * A listener's fiber. It sleeps for a second or two, sends all that has come since in one call, and sleeps again: it
 * never waits for its socket, and holds no block while it sleeps, so that it costs little and holds nobody up. Those
 * who came at about the same time wake together.
 */
#include "listener.h"

#include <stdlib.h>

/*
 * Listeners wake at multiples of it. Periods are powers of two of them, and such that half a burst comes in one, or
 * less.
 */
#define STEP WEIR_US(31250)
enum { SHORTEST_PERIOD = 8, PERIOD = 32, LONGEST_PERIOD = 64, FIRST_PAUSE = 1 }; /* in steps */

/*
 * A source that was silent for so long before it ended leaves its listeners with nothing in store: they get a burst
 * again.
 */
#define SILENCE WEIR_S(2)

static const struct mounts_options *options_of(const struct listener *listener)
{
    return &listener->mount->mounts->options;
}

/* --- what it hears --- */

/* Begins to hear another reel, `behind` bytes before its end or at the start next to that. Its header comes first. */
static bool tune(struct listener *listener, struct reel *reel, uint64_t behind)
{
    reel_drop(listener->reel);
    listener->reel = reel;
    listener->joined = reel_join(reel, behind, &listener->position);
    return reel_header(reel, &listener->rest, &listener->rest_size);
}

/* How far before the end it begins to hear another: at once after the one before, unless that was silent. */
static uint64_t behind_after(struct listener *listener)
{
    struct reel_look look;
    if (!listener->reel)
        return options_of(listener)->burst;
    reel_look(listener->reel, &look);
    return weir_now() - look.written < SILENCE ? 0 : options_of(listener)->burst;
}

/*
 * Looks what there is to hear. What it hears goes on to its end, unless its own source is there again. False: it
 * cannot go on.
 */
static bool look_around(struct listener *listener, bool at_end)
{
    struct reel *heard = mount_heard(listener->mount, listener->reel ? reel_type(listener->reel) : NULL);
    bool is_own = heard && reel_mount(heard) == listener->mount;
    bool returns = is_own && listener->reel && reel_mount(listener->reel) != listener->mount;
    bool goes_over = heard && heard != listener->reel && (at_end || returns);
    if (goes_over)
        return tune(listener, heard, behind_after(listener));
    reel_drop(heard);
    return true;
}

/*
 * Too far behind: on with the newest that leaves it a burst, and with the header of that, where it is another by now.
 * False: it cannot go on.
 */
static bool set_forward(struct listener *listener, uint64_t since)
{
    uint64_t position, before = listener->position;
    listener->joined = reel_join(listener->reel, options_of(listener)->burst, &position) && position > before;
    if (listener->joined)
        listener->position = position;
    atomic_fetch_add(&listener->mount->skipped, 1);
    if (!listener->joined || before >= since)
        return true;
    return reel_header(listener->reel, &listener->rest, &listener->rest_size);
}

/* Between two frames: whether to go over to another source, or on from further ahead. False: it cannot go on. */
static bool choose(struct listener *listener)
{
    struct reel_look look = {.ended = true};
    uint64_t generation = atomic_load(&listener->mount->mounts->generation);
    if (listener->reel)
        reel_look(listener->reel, &look);
    bool at_end = look.ended && (!listener->joined || listener->position >= look.end);
    if ((at_end || generation != listener->generation) && !look_around(listener, at_end))
        return false;
    listener->generation = generation;
    if (!at_end)
        listener->heard = weir_now();
    if (!listener->reel || listener->rest)
        return true;
    if (!listener->joined)
        listener->joined = reel_join(listener->reel, options_of(listener)->burst, &listener->position);
    reel_look(listener->reel, &look);
    if (listener->joined && look.end - listener->position > options_of(listener)->queue)
        return set_forward(listener, look.since);
    return true;
}

/* --- sending --- */

/* Sends all that there is, and that the socket takes. */
static enum sending send_on(struct listener *listener)
{
    for (;;) {
        enum sending result = listener_send_rest(listener);
        if (result != SENT_ALL)
            return result;
        if (!choose(listener))
            return SENT_FAILED;
        uint64_t before = listener->sent;
        if (!listener->rest) {
            result = listener->joined ? listener_send_batch(listener) : SENT_ALL;
            if (result != SENT_ALL || listener->sent == before)
                return result;
        }
    }
}

/* A longer period means fewer calls; but a player has no more in store than the burst. */
static void adapt(struct listener *listener, uint64_t sent)
{
    uint64_t burst = options_of(listener)->burst;
    if (listener->pause != listener->period)
        return; /* it was not a whole one */
    if (sent > burst / 2 && listener->period > SHORTEST_PERIOD)
        listener->period /= 2;
    else if (sent > 0 && sent <= burst / 4 && listener->period < LONGEST_PERIOD)
        listener->period *= 2;
}

/* Looks again after a period; sooner where the socket was full, as long as it takes something. */
static void plan(struct listener *listener, bool all, uint64_t sent)
{
    if (all) {
        adapt(listener, sent);
        listener->pause = listener->period;
    } else if (sent > 0) {
        listener->pause = FIRST_PAUSE;
    } else {
        listener->pause = 2 * listener->pause < PERIOD ? 2 * listener->pause : PERIOD;
    }
}

static bool is_over(const struct listener *listener)
{
    int64_t now = weir_now();
    return atomic_load(&listener->mount->mounts->stopped) || weir_server_stopping(listener->server) ||
           now >= listener->ends || now - listener->heard >= options_of(listener)->grace;
}

/* One turn. Whether it goes on. */
static bool turn(struct listener *listener)
{
    uint64_t before = listener->sent;
    enum sending result = send_on(listener);
    if (result == SENT_FAILED)
        return false;
    if (result == SENT_ALL || listener->sent != before)
        listener->moved = weir_now();
    if (listener->rest)
        listener->heard = weir_now();
    listener->given = weir_now() - listener->moved >= options_of(listener)->patience;
    plan(listener, result == SENT_ALL, listener->sent - before);
    return !listener->given && !is_over(listener);
}

/* The next of its own times, which are a period apart; soon where there is more to send. */
static int64_t next_turn(const struct listener *listener)
{
    int64_t now = weir_now(), period = listener->period * STEP;
    if (listener->pause < listener->period)
        return now - now % STEP + listener->pause * STEP;
    return now - (now + period - listener->phase * STEP % period) % period + period;
}

void listener_run(struct listener *listener)
{
    listener->phase = atomic_fetch_add(&listener->mount->mounts->last_listener, 1) % LONGEST_PERIOD;
    listener->moved = listener->heard = weir_now();
    listener->period = PERIOD;
    listener->pause = FIRST_PAUSE;
    if (!turn(listener))
        return;
    weir_forget_stack();
    while (weir_sleep_until(next_turn(listener)) == 0 && turn(listener))
        ;
}
