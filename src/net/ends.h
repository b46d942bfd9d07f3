/* The ends of a copy: connections and files, each in one direction, alike as far as copying is concerned. */
#ifndef WEIR_NET_ENDS_H
#define WEIR_NET_ENDS_H

#include "engine/watches.h"
#include "net/tls.h"
#include "os/file.h"

struct weir__end {
    weir_conn *conn; /* one of the two */
    weir_file *file;
    const char *step;  /* as errors have it: "recv", "write" */
    uint8_t direction; /* WEIR__READABLE of a source, WEIR__WRITABLE of a sink */
    bool blocked;      /* its last call would have had to wait */
    int64_t deadline;  /* of a call that has one beside the connection's */
};

struct weir__end weir__end_conn(weir_conn *conn, int direction);
struct weir__end weir__end_file(weir_file *file, int direction, int64_t deadline);

/* What it is, as far as the way of copying depends on that. */
static inline bool weir__end_is_stream(const struct weir__end *end)
{
    return end->conn && weir__conn_spliceable(end->conn);
}

static inline bool weir__end_is_pipe(const struct weir__end *end)
{
    return end->file && end->file->pipe && end->file->fd >= 0;
}

static inline bool weir__end_is_datagram(const struct weir__end *end)
{
    return end->conn && end->conn->datagram;
}

/* Whether something that was written to it lies in TLS' outbox. */
static inline bool weir__end_owes(const struct weir__end *end)
{
    return end->conn && end->conn->secure && weir__tls_of(end->conn)->owes;
}

static inline bool weir__end_is_pooled(const struct weir__end *end)
{
    return end->file && end->file->pooled;
}

/* As a call of that direction: 0, or -1 with EBUSY, ECONNABORTED, ETIMEDOUT. leave ends it, in any case after a 0. */
int weir__end_enter(struct weir__end *end);
void weir__end_leave(struct weir__end *end);

/* Whether to go on: 0, or -1 if its call was cancelled or aborted, or its deadline has passed. */
int weir__end_go_on(const struct weir__end *end);

/* Whether a call is worth trying; where it is known that it would say EAGAIN, the end is blocked. */
bool weir__end_maybe_ready(struct weir__end *end);

/* A call on it said EAGAIN. */
void weir__end_would_wait(struct weir__end *end);

int weir__end_fd(const struct weir__end *end);

/* errno of a call that failed as the end's error. Returns -1. */
int weir__end_fail(const struct weir__end *end, int number);

/*
 * Waits until one of those that are blocked may go on, one was cancelled or the like, or `until`. 0: look at all again; or
 * -1 with the error of the end that it is about. Each is entered; those that are not blocked are listened to as well.
 */
int weir__ends_wait(struct weir__watches *watches, const struct weir__end *const *ends, size_t count, int64_t until);

#endif
