/*
 * Waiting on several descriptors at once: each has a watch on the loop of the fiber that waits, and all wake one slot.
 *
 * A watch stays registered between waits, and is replaced when a fiber of another loop waits. Each holds a reference to the
 * whole, whose slot its events wake, until the backend has let go of it.
 */
#include "engine/several.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/loop.h"

struct member {
    struct weir__foreign *foreign; /* first used by a fiber; NULL before */
    int fd;
};

struct weir__several {
    weir__slot slot;
    atomic_size_t references; /* the owner's, and one a watch */
    size_t count, room;
    struct member members[];
};

static void release(struct weir__several *several)
{
    if (atomic_fetch_sub(&several->references, 1) == 1)
        free(several);
}

static void watch_released(struct weir__watch *watch)
{
    struct weir__foreign *foreign = (struct weir__foreign *)watch;
    struct weir__several *several =
        (struct weir__several *)((char *)foreign->target - offsetof(struct weir__several, slot));
    free(foreign);
    release(several);
}

/* A descriptor is closed where its watch is: a backend that is told later might find another behind its number. */
static void unwatch(struct member *member, bool close_fd)
{
    if (member->foreign)
        weir__watch_close(&member->foreign->watch, close_fd);
    else if (close_fd)
        weir__system()->close(member->fd);
    member->foreign = NULL;
}

struct weir__several *weir__several_new(size_t room)
{
    if (room > WEIR__SEVERAL_MOST) {
        errno = EINVAL;
        return NULL;
    }
    struct weir__several *several = calloc(1, sizeof *several + room * sizeof several->members[0]);
    if (!several)
        return NULL;
    several->references = 1;
    several->room = room;
    return several;
}

void weir__several_add(struct weir__several *several, int fd)
{
    if (several->count == several->room)
        abort();
    several->members[several->count++] = (struct member){.fd = fd};
}

void weir__several_remove(struct weir__several *several, int fd, bool close_fd)
{
    for (size_t i = 0; i < several->count; i++) {
        if (several->members[i].fd != fd)
            continue;
        unwatch(&several->members[i], close_fd);
        several->members[i] = several->members[--several->count];
        return;
    }
}

void weir__several_close(struct weir__several *several)
{
    if (!several)
        return;
    for (size_t i = 0; i < several->count; i++)
        unwatch(&several->members[i], true);
    release(several);
}

void weir__several_wake(struct weir__several *several)
{
    weir__wake(&several->slot);
}

/* --- waiting --- */

static int watch_on(weir_loop *loop, struct weir__several *several, struct member *member, int direction)
{
    if (member->foreign && member->foreign->watch.home != loop)
        unwatch(member, false);
    if (!member->foreign) {
        member->foreign = weir__foreign_new(loop, member->fd, &several->slot);
        if (!member->foreign)
            return -1;
        member->foreign->watch.released = watch_released;
        atomic_fetch_add(&several->references, 1);
    }
    return loop->backend->watch(loop, &member->foreign->watch, direction);
}

static int thread_wait(struct weir__several *several, int direction, int64_t deadline)
{
    struct pollfd descriptors[WEIR__SEVERAL_MOST + 1];
    for (size_t i = 0; i < several->count; i++) {
        descriptors[i + 1].fd = several->members[i].fd;
        descriptors[i + 1].events = direction == WEIR__READABLE ? POLLIN : POLLOUT;
    }
    return weir__thread_park_several(&several->slot, descriptors, several->count + 1, deadline);
}

int weir__several_wait(struct weir__several *several, int direction, int64_t deadline, bool (*recheck)(void *),
                       void *arg)
{
    bool in_fiber = weir__fiber_running();
    for (size_t i = 0; in_fiber && i < several->count; i++)
        if (watch_on(weir__loop_here, several, &several->members[i], direction) < 0)
            return -1;
    if (!weir__wait_begin(&several->slot))
        return -1;
    if (recheck && recheck(arg)) {
        weir__wait_abandon(&several->slot);
        return 0;
    }
    return in_fiber ? weir__wait_park(&several->slot, deadline) : thread_wait(several, direction, deadline);
}
