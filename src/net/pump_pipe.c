/* The pipe of a pump, and splice(2). */
#include <errno.h>
#include <fcntl.h>

#include "net/pump.h"
#include "os/descriptor.h"
#include "os/quiet.h"

/* How long a pipe is kept that nothing comes through. */
#define PIPE_KEPT WEIR_MS(100)

bool weir__pump_pipe(struct weir__pump *pump)
{
    if (pump->pipe[1])
        return true;
    if (weir__pipe(pump->pipe) < 0) {
        pump->pipe[1] = 0;
        return false;
    }
    /* A user's pipes may have so much in all; the pipe is as good as it is, beyond. */
    weir__system()->fcntl(pump->pipe[1], F_SETPIPE_SZ, WEIR__PUMP_CHUNK);
    return true;
}

void weir__pump_close_pipe(struct weir__pump *pump)
{
    if (!pump->pipe[1])
        return;
    weir__pump_gather_end(pump);
    weir__close_quietly(pump->pipe[0]);
    weir__close_quietly(pump->pipe[1]);
    pump->pipe[1] = 0;
    pump->piped = 0;
    pump->pipe_until = 0;
}

/* A pipe that nothing has come through for a while is closed. */
static int64_t settle_pipe(struct weir__pump *pump)
{
    if (!pump->pipe[1] || pump->piped)
        return WEIR_FOREVER;
    if (!pump->pipe_until)
        pump->pipe_until = weir__now() + PIPE_KEPT;
    if (weir__now() < pump->pipe_until)
        return pump->pipe_until;
    weir__pump_close_pipe(pump);
    pump->flooded = false;
    return WEIR_FOREVER;
}

int64_t weir__pump_settle(struct weir__pump *pump)
{
    int64_t pipe = settle_pipe(pump), piece = weir__pump_gather_until(pump);
    return piece < pipe ? piece : pipe;
}

/* splice(2) knows no MSG_NOSIGNAL. */
ssize_t weir__pump_splice(int from, int to, size_t count)
{
    struct weir__quiet quiet;
    if (weir__quiet_begin(&quiet) < 0)
        return -1;
    ssize_t moved = weir__system()->splice(from, to, count, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    weir__quiet_end(&quiet, moved, count);
    return moved;
}
