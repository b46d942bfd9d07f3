/* Copying between a connection and a file or pipe, one way. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/error.h"
#include "net/pump.h"

struct copying {
    struct weir__watches watches;
    struct weir__pump pump;
};

/* Few and large turns are cheaper. Where it may not be, it is as good as it is. */
static void enlarge(const weir_file *file)
{
    if (!file->pipe || file->fd < 0)
        return;
    int size = weir__system()->fcntl(file->fd, F_GETPIPE_SZ, 0);
    if (size > 0 && size < WEIR__PUMP_CHUNK)
        weir__system()->fcntl(file->fd, F_SETPIPE_SZ, WEIR__PUMP_CHUNK);
}

/* What was read of a file is sent before a cancelling of the file counts: nothing could read it again. */
static int wait_for_ends(struct copying *copying)
{
    struct weir__pump *pump = &copying->pump;
    const struct weir__end *ends[2] = {&pump->from, &pump->to};
    size_t first = weir__pump_owes_file(pump) ? 1 : 0;
    return weir__ends_wait(&copying->watches, ends + first, 2 - first, WEIR_FOREVER);
}

static int copy_all(struct copying *copying)
{
    for (;;) {
        enum weir__pumped pumped = weir__pump_step(&copying->pump);
        if (pumped == WEIR__PUMP_DONE)
            return 0;
        if (pumped == WEIR__PUMP_FAILED)
            return -1;
        if (pumped == WEIR__PUMP_BLOCKED && wait_for_ends(copying) < 0)
            return -1;
    }
}

static int copy_entered(struct copying *copying)
{
    struct weir__pump *pump = &copying->pump;
    if (pump->from.conn)
        weir_release(pump->from.conn);
    enlarge(pump->from.file ? pump->from.file : pump->to.file);
    int result = copy_all(copying);
    weir__pump_end(pump);
    return result;
}

static int copy(struct copying *copying)
{
    struct weir__pump *pump = &copying->pump;
    weir__pump_init(pump);
    if (weir__end_enter(&pump->from) < 0)
        return -1;
    int result = weir__end_enter(&pump->to);
    if (result == 0) {
        result = copy_entered(copying);
        weir__end_leave(&pump->to);
    }
    weir__end_leave(&pump->from);
    return result;
}

static int64_t copy_between(struct weir__end from, struct weir__end to, uint64_t most, int64_t deadline)
{
    struct copying *copying = calloc(1, sizeof *copying);
    if (!copying) {
        weir__fail_memory("copy");
        return weir__error_transferred(0);
    }
    from.deadline = to.deadline = deadline;
    copying->pump = (struct weir__pump){.from = from, .to = to, .most = most < INT64_MAX ? most : INT64_MAX};
    int result = copy(copying), number = errno;
    int64_t done = (int64_t)copying->pump.done;
    free(copying);
    errno = number;
    return result < 0 ? weir__error_transferred((uint64_t)done) : done;
}

int64_t weir_copy_to_file(weir_conn *from, weir_file *to, uint64_t most, int64_t deadline)
{
    return copy_between(weir__end_conn(from, WEIR__READABLE), weir__end_file(to, WEIR__WRITABLE, deadline), most,
                        deadline);
}

int64_t weir_copy_from_file(weir_conn *to, weir_file *from, uint64_t most, int64_t deadline)
{
    return copy_between(weir__end_file(from, WEIR__READABLE, deadline), weir__end_conn(to, WEIR__WRITABLE), most,
                        deadline);
}
