/*
 * weir bench on streams. One fiber a connection both sends and receives: it sends without waiting as long as the
 * connection takes bytes, then waits until it can receive or, where something is left, also until it can send. So
 * neither side ever waits for the other to read, however large the messages are.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench.h"

enum { SENDING_DONE, SENDING_LEFT, SENDING_FAILED };

struct stream {
    struct bench_worker *worker;
    weir_conn *conn;
    size_t index;
    uint64_t start;    /* in the pattern */
    uint64_t size;     /* of a message */
    uint64_t most;     /* messages in all; UINT64_MAX: until the time is over */
    uint64_t begun;    /* messages */
    uint64_t answered; /* messages */
    uint64_t sent;     /* bytes */
    uint64_t received; /* bytes */
    size_t depth;
    int64_t *times;   /* when each message under way was sent, or was due: a ring of `depth` */
    int64_t progress; /* when the peer last sent something */
};

static bool has_rate(const struct stream *stream)
{
    return stream->worker->bench->settings.rate > 0;
}

static void begin_message(struct stream *stream, int64_t time)
{
    if (stream->begun == stream->answered)
        stream->progress = time;
    stream->times[stream->begun++ % stream->depth] = time;
}

/* Begins the messages whose time has come: as many as are allowed under way, or those that are due. */
static void begin_messages(struct stream *stream, int64_t now)
{
    const struct bench *bench = stream->worker->bench;
    while (stream->begun < stream->most && stream->begun - stream->answered < stream->depth) {
        int64_t time = now;
        if (has_rate(stream) && (time = bench_due(bench, stream->index, stream->begun)) > now)
            break;
        if (bench_over(bench, time))
            break;
        begin_message(stream, time);
    }
}

/* Sends what has begun as far as the connection takes it. */
static int send_some(struct stream *stream)
{
    uint64_t due = stream->begun * stream->size;
    while (stream->sent < due) {
        uint64_t part = due - stream->sent;
        if (part > BENCH_PATTERN_WINDOW)
            part = BENCH_PATTERN_WINDOW;
        const char *data = bench_pattern(stream->start + stream->sent);
        ssize_t sent = weir_send_flags(stream->conn, data, (size_t)part, MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? SENDING_LEFT : SENDING_FAILED;
        stream->sent += (uint64_t)sent;
    }
    return SENDING_DONE;
}

/* Checks and counts what came. Returns whether it was right. */
static bool take(struct stream *stream, const char *data, size_t size)
{
    const struct bench *bench = stream->worker->bench;
    uint64_t under_way = stream->sent - stream->received;
    if (size > under_way) {
        weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "check", bench->target, "more came back than was sent");
        return false;
    }
    if (!bench_pattern_check(stream->start + stream->received, data, size, bench->target))
        return false;
    int64_t now = weir_now();
    stream->received += size;
    stream->progress = now;
    for (; (stream->answered + 1) * stream->size <= stream->received; stream->answered++)
        bench_answered(stream->worker, stream->times[stream->answered % stream->depth], now);
    return true;
}

/* When to look again at the latest: an answer is overdue, or the next message is due. Later than now, or we would never wait. */
static int64_t next_look(const struct stream *stream, int64_t now)
{
    const struct bench *bench = stream->worker->bench;
    int64_t overdue = stream->begun > stream->answered ? stream->progress + bench_timeout(bench) : WEIR_FOREVER;
    if (!has_rate(stream) || stream->begun >= stream->most || stream->begun - stream->answered >= stream->depth)
        return overdue;
    int64_t due = bench_next_due(bench, stream->index, stream->begun, now);
    return due < overdue ? due : overdue;
}

static bool overdue(const struct stream *stream)
{
    int64_t timeout = bench_timeout(stream->worker->bench);
    return stream->begun > stream->answered && weir_now() - stream->progress >= timeout;
}

