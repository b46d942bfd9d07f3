/* The timer wheel; see timer.h for how it works. */
#include "engine/timer.h"

#include <string.h>

enum { DIGIT_BITS = 6, DIGIT_MASK = WEIR__TIMER_SLOTS - 1 };

static const uint64_t tick_limit = (1ULL << (DIGIT_BITS * WEIR__TIMER_LEVELS)) - 1;

void weir__timers_init(struct weir__timers *timers, int64_t now)
{
    memset(timers, 0, sizeof *timers);
    timers->tick = (uint64_t)now >> WEIR__TIMER_SHIFT;
}

/* The first tick at which the expiry has passed. */
static uint64_t tick_of(int64_t expiry)
{
    uint64_t tick = expiry <= 0 ? 0 : ((uint64_t)expiry + (1U << WEIR__TIMER_SHIFT) - 1) >> WEIR__TIMER_SHIFT;
    return tick > tick_limit ? tick_limit : tick;
}

static unsigned digit(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (DIGIT_BITS * level)) & DIGIT_MASK;
}

/* The level of the highest digit in which two ticks differ. */
static unsigned level_of(uint64_t tick, uint64_t current)
{
    return (unsigned)(63 - __builtin_clzll((tick ^ current) | 1)) / DIGIT_BITS;
}

static void insert(struct weir__timers *timers, struct weir__timer *timer)
{
    uint64_t tick = tick_of(timer->expiry);
    if (tick <= timers->tick)
        tick = timers->tick + 1;
    unsigned level = level_of(tick, timers->tick);
    if (level >= WEIR__TIMER_LEVELS)
        level = WEIR__TIMER_LEVELS - 1;
    unsigned slot = digit(tick, level);
    struct weir__timer **head = &timers->slots[level][slot];
    timer->next = *head;
    timer->link = head;
    if (*head)
        (*head)->link = &timer->next;
    *head = timer;
    timers->occupied[level] |= 1ULL << slot;
}

void weir__timer_add(struct weir__timers *timers, struct weir__timer *timer, int64_t expiry)
{
    timer->expiry = expiry;
    insert(timers, timer);
}

void weir__timer_remove(struct weir__timer *timer)
{
    if (!timer->link)
        return;
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    timer->link = NULL;
}

/* The next slot with a timer in it: its level and number, and the tick at which it begins. False if there is none. */
static bool next_slot(struct weir__timers *timers, unsigned *level, unsigned *slot, uint64_t *tick)
{
    for (*level = 0; *level < WEIR__TIMER_LEVELS; (*level)++) {
        while (timers->occupied[*level]) {
            *slot = (unsigned)__builtin_ctzll(timers->occupied[*level]);
            if (timers->slots[*level][*slot]) {
                unsigned shift = DIGIT_BITS * *level;
                uint64_t higher = timers->tick >> shift >> DIGIT_BITS << DIGIT_BITS;
                *tick = (higher | *slot) << shift;
                return true;
            }
            timers->occupied[*level] &= ~(1ULL << *slot);
        }
    }
    return false;
}

int64_t weir__timers_next(struct weir__timers *timers)
{
    unsigned level, slot;
    uint64_t tick;
    if (!next_slot(timers, &level, &slot, &tick))
        return INT64_MAX;
    return (int64_t)(tick << WEIR__TIMER_SHIFT);
}

/* Empties a slot whose time has come: on level 0 its timers fire, above they move down. */
static void open_slot(struct weir__timers *timers, unsigned level, unsigned slot,
                      void (*fire)(struct weir__timer *, void *), void *arg)
{
    struct weir__timer *due = timers->slots[level][slot];
    timers->slots[level][slot] = NULL;
    timers->occupied[level] &= ~(1ULL << slot);
    if (due)
        due->link = &due;
    while (due) {
        struct weir__timer *timer = due;
        weir__timer_remove(timer);
        if (tick_of(timer->expiry) <= timers->tick)
            fire(timer, arg);
        else
            insert(timers, timer);
    }
}

void weir__timers_run(struct weir__timers *timers, int64_t now, void (*fire)(struct weir__timer *, void *), void *arg)
{
    uint64_t until = (uint64_t)now >> WEIR__TIMER_SHIFT;
    unsigned level, slot;
    uint64_t tick;
    while (next_slot(timers, &level, &slot, &tick) && tick <= until) {
        timers->tick = tick;
        open_slot(timers, level, slot, fire, arg);
    }
    if (until > timers->tick)
        timers->tick = until;
}
