/*
 * Timers: a hierarchical wheel, constant cost each, for hundreds of thousands of deadlines.
 *
 * Time is counted in ticks of 2^16 ns (65.5 µs). Level n has 64 slots of 64^n ticks each; a timer sits at the level of the
 * highest digit (base 64) in which its tick differs from the wheel's, and moves down a level when the wheel gets there.
 */
#ifndef WEIR_ENGINE_TIMER_H
#define WEIR_ENGINE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

enum { WEIR__TIMER_SHIFT = 16, WEIR__TIMER_LEVELS = 7, WEIR__TIMER_SLOTS = 64 };

struct weir__timer {
    struct weir__timer *next, **link; /* link points to what points to us; NULL: not in a wheel */
    int64_t expiry;                   /* nanoseconds */
};

struct weir__timers {
    uint64_t tick;                         /* every timer up to and with this tick has fired */
    uint64_t occupied[WEIR__TIMER_LEVELS]; /* a bit a slot; may be set for a slot that has become empty */
    struct weir__timer *slots[WEIR__TIMER_LEVELS][WEIR__TIMER_SLOTS];
};

void weir__timers_init(struct weir__timers *timers, int64_t now);

/* Sets a timer that is in no wheel. An expiry in the past fires at the next run. */
void weir__timer_add(struct weir__timers *timers, struct weir__timer *timer, int64_t expiry);

/* Takes it out. Fine if it is in no wheel. */
void weir__timer_remove(struct weir__timer *timer);

static inline bool weir__timer_armed(const struct weir__timer *timer)
{
    return timer->link != 0;
}

/* When weir__timers_run should be called next, in nanoseconds: less than a tick after the first expiry at the latest. INT64_MAX: nothing is set. */
int64_t weir__timers_next(struct weir__timers *timers);

/* Takes out every timer whose time has come, never early, and calls fire(timer, arg), which may add and remove any. */
void weir__timers_run(struct weir__timers *timers, int64_t now, void (*fire)(struct weir__timer *, void *), void *arg);

#endif
