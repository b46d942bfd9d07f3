/* Pipes: 64 KiB between two ends, as pipe(7) has them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/sim/sim.h"
#include "engine/sim/vector.h"

enum { MOST = 65536, FIRST_ROOM = 1024 };

struct end;

/* What both ends share; freed with the second. */
struct pipe {
    struct end *reader, *writer; /* NULL: closed */
    unsigned char *bytes;        /* a ring */
    size_t room, first, count;
};

struct end {
    struct weir__sim_object object;
    struct pipe *pipe;
};

static struct pipe *pipe_of(struct weir__sim_object *object)
{
    return ((struct end *)object)->pipe;
}

static bool is_reader(const struct weir__sim_object *object)
{
    const struct end *end = (const struct end *)object;
    return end->pipe->reader == end;
}

static size_t left(const struct pipe *pipe)
{
    return MOST - pipe->count;
}

/* As pipe(7): what is at most PIPE_BUF must fit in one piece. */
static bool is_writable(const struct pipe *pipe)
{
    return left(pipe) >= PIPE_BUF;
}

static unsigned pipe_ready(struct weir__sim_object *object)
{
    const struct pipe *pipe = pipe_of(object);
    if (is_reader(object))
        return (pipe->count ? POLLIN : 0U) | (pipe->writer ? 0U : POLLHUP);
    return (is_writable(pipe) || !pipe->reader ? POLLOUT : 0U) | (pipe->reader ? 0U : POLLERR);
}

static void tell(struct end *end, unsigned events)
{
    if (end)
        weir__sim_changed(&end->object, events);
}

/* --- the ring --- */

/* 0, or -1 with ENOMEM. */
static int make_room(struct pipe *pipe, size_t needed)
{
    size_t room = pipe->room ? pipe->room : FIRST_ROOM;
    while (room < needed)
        room *= 2;
    if (room == pipe->room)
        return 0;
    unsigned char *bytes = malloc(room);
    if (!bytes)
        return -1;
    size_t tail = pipe->room - pipe->first < pipe->count ? pipe->room - pipe->first : pipe->count;
    if (pipe->count) {
        memcpy(bytes, pipe->bytes + pipe->first, tail);
        memcpy(bytes + tail, pipe->bytes, pipe->count - tail);
    }
    free(pipe->bytes);
    pipe->bytes = bytes;
    pipe->room = room;
    pipe->first = 0;
    return 0;
}

static void put(struct pipe *pipe, const struct msghdr *message, size_t size)
{
    size_t at = (pipe->first + pipe->count) & (pipe->room - 1);
    size_t tail = pipe->room - at < size ? pipe->room - at : size;
    weir__sim_vector_get(message, 0, pipe->bytes + at, tail);
    weir__sim_vector_get(message, tail, pipe->bytes, size - tail);
    pipe->count += size;
}

static void take(struct pipe *pipe, const struct msghdr *message, size_t size)
{
    size_t tail = pipe->room - pipe->first < size ? pipe->room - pipe->first : size;
    weir__sim_vector_put(message, 0, pipe->bytes + pipe->first, tail);
    weir__sim_vector_put(message, tail, pipe->bytes, size - tail);
    pipe->first = (pipe->first + size) & (pipe->room - 1);
    pipe->count -= size;
}

/* --- reading and writing --- */

static size_t perhaps_less(size_t size)
{
    return size > 1 && weir__sim_strikes(WEIR_SIM_SHORT) ? 1 + (size_t)weir__sim_below(size) : size;
}

/* Who got less than there was may wait for the next event, as readiness is told once: so there is one. */
static ssize_t pipe_receive(struct weir__sim_object *object, struct msghdr *message, int flags)
{
    struct pipe *pipe = pipe_of(object);
    size_t wanted = weir__sim_vector_size(message);
    (void)flags;
    if (!is_reader(object)) {
        errno = EBADF;
        return -1;
    }
    if (pipe->count == 0 && pipe->writer && wanted) {
        errno = EAGAIN;
        return -1;
    }
    if (pipe->count == 0 || wanted == 0)
        return 0;
    bool was_writable = is_writable(pipe);
    size_t size = perhaps_less(wanted < pipe->count ? wanted : pipe->count);
    take(pipe, message, size);
    if (pipe->count)
        weir__sim_changed(object, POLLIN);
    if (!was_writable && is_writable(pipe))
        tell(pipe->writer, POLLOUT);
    return (ssize_t)size;
}

