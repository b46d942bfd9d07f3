/* A hearer of a broadcast: its queue, and the fiber that sends what is in it. */
#ifndef CLI_HEARER_H
#define CLI_HEARER_H

#include "broadcast.h"

/* A piece of stdin, which all queues share. */
struct piece {
    size_t references;
    bool begins_line, ends_line;
    size_t size;
    char data[];
};

struct hearer {
    struct broadcast *broadcast;
    struct hearer *next; /* of those that hear */
    unsigned references; /* the handler's, and the reader's while it waits for room */
    weir_conn *conn;
    weir_channel *queue; /* of struct delivery */
    weir_fiber *sender;
    size_t queued;
    uint64_t offered; /* the number of the last piece that it was offered */
    uint64_t lost;    /* lines */
    bool skips;       /* what it is given next begins with a line */
    bool within_line; /* what it was given last ends none */
    bool behind;      /* not waited for until its queue is empty */
    char name[];
};

/* A piece of what was read, as it goes out; the caller's reference. NULL with ENOMEM. */
struct piece *piece_new(struct broadcast *broadcast, const char *data, size_t size, bool ends_line);
void piece_release(struct piece *piece);

/* The caller's reference; it hears what comes from now on, once it is among the broadcast's. NULL with ENOMEM. */
struct hearer *hearer_new(struct broadcast *broadcast, weir_conn *conn, const char *name);
void hearer_release(struct hearer *hearer);

/* From then on it is offered nothing. Whoever is none of the broadcast's is left alone. */
void hearer_unlink(const struct hearer *hearer);

/* Its fiber: sends what is in its queue, until that is closed or nobody takes it. */
int hearer_send(void *arg);

/* Offers it a piece. While that waits, the hearer may go. 0, or -1 where the reader was cancelled. */
int hearer_offer(struct hearer *hearer, struct piece *piece);

#endif
