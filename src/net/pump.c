/* A pump's steps: into the pipe or the buffer, and on from there. */
#include "net/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <weir/time.h>

#include "base/error.h"
#include "os/quiet.h"

enum {
    FILE_BUFFER = 1 << 20, /* for what goes by the pool: a turn there is dear */
    UNDECIDED_MOST = 3,
};

/* --- which way --- */

static enum weir__pump_way find_way(const struct weir__pump *pump)
{
    const struct weir__end *from = &pump->from, *to = &pump->to;
    if (from->file && from->file->regular && weir__end_is_stream(to))
        return WEIR__PUMP_SENDFILE;
    if ((weir__end_is_stream(from) && weir__end_is_pipe(to)) || (weir__end_is_pipe(from) && weir__end_is_stream(to)))
        return WEIR__PUMP_SPLICE;
    return weir__end_is_stream(from) && weir__end_is_stream(to) ? WEIR__PUMP_PIPE : WEIR__PUMP_BUFFER;
}

void weir__pump_init(struct weir__pump *pump)
{
    pump->way = find_way(pump);
}

/* --- the buffer --- */

static int take_buffer(struct weir__pump *pump)
{
    if (pump->buffer)
        return 0;
    pump->lent = !weir__end_is_pooled(&pump->from) && !weir__end_is_pooled(&pump->to);
    pump->size = FILE_BUFFER;
    pump->buffer = pump->lent ? weir__lend(&pump->size) : malloc(pump->size);
    return pump->buffer ? 0 : weir__fail_memory("copy");
}

static void drop_buffer(struct weir__pump *pump)
{
    if (pump->lent && pump->buffer)
        weir__lend_return(pump->buffer);
    else
        free(pump->buffer);
    pump->buffer = NULL;
    pump->held = false;
    pump->start = pump->end = 0;
}

/* --- what happened to a call --- */

static enum weir__pumped would_wait(struct weir__end *end)
{
    weir__end_would_wait(end);
    return WEIR__PUMP_BLOCKED;
}

/* A call on one end failed. */
static enum weir__pumped call_failed(struct weir__end *end)
{
    if (errno == EINTR)
        return WEIR__PUMP_MOVED;
    if (errno == EAGAIN && end->conn && end->direction == WEIR__WRITABLE && weir__tls_is_stuck(end->conn))
        return WEIR__PUMP_BLOCKED;
    if (errno == EAGAIN)
        return would_wait(end);
    weir__end_fail(end, errno);
    return WEIR__PUMP_FAILED;
}

static void moved_on(const struct weir__pump *pump, struct weir__end *end, size_t bytes)
{
    end->blocked = false;
    if (!end->conn)
        return;
    weir__conn_count(end->conn, end->direction, bytes);
    weir__conn_moved(end->conn, end->direction, pump->restart);
}

static enum weir__pumped source_ended(struct weir__pump *pump)
{
    int number = pump->from.conn && !pump->from.conn->secure ? weir__conn_false_end(pump->from.conn) : 0;
    if (number != 0) {
        weir__conn_fail(pump->from.conn, number, pump->from.step);
        return WEIR__PUMP_FAILED;
    }
    if (pump->from.conn)
        pump->from.conn->ended = true;
    pump->ended = true;
    return WEIR__PUMP_MOVED;
}

static enum weir__pumped sent(struct weir__pump *pump, size_t bytes)
{
    moved_on(pump, &pump->to, bytes);
    pump->done += bytes;
    return WEIR__PUMP_MOVED;
}

static size_t at_most(const struct weir__pump *pump, size_t size)
{
    return pump->most - pump->done < size ? (size_t)(pump->most - pump->done) : size;
}

/* --- through the buffer --- */

static ssize_t read_end(struct weir__end *end, char *buffer, size_t size)
{
    if (!end->conn)
        return end->file->pooled ? weir__file_read_pooled(end->file, buffer, size)
                                 : weir__file_try_read(end->file, buffer, size);
    return weir__conn_receive_now(end->conn, buffer, size, 0);
}

/* Bytes that had been read ahead count as received already. 1 if there were some. */
static int take_ahead(struct weir__pump *pump)
{
    weir_conn *conn = pump->from.conn;
    if (!conn || !conn->lines || !weir__lines_left(conn))
        return 0;
    pump->end = (size_t)weir__lines_take(conn, pump->buffer, at_most(pump, pump->size), false);
    pump->held = true;
    return 1;
}

static enum weir__pumped filled(struct weir__pump *pump, size_t length, size_t size)
{
    struct weir__end *from = &pump->from;
    if (length == 0 && !weir__end_is_datagram(from)) {
        drop_buffer(pump);
        return source_ended(pump);
    }
    moved_on(pump, from, length);
    if (from->conn && !from->conn->datagram && length < size)
        weir__conn_drained(from->conn);
    pump->flooded = length == size && size >= WEIR__LENT_LARGE;
    pump->held = length > 0 || weir__end_is_datagram(&pump->to);
    pump->end = length;
    return WEIR__PUMP_MOVED;
}