/* How much of it goes now: what is at most PIPE_BUF goes whole or not at all. */
static size_t writable_part(const struct pipe *pipe, size_t size)
{
    if (size <= PIPE_BUF)
        return size <= left(pipe) ? size : 0;
    return perhaps_less(size < left(pipe) ? size : left(pipe));
}

static ssize_t pipe_send(struct weir__sim_object *object, const struct msghdr *message, int flags)
{
    struct pipe *pipe = pipe_of(object);
    size_t wanted = weir__sim_vector_size(message);
    (void)flags;
    if (is_reader(object) || !pipe->reader) {
        errno = is_reader(object) ? EBADF : EPIPE;
        return -1;
    }
    if (wanted == 0)
        return 0;
    size_t size = writable_part(pipe, wanted);
    if (size == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (make_room(pipe, pipe->count + size) < 0)
        return -1;
    put(pipe, message, size);
    tell(pipe->reader, POLLIN);
    if (size < wanted && is_writable(pipe))
        weir__sim_changed(object, POLLOUT);
    return (ssize_t)size;
}

static int pipe_stat(struct weir__sim_object *object, struct stat *status)
{
    *status = (struct stat){.st_mode = S_IFIFO | 0600, .st_ino = object->number, .st_nlink = 1, .st_blksize = PIPE_BUF};
    return 0;
}

/* --- a pipe's life --- */

static void free_if_unused(struct pipe *pipe)
{
    if (pipe->reader || pipe->writer)
        return;
    free(pipe->bytes);
    free(pipe);
}

static void pipe_closed(struct weir__sim_object *object)
{
    struct pipe *pipe = pipe_of(object);
    if (is_reader(object)) {
        pipe->reader = NULL;
        tell(pipe->writer, POLLOUT | POLLERR);
    } else {
        pipe->writer = NULL;
        tell(pipe->reader, POLLHUP);
    }
    free_if_unused(pipe);
    weir__sim_object_free(object);
}

static const struct weir__sim_kind kind = {
    .name = "pipe",
    .receive = pipe_receive,
    .send = pipe_send,
    .stat = pipe_stat,
    .ready = pipe_ready,
    .closed = pipe_closed,
};

static struct end *new_end(struct pipe *pipe)
{
    struct end *end = weir__sim_object_new(&kind, sizeof *end, weir__sim_host());
    if (end)
        end->pipe = pipe;
    return end;
}

/* Both ends, of no descriptors yet; NULL with ENOMEM. */
static struct pipe *new_pipe(void)
{
    struct pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe)
        return NULL;
    pipe->reader = new_end(pipe);
    pipe->writer = pipe->reader ? new_end(pipe) : NULL;
    if (pipe->writer)
        return pipe;
    if (pipe->reader)
        weir__sim_object_free(&pipe->reader->object);
    free(pipe);
    return NULL;
}

/* Closes what has no descriptor. -1. */
static int give_up(struct end *reader, struct end *writer)
{
    int number = errno;
    if (reader)
        pipe_closed(&reader->object);
    pipe_closed(&writer->object);
    errno = number;
    return -1;
}

int weir__sim_pipe(int pair[2], int flags)
{
    struct pipe *pipe = new_pipe();
    if (!pipe)
        return -1;
    struct end *reader = pipe->reader, *writer = pipe->writer;
    pair[0] = weir__sim_open(&reader->object, flags & O_NONBLOCK);
    if (pair[0] < 0)
        return give_up(reader, writer);
    pair[1] = weir__sim_open(&writer->object, flags & O_NONBLOCK);
    if (pair[1] >= 0)
        return 0;
    give_up(NULL, writer);
    int number = errno;
    weir__sim_close(pair[0]);
    errno = number;
    return -1;
}
