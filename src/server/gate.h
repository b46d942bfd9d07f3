/* A gate: where one worker accepts the clients of one place, and decides who comes in. */
#ifndef WEIR_SERVER_GATE_H
#define WEIR_SERVER_GATE_H

#include "server/server.h"

/* What the acceptor does. */
enum weir__gate_state {
    WEIR__GATE_IDLE, /* nothing: paused, or about to be worked */
    WEIR__GATE_ACCEPTING,
    WEIR__GATE_ENDING, /* stopped, but clients may still come */
    WEIR__GATE_CLOSED,
};

struct weir__gate {
    struct weir__acceptor acceptor; /* first: an acceptor is its gate */
    struct weir__worker *worker;
    struct weir__place *place;
    enum weir__gate_state state;
    bool paused;         /* until a connection ends or `resume_at` */
    int64_t resume_at;   /* of a pause for want of resources; else WEIR_FOREVER */
    int64_t connections; /* the server's when it paused: fewer mean that one has ended, and its descriptor is free */
    int64_t backoff;     /* of the next such pause */
    int64_t look_at;     /* when a successor's gate looks whether somebody waits whom it was not told of */
    int64_t look_pause;  /* before that; 0: it does not, or no more */
    int left_to_drain;   /* how many more clients of the queue are served once the server stops */
    int *held;           /* clients that came in after the limit was reached, oldest first */
    size_t held_count, held_room;
};

/* Prepares a gate; nothing is accepted yet. */
void weir__gate_init(struct weir__gate *gate, struct weir__worker *worker, struct weir__place *place);

/*
 * Accepts what there is and may be accepted; then goes on accepting as clients come, or, once the server stops, closes.
 * Does nothing while the gate is paused without reason to go on, or accepting already. In the keeper; parks.
 */
void weir__gate_work(struct weir__gate *gate);

/* Begins to stop accepting, once: weir__gate_work then serves the rest of the queue and closes. */
void weir__gate_drain(struct weir__gate *gate);

/* Closes at once, after weir__gate_drain; the queue is dropped. False if the acceptor has to end first: call it again. */
bool weir__gate_close(struct weir__gate *gate);

/* When weir__gate_work has to be called at the latest. */
int64_t weir__gate_due(const struct weir__gate *gate);

#endif