static enum weir__pumped fill_buffer(struct weir__pump *pump)
{
    if (take_buffer(pump) < 0)
        return WEIR__PUMP_FAILED;
    if (take_ahead(pump))
        return WEIR__PUMP_MOVED;
    size_t size = at_most(pump, pump->size);
    ssize_t length = read_end(&pump->from, pump->buffer, size);
    if (length >= 0)
        return filled(pump, (size_t)length, size);
    if (pump->lent) {
        int number = errno;
        drop_buffer(pump);
        errno = number;
    }
    return call_failed(&pump->from);
}

/* *bytes is what went, where it failed too. 0 or -1. */
static int write_end(struct weir__end *end, const char *data, size_t size, size_t *bytes)
{
    if (weir__end_is_pooled(end))
        return weir__file_write_pooled(end->file, data, size, bytes);
    ssize_t written =
        end->file ? weir__file_try_write(end->file, data, size) : weir__conn_send_now(end->conn, data, size, 0);
    *bytes = written > 0 ? (size_t)written : 0;
    return written < 0 ? -1 : 0;
}

static enum weir__pumped empty_buffer(struct weir__pump *pump)
{
    size_t bytes = 0;
    int result = write_end(&pump->to, pump->buffer + pump->start, pump->end - pump->start, &bytes);
    int number = errno;
    pump->start += bytes;
    if (result == 0 || bytes > 0)
        sent(pump, bytes);
    if (pump->start == pump->end && result == 0) {
        pump->held = false;
        pump->start = pump->end = 0;
    }
    errno = number;
    return result < 0 ? call_failed(&pump->to) : WEIR__PUMP_MOVED;
}

/* --- from descriptor to descriptor --- */

/* Whether the kernel does not do that between these two. */
static bool not_offered(void)
{
    return errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
}

static ssize_t sendfile_once(const struct weir__pump *pump, size_t size)
{
    struct weir__quiet quiet;
    if (weir__quiet_begin(&quiet) < 0)
        return -1;
    ssize_t moved = weir__system()->sendfile(weir__end_fd(&pump->to), weir__end_fd(&pump->from), NULL, size);
    weir__quiet_end(&quiet, moved, size);
    return moved;
}

static bool polls_ready(const struct weir__end *end)
{
    struct pollfd query = {weir__end_fd(end), end->direction == WEIR__READABLE ? POLLIN : POLLOUT, 0};
    return weir__system()->poll(&query, 1, 0) != 0;
}

/*
 * EAGAIN of a splice(2) does not say whose it is, so they are asked. What changes after that is an event, which is seen
 * when the caller waits. Where both say that they are ready and it goes on saying EAGAIN, bytes go through the buffer.
 */
static enum weir__pumped find_blocked(struct weir__pump *pump)
{
    pump->from.blocked = pump->to.blocked = false;
    if (!polls_ready(&pump->from))
        return would_wait(&pump->from);
    if (!polls_ready(&pump->to))
        return would_wait(&pump->to);
    if (++pump->undecided == UNDECIDED_MOST)
        pump->way = WEIR__PUMP_BUFFER;
    return WEIR__PUMP_MOVED;
}

/*
 * Whose error it is: what reading can say of a stream, and what writing can, do not overlap but for a peer that has gone; of a
 * regular file sendfile(2) says that it cannot be read.
 */
static struct weir__end *guilty(struct weir__pump *pump)
{
    if (errno == EPIPE)
        return &pump->to;
    if (pump->way == WEIR__PUMP_SENDFILE && (errno == EBADF || errno == EIO))
        return &pump->from;
    return pump->from.conn ? &pump->from : &pump->to;
}

static enum weir__pumped direct_failed(struct weir__pump *pump)
{
    if (not_offered()) {
        pump->way = WEIR__PUMP_BUFFER;
        return WEIR__PUMP_MOVED;
    }
    if (errno == EAGAIN)
        return pump->way == WEIR__PUMP_SENDFILE ? would_wait(&pump->to) : find_blocked(pump);
    return call_failed(guilty(pump));
}

static enum weir__pumped move_directly(struct weir__pump *pump)
{
    size_t size = at_most(pump, WEIR__PUMP_CHUNK);
    ssize_t moved = pump->way == WEIR__PUMP_SENDFILE
                        ? sendfile_once(pump, size)
                        : weir__pump_splice(weir__end_fd(&pump->from), weir__end_fd(&pump->to), size);
    if (moved < 0)
        return direct_failed(pump);
    pump->undecided = 0;
    if (moved == 0)
        return source_ended(pump);
    moved_on(pump, &pump->from, (size_t)moved);
    return sent(pump, (size_t)moved);
}