/* Waits until something came or, where bytes are left to send, can go. 0, or -1 with ETIMEDOUT and others. */
static int wait(struct stream *stream, int64_t now)
{
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = stream->conn},
                         {.kind = WEIR_CASE_WRITABLE, .conn = stream->conn}};
    return weir_select(cases, 2, next_look(stream, now));
}

/* Receives and takes one view. Returns whether the conversation goes on. */
static bool receive(struct stream *stream)
{
    char *data;
    ssize_t size = weir_receive(stream->conn, &data);
    if (size > 0) {
        if (take(stream, data, (size_t)size))
            return true;
        bench_fault(stream->worker, BENCH_WRONG);
        return false;
    }
    if (size < 0 && weir_error()->kind == WEIR_ERROR_DEADLINE && !overdue(stream))
        return true;
    if (size == 0)
        weir_fail(WEIR_ERROR_CLOSED, ENODATA, "receive", stream->worker->bench->target, "closed by the peer");
    bench_call_failed(stream->worker);
    return false;
}

/* Something is left to send: waits for either direction. Returns whether the conversation goes on. */
static bool wait_for_either(struct stream *stream, int64_t now)
{
    int which = wait(stream, now);
    if (which == 0)
        return receive(stream);
    if (which > 0 || (weir_error()->kind == WEIR_ERROR_DEADLINE && !overdue(stream)))
        return true;
    bench_call_failed(stream->worker);
    return false;
}

static bool finished(const struct stream *stream, int64_t now)
{
    if (stream->begun > stream->answered)
        return false;
    return stream->begun >= stream->most || bench_over(stream->worker->bench, now);
}

/* Returns whether the conversation came to its end without a fault. */
static bool talk(struct stream *stream)
{
    for (;;) {
        int64_t now = weir_now();
        begin_messages(stream, now);
        if (finished(stream, now))
            return true;
        int sending = send_some(stream);
        if (sending == SENDING_FAILED) {
            bench_call_failed(stream->worker);
            return false;
        }
        if (has_rate(stream))
            weir_set_deadline(stream->conn, WEIR_READ, next_look(stream, now));
        if (sending == SENDING_LEFT ? !wait_for_either(stream, now) : !receive(stream))
            return false;
    }
}

/* Messages that were due in the measured time and never begun: the server did not keep up. */
static void count_behind(const struct stream *stream)
{
    const struct bench *bench = stream->worker->bench;
    uint64_t number = stream->begun;
    while (has_rate(stream) && !bench_over(bench, bench_due(bench, stream->index, number))) {
        bench_increment(&stream->worker->counts.behind);
        number++;
    }
}

static bool prepare(struct bench_worker *worker, size_t index, weir_conn **conn)
{
    *conn = bench_connect(worker, index);
    return *conn != NULL;
}

static void converse(struct bench_worker *worker, size_t index, weir_conn *conn)
{
    struct stream stream = {
        .worker = worker,
        .conn = conn,
        .index = index,
        .start = bench_pattern_start(index),
        .size = (uint64_t)worker->bench->settings.size,
        .most = UINT64_MAX,
        .depth = bench_depth(worker->bench),
    };
    stream.times = calloc(stream.depth, sizeof *stream.times);
    if (!stream.times) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "bench", worker->bench->target, NULL);
        bench_call_failed(worker);
        return;
    }
    if (!has_rate(&stream))
        weir_set_timeout(conn, bench_timeout(worker->bench));
    talk(&stream);
    count_behind(&stream);
    free(stream.times);
}

bool bench_exchange(struct bench_worker *worker, size_t index, weir_conn *conn, int64_t began)
{
    int64_t time = began;
    struct stream stream = {
        .worker = worker,
        .conn = conn,
        .index = index,
        .start = bench_pattern_start(index),
        .size = (uint64_t)worker->bench->settings.size,
        .most = 1,
        .begun = 1,
        .depth = 1,
        .times = &time,
        .progress = weir_now(),
    };
    weir_set_timeout(conn, bench_timeout(worker->bench));
    return talk(&stream);
}

const struct bench_mode bench_stream_mode = {.name = "stream", .prepare = prepare, .converse = converse};
