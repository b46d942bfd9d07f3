/*
 * weir bench on datagrams. Each carries the number of the place it was sent from and how often that place was used, so
 * that answers may come in any order, twice, late or never. A place whose answer is overdue is counted as lost and used
 * again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct header {
    uint32_t place, use;
};

struct place {
    int64_t began; /* when it was sent, or was due */
    int64_t sent;
    uint32_t use;
    bool waiting;
};

struct talk {
    struct bench_worker *worker;
    weir_conn *conn;
    size_t index;
    size_t size; /* of a datagram */
    uint64_t begun;
    size_t depth;
    size_t waiting; /* places */
    struct place *places;
    int64_t look; /* when the first answer may be overdue */
};

static bool has_rate(const struct talk *talk)
{
    return talk->worker->bench->settings.rate > 0;
}

static uint64_t body_start(const struct talk *talk, struct header header)
{
    return bench_pattern_start(talk->index) + (uint64_t)header.place * 31 + header.use;
}

/* Sends a datagram from a place. 0 or -1. */
static int send_one(struct talk *talk, size_t number, int64_t began, int64_t now)
{
    struct place *place = &talk->places[number];
    struct header header = {(uint32_t)number, ++place->use};
    *place = (struct place){.began = began, .sent = now, .use = header.use, .waiting = true};
    talk->waiting++;
    talk->begun++;
    if (now + bench_timeout(talk->worker->bench) < talk->look)
        talk->look = now + bench_timeout(talk->worker->bench);
    char *body = (char *)bench_pattern(body_start(talk, header));
    struct iovec parts[] = {{.iov_base = &header, .iov_len = sizeof header},
                            {.iov_base = body, .iov_len = talk->size - sizeof header}};
    return weir_send_vector(talk->conn, parts, 2) < 0 ? -1 : 0;
}

/* Sends from every free place what may begin now. 0 or -1. */
static int send_some(struct talk *talk, int64_t now)
{
    const struct bench *bench = talk->worker->bench;
    for (size_t i = 0; i < talk->depth && talk->waiting < talk->depth; i++) {
        if (talk->places[i].waiting)
            continue;
        int64_t began = has_rate(talk) ? bench_due(bench, talk->index, talk->begun) : now;
        if (began > now || bench_over(bench, began))
            return 0;
        if (send_one(talk, i, began, now) < 0)
            return -1;
    }
    return 0;
}

/* Gives up the answers that are overdue, and finds out when to look again. */
static void give_up_overdue(struct talk *talk, int64_t now)
{
    int64_t timeout = bench_timeout(talk->worker->bench);
    talk->look = WEIR_FOREVER;
    for (size_t i = 0; i < talk->depth; i++) {
        struct place *place = &talk->places[i];
        if (!place->waiting)
            continue;
        if (now - place->sent < timeout) {
            if (place->sent + timeout < talk->look)
                talk->look = place->sent + timeout;
            continue;
        }
        place->waiting = false;
        talk->waiting--;
        weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "receive", talk->worker->bench->target,
                  "no answer to a datagram in time");
        bench_fault(talk->worker, BENCH_LOST);
    }
}

/* Whether it is a whole datagram of ours; otherwise an error is set. */
static bool check(const struct talk *talk, const char *data, size_t size, struct header *header)
{
    const char *target = talk->worker->bench->target;
    if (size != talk->size) {
        weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "check", target, "%zu bytes came back for %zu", size, talk->size);
        return false;
    }
    memcpy(header, data, sizeof *header);
    if (header->place >= talk->depth || header->use > talk->places[header->place].use) {
        weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "check", target, "what came back was never sent");
        return false;
    }
    return bench_pattern_check(body_start(talk, *header), data + sizeof *header, size - sizeof *header, target);
}

static void take(struct talk *talk, const char *data, size_t size)
{
    struct header header;
    if (!check(talk, data, size, &header)) {
        bench_fault(talk->worker, BENCH_WRONG);
        return;
    }
    struct place *place = &talk->places[header.place];
    if (!place->waiting || header.use != place->use) {
        bench_increment(&talk->worker->counts.late);
        return;
    }
    place->waiting = false;
    talk->waiting--;
    bench_answered(talk->worker, place->began, weir_now());
}

/* When to stop waiting: an answer is overdue, or the next is to be sent. */
static int64_t next_look(const struct talk *talk, int64_t now)
{
    int64_t look = talk->look;
    if (!has_rate(talk) || talk->waiting == talk->depth)
        return look;
    int64_t due = bench_next_due(talk->worker->bench, talk->index, talk->begun, now);
    return due < look ? due : look;
}

/* Returns whether the conversation goes on. */
static bool receive(struct talk *talk, int64_t now)
{
    char *data;
    /* A timer a datagram is saved where only a loss would need it. */
    if (has_rate(talk) || talk->depth > 1)
        weir_set_deadline(talk->conn, WEIR_READ, next_look(talk, now));
    ssize_t size = weir_receive(talk->conn, &data);
    if (size >= 0) {
        take(talk, data, (size_t)size);
        return true;
    }
    if (weir_error()->kind == WEIR_ERROR_DEADLINE)
        return true;
    bench_call_failed(talk->worker);
    return false;
}

static void converse_until_over(struct talk *talk)
{
    for (;;) {
        int64_t now = weir_now();
        if (now >= talk->look)
            give_up_overdue(talk, now);
        if (send_some(talk, now) < 0) {
            bench_call_failed(talk->worker);
            return;
        }
        if (talk->waiting == 0 && bench_over(talk->worker->bench, now))
            return;
        if (!receive(talk, now))
            return;
    }
}

static void count_behind(const struct talk *talk)
{
    const struct bench *bench = talk->worker->bench;
    uint64_t number = talk->begun;
    for (; has_rate(talk) && !bench_over(bench, bench_due(bench, talk->index, number)); number++)
        bench_increment(&talk->worker->counts.behind);
}

static bool prepare(struct bench_worker *worker, size_t index, weir_conn **conn)
{
    *conn = bench_connect(worker, index);
    return *conn != NULL;
}

static void converse(struct bench_worker *worker, size_t index, weir_conn *conn)
{
    struct talk talk = {
        .worker = worker,
        .conn = conn,
        .index = index,
        .size = (size_t)worker->bench->settings.size,
        .depth = bench_depth(worker->bench),
        .look = WEIR_FOREVER,
    };
    talk.places = calloc(talk.depth, sizeof *talk.places);
    if (!talk.places) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "bench", worker->bench->target, NULL);
        bench_call_failed(worker);
        return;
    }
    weir_set_timeout(conn, bench_timeout(worker->bench));
    converse_until_over(&talk);
    count_behind(&talk);
    free(talk.places);
}

const struct bench_mode bench_datagram_mode = {.name = "datagram", .prepare = prepare, .converse = converse};
