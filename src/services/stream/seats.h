/* Who sends to which mount at the moment, so that a source that has vanished does not keep itself from coming back. */
#ifndef STREAM_SEATS_H
#define STREAM_SEATS_H

#include "paths.h"

struct seats;

/* A source's place; its own to keep while it sends. */
struct seat {
    char path[PATH_MOST];
    weir_address who;
    weir_conn *conn;
    _Atomic int64_t heard; /* when something has come last */
    atomic_bool replaced;  /* another has its place now */
    struct seat *next;     /* the table's */
};

struct seats *seats_new(void);
void seats_free(struct seats *seats);

/*
 * Takes a mount's place. Whoever has it is a ghost, and cut, where it is of the same address, or was not heard of for
 * two seconds; else -1 with EBUSY. seat_leave is due after a 0, before the connection is closed.
 */
int seat_take(struct seats *seats, struct seat *seat);
void seat_leave(struct seats *seats, struct seat *seat);

/* The service ends: nothing more is heard of any of them. Any thread. */
void seats_stop(struct seats *seats);

#endif
