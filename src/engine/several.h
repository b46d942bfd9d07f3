/* Waiting on several descriptors at once: a listener's sockets, a connection's attempts. */
#ifndef WEIR_ENGINE_SEVERAL_H
#define WEIR_ENGINE_SEVERAL_H

#include "engine/engine.h"

/*
 * Descriptors that one fiber or thread at a time waits on, from whichever loop. Nothing remembers what is ready: whoever
 * waits tries all of them first, and after it again.
 */
struct weir__several;

enum { WEIR__SEVERAL_MOST = 32 };

/* With room for `room` descriptors, at most WEIR__SEVERAL_MOST. NULL with ENOMEM. */
struct weir__several *weir__several_new(size_t room);

/* Adds a descriptor; there must be room. */
void weir__several_add(struct weir__several *several, int fd);

/* Takes a descriptor out and closes it, unless the caller, who is the fiber or thread that waited, keeps it. */
void weir__several_remove(struct weir__several *several, int fd, bool close_fd);

/*
 * Closes all that are left, and frees it once the backends hold none of them any more. Nobody may be waiting. Any
 * thread. NULL is fine.
 */
void weir__several_close(struct weir__several *several);

/*
 * Waits until one of them may be ready in the direction, weir__several_wake, or the deadline. `recheck` (may be NULL) is called
 * once the caller is published: true means that there is no need to wait. 0 (try them all), or -1 with ETIMEDOUT,
 * ECANCELED, or the error of registering.
 */
int weir__several_wait(struct weir__several *several, int direction, int64_t deadline, bool (*recheck)(void *),
                       void *arg);

/* Wakes who waits. Any thread. */
void weir__several_wake(struct weir__several *several);

#endif