/* --- through the pipe --- */

static enum weir__pumped no_more_pipe(struct weir__pump *pump)
{
    weir__pump_close_pipe(pump);
    pump->way = WEIR__PUMP_BUFFER;
    return WEIR__PUMP_MOVED;
}

static enum weir__pumped fill_pipe(struct weir__pump *pump)
{
    ssize_t moved = weir__system()->splice(weir__end_fd(&pump->from), pump->pipe[1], at_most(pump, WEIR__PUMP_CHUNK),
                                           SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (moved < 0)
        return not_offered() ? no_more_pipe(pump) : call_failed(&pump->from);
    if (moved == 0)
        return source_ended(pump);
    moved_on(pump, &pump->from, (size_t)moved);
    pump->piped = (size_t)moved;
    pump->pipe_until = 0;
    weir__pump_gather(pump, (size_t)moved);
    return WEIR__PUMP_MOVED;
}

/* What the sink does not take by splice(2) is read from the pipe. */
static enum weir__pumped unpipe(struct weir__pump *pump)
{
    if (take_buffer(pump) < 0)
        return WEIR__PUMP_FAILED;
    ssize_t length = weir__system()->read(pump->pipe[0], pump->buffer, pump->size);
    if (length <= 0) {
        weir__end_fail(&pump->to, length < 0 ? errno : EIO);
        return WEIR__PUMP_FAILED;
    }
    pump->end = (size_t)length;
    pump->held = true;
    pump->piped -= (size_t)length;
    if (pump->piped == 0)
        no_more_pipe(pump);
    return WEIR__PUMP_MOVED;
}

static enum weir__pumped empty_pipe(struct weir__pump *pump)
{
    if (pump->way == WEIR__PUMP_BUFFER)
        return unpipe(pump);
    ssize_t moved = weir__pump_splice(pump->pipe[0], weir__end_fd(&pump->to), pump->piped);
    if (moved < 0 && not_offered()) {
        pump->way = WEIR__PUMP_BUFFER;
        return unpipe(pump);
    }
    if (moved < 0)
        return call_failed(&pump->to);
    pump->piped -= (size_t)moved;
    return sent(pump, (size_t)moved);
}

/* --- steps --- */

static enum weir__pumped take_in(struct weir__pump *pump)
{
    const weir_conn *conn = pump->from.conn;
    bool ahead = conn && conn->lines && weir__lines_left(conn);
    if (!ahead && !weir__end_maybe_ready(&pump->from)) {
        if (pump->lent)
            drop_buffer(pump);
        return WEIR__PUMP_BLOCKED;
    }
    if (!ahead && (pump->way == WEIR__PUMP_SPLICE || pump->way == WEIR__PUMP_SENDFILE))
        return weir__end_maybe_ready(&pump->to) ? move_directly(pump) : WEIR__PUMP_BLOCKED;
    if (!ahead && pump->way == WEIR__PUMP_PIPE && (pump->pipe[1] || (pump->flooded && weir__pump_pipe(pump)))) {
        drop_buffer(pump);
        return fill_pipe(pump);
    }
    return fill_buffer(pump);
}

static int go_on(const struct weir__pump *pump)
{
    weir_conn *conn = pump->from.conn ? pump->from.conn : pump->to.conn;
    if (--weir__turn_left == 0 && weir__conn_turn_over(conn, pump->from.conn ? pump->from.step : pump->to.step) < 0)
        return -1;
    if (!weir__pump_owes_file(pump) && weir__end_go_on(&pump->from) < 0)
        return -1;
    return weir__end_go_on(&pump->to);
}

enum weir__pumped weir__pump_step(struct weir__pump *pump)
{
    if (go_on(pump) < 0)
        return WEIR__PUMP_FAILED;
    if (weir__end_owes(&pump->to)) {
        int flushed = weir__tls_flush(pump->to.conn);
        return flushed < 0 ? call_failed(&pump->to) : WEIR__PUMP_MOVED;
    }
    if (pump->held || pump->piped) {
        if (!weir__end_maybe_ready(&pump->to))
            return WEIR__PUMP_BLOCKED;
        return pump->held ? empty_buffer(pump) : empty_pipe(pump);
    }
    return pump->ended || pump->done == pump->most ? WEIR__PUMP_DONE : take_in(pump);
}

void weir__pump_end(struct weir__pump *pump)
{
    int saved = errno;
    if (pump->from.conn && !pump->from.conn->datagram && pump->start < pump->end)
        weir__lines_give_back(pump->from.conn, pump->buffer + pump->start, pump->end - pump->start);
    drop_buffer(pump);
    weir__pump_close_pipe(pump);
    errno = saved;
}
