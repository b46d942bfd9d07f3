/*
 * An inlet: where one worker receives the datagrams of one place.
 *
 * One fiber, the reader, receives batches and runs the handler for each datagram, one after the other; the answers of a
 * batch leave together at its end. A handler that parks keeps its fiber and its datagram (the parcel), and another fiber
 * becomes the reader, so that the others are not held up.
 */
#ifndef WEIR_SERVER_INLET_H
#define WEIR_SERVER_INLET_H

#include "server/destination.h"
#include "server/outbox.h"
#include "server/server.h"

enum {
    WEIR__BATCH = 32,
    WEIR__PARCEL_ROOM = 65536,                        /* more than a UDP datagram can have */
    WEIR__CONTROL_ROOM = WEIR__DESTINATION_ROOM + 96, /* UDP_GRO, and what systemd may have asked for */
    WEIR__MOST_PARKED = 4096, /* handlers of one inlet that wait; beyond that datagrams wait in the socket */
};

/* What weir_reply knows a datagram by. */
struct weir_datagram_origin {
    struct weir__inlet *inlet;
    struct weir__destination destination; /* where the inlet has several */
};

/* A datagram and its room. */
struct weir__parcel {
    weir_datagram datagram;
    struct weir_datagram_origin origin;
    struct weir__parcel *next; /* free */
    size_t packed; /* UDP_GRO: how long each of several datagrams is that lie in the room; 0: there is one */
    size_t filled; /* of the room */
    _Alignas(struct cmsghdr) char control[WEIR__CONTROL_ROOM];
    char room[WEIR__PARCEL_ROOM];
};

/* A fiber that runs handlers of an inlet. */
struct weir__reader {
    struct weir__list link;
    struct weir__inlet *inlet;
    weir_fiber *fiber;
    bool parked; /* its handler has parked: what it answers leaves at once */
};

struct weir__inlet {
    struct weir__worker *worker;
    struct weir__place *place;
    struct weir__watch watch;
    struct weir__reader *reader; /* the one that receives; NULL: the next whose handler returns will */
    struct weir__list readers;   /* all */
    size_t reader_count;
    bool gathers;      /* some have come since it last rested: it does so before it waits */
    int64_t rest;      /* for how long */
    bool packed;       /* datagrams may come coalesced */
    bool destinations; /* they may be for several addresses, and the kernel tells for which */
    bool stopping, cut, closing, closed;
    int64_t stop_by; /* once it stops: when what still comes is dropped */
    struct weir__seldom trouble_line, source_line;
    struct weir__parcel *free_parcels;
    size_t free_count;
    int count, next;                           /* of the batch: how many, and the one that is handled */
    size_t arrived, bytes, truncated;          /* of the batch, for the counters */
    struct weir__parcel *parcels[WEIR__BATCH]; /* NULL: to be allocated */
    struct iovec vectors[WEIR__BATCH];
    struct mmsghdr messages[WEIR__BATCH];
    struct weir__outbox outbox;
};

/* Makes one for a worker's socket of a place; nothing is received yet. NULL without memory. */
struct weir__inlet *weir__inlet_new(struct weir__worker *worker, struct weir__place *place);

/* Frees one that has not been started, or is closed. NULL is fine. */
void weir__inlet_free(struct weir__inlet *inlet);

/* Begins to receive, on the worker's loop. */
void weir__inlet_start(struct weir__inlet *inlet);

/* Begins to stop: what is queued is still served. */
void weir__inlet_drain(struct weir__inlet *inlet);

/* Cancels what still runs. */
void weir__inlet_cut(struct weir__inlet *inlet);

/* Closes it if nothing runs any more after weir__inlet_drain; whether that is done. The keeper is woken when to ask again. */
bool weir__inlet_closed(struct weir__inlet *inlet);

/* --- batch.c --- */

/* Receives the next batch; parks until there is one. False: it is cancelled, or stopping and nothing is left. */
bool weir__batch_receive(struct weir__inlet *inlet);

/* The datagram that is to be handled next; NULL at the end of the batch. */
struct weir__parcel *weir__batch_current(struct weir__inlet *inlet);

/* The current datagram has been handled: on to the next. */
void weir__batch_advance(struct weir__inlet *inlet);

/* The current datagram stays with its handler, and its parcel with it; the batch goes on behind it. */
void weir__batch_detach(struct weir__inlet *inlet);

/* Gives back a parcel that was detached. */
void weir__parcel_free(struct weir__inlet *inlet, struct weir__parcel *parcel);

/* Decides how long it rests at most: the server's gather_time, or less. */
void weir__batch_set_rest(struct weir__inlet *inlet);

/* Asks the kernel to coalesce datagrams (UDP_GRO). Nothing is lost where it cannot. */
void weir__batch_ask_packed(struct weir__inlet *inlet);

#endif
