/*
 * Waiting on several descriptors at once: each has a watch on the loop of the fiber that waits, and all wake one slot.
 *
 * A watch stays registered between waits, on the loop of the first fiber that waited: there the descriptor is closed. A fiber
 * of another loop has watches for the occasion. Each holds a reference to the whole, whose slot its events wake, until the
 * backend has let go of it.
 */
#include "engine/several.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/loop.h"

struct member {
    struct weir__foreign *foreign; /* first used by a fiber; NULL before */
    struct weir__foreign *visitor; /* of the fiber of another loop that is waiting; NULL */
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

static struct weir__foreign *new_watch(weir_loop *loop, struct weir__several *several, int fd)
{
    struct weir__foreign *foreign = weir__foreign_new(loop, fd, &several->slot);
    if (!foreign)
        return NULL;
    foreign->watch.released = watch_released;
    atomic_fetch_add(&several->references, 1);
    return foreign;
}

static int watch_on(weir_loop *loop, struct weir__several *several, struct member *member, int direction)
{
    bool at_home = !member->foreign || member->foreign->watch.home == loop;
    struct weir__foreign **place = at_home ? &member->foreign : &member->visitor;
    if (!*place && !(*place = new_watch(loop, several, member->fd)))
        return -1;
    return loop->backend->watch(loop, &(*place)->watch, direction);
}

static int watch_all(weir_loop *loop, struct weir__several *several, int direction)
{
    for (size_t i = 0; i < several->count; i++)
        if (watch_on(loop, several, &several->members[i], direction) < 0)
            return -1;
    return 0;
}

/* On their loop, before anybody can close the descriptors: none is unregistered when its number may be another's. */
static void dismiss_visitors(struct weir__several *several)
{
    int saved = errno;
    for (size_t i = 0; i < several->count; i++) {
        if (several->members[i].visitor)
            weir__watch_close(&several->members[i].visitor->watch, false);
        several->members[i].visitor = NULL;
    }
    errno = saved;
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

static int wait_watched(struct weir__several *several, int direction, int64_t deadline, bool (*recheck)(void *),
                        void *arg)
{
    if (!weir__wait_begin(&several->slot))
        return -1;
    if (recheck && recheck(arg)) {
        weir__wait_abandon(&several->slot);
        return 0;
    }
    return weir__fiber_running() ? weir__wait_park(&several->slot, deadline)
                                 : thread_wait(several, direction, deadline);
}

int weir__several_wait(struct weir__several *several, int direction, int64_t deadline, bool (*recheck)(void *),
                       void *arg)
{
    bool in_fiber = weir__fiber_running();
    int result = in_fiber ? watch_all(weir__loop_here, several, direction) : 0;
    if (result == 0)
        result = wait_watched(several, direction, deadline, recheck, arg);
    if (in_fiber)
        dismiss_visitors(several);
    return result;
}
