/* Waiting on several watches at once: what reads from one object and writes to another, both ways. */
#ifndef WEIR_ENGINE_WATCHES_H
#define WEIR_ENGINE_WATCHES_H

#include "engine/fiber.h"

enum { WEIR__WATCHES_MOST = 4 };

/* One of them. Whoever wakes its slot (an event, an abort, a cancel) wakes the whole. */
struct weir__watches_member {
    struct weir__case_waiter waiter; /* what is published in the watch's slot */
    struct weir__watches *whole;
    struct weir__watch *watch;
    struct weir__foreign *visitor; /* of a fiber that is not at the watch's home, while it waits */
    uint8_t direction;
    bool heeded; /* whether the descriptor counts, or only those who wake the slot */
    bool published;
    atomic_bool delivered; /* the last touch of whoever took `waiter` */
};

/* On the heap, zero at first: one fiber or thread at a time waits by it, as the one user of each watch's direction. */
struct weir__watches {
    weir__slot slot;
    size_t count;
    struct weir__watches_member members[WEIR__WATCHES_MOST];
};

/* Forgets what was added, and adds a direction of a watch; there must be room. */
void weir__watches_clear(struct weir__watches *watches);
void weir__watches_add(struct weir__watches *watches, struct weir__watch *watch, int direction, bool heeded);

/*
 * As weir__watch_wait for the first of them: 0 (look at all again), or -1 with ETIMEDOUT, ECANCELED, EBUSY or the error of
 * registering. `recheck` (may be NULL) is called once the caller is published everywhere: true means that there is no need
 * to wait.
 */
int weir__watches_wait(struct weir__watches *watches, int64_t deadline, bool (*recheck)(void *), void *arg);

#endif
