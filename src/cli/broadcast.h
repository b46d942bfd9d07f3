/*
 * What stdin has, to everybody who is connected: the sending half of `weir listen --all`.
 *
 * Everything here is on one loop, that of the server's only worker. One fiber reads stdin, from when the first hearer has come,
 * and keeps what it has read while nobody is there. Each hearer has a queue and a fiber that sends what is in it. A queue that is
 * full is waited for, for a second; then lines for that hearer are dropped, whole ones, and counted, until it has caught up.
 */
#ifndef CLI_BROADCAST_H
#define CLI_BROADCAST_H

#include "commands.h"

struct hearer;
struct transcoder;

struct broadcast {
    bool crlf;                   /* every LF goes out as CR LF */
    struct transcoder *outgoing; /* what does that, and encodes; the caller's; NULL: it goes as it is */
    bool end_with_peer;          /* who has ended its side hears no more */
    /* What was read, a piece at a time. */
    void (*heard)(void *arg, const char *data, size_t size);
    /* Reading stdin has failed; weir_error says how. */
    void (*failed)(void *arg);
    void *arg;

    struct hearer *hearers;
    weir_channel *arrivals; /* somebody has come */
    bool reads;             /* the reader has been started */
    bool ended;             /* stdin */
    uint64_t bytes;         /* of stdin */
    uint64_t lost;          /* lines, for all hearers */
    bool within_line;       /* what was read ends no line */
    uint64_t pieces;        /* read so far */
};

/* Fills what the caller has not. 0, or -1 with ENOMEM; broadcast_free is due either way, when the server has ended. */
int broadcast_init(struct broadcast *broadcast);
void broadcast_free(struct broadcast *broadcast);

/* Has a connection hear what comes from now on; `name` is its, for warnings. In its handler. NULL with an error. */
struct hearer *broadcast_join(struct broadcast *broadcast, weir_conn *conn, const char *name);

/*
 * After the hearer has ended its side: goes on until stdin has ended, too, or nobody is there any more. Parks. 0, or -1 with
 * ECANCELED.
 */
int broadcast_finish(struct hearer *hearer);

/* Ends hearing, before the handler returns; unless it was `cut` what is in its queue is sent first. Parks. */
void broadcast_leave(struct hearer *hearer, bool cut);

#endif
