/*
 * A stream socket that is no socket: a system table hands the bytes of a stream out as a script cuts them, and the script
 * says what comes between them: signals, deadlines, resets, cancellations.
 */
#ifndef FUZZ_HARNESS_STREAM_H
#define FUZZ_HARNESS_STREAM_H

#include "fuzz.h"
#include "net/conn.h"

struct fuzz_stream {
    const uint8_t *bytes; /* all of the stream */
    size_t length;        /* where it ends; a reset ends it where it has come to */
    struct fuzz_input script;
    bool
        at_home; /* the reader is where a fiber of the connection's own loop would be: events are edges, and remembered */

    weir_conn *conn;
    size_t given;    /* how much was received by the library */
    size_t before;   /* what that was before the last receive */
    size_t piece;    /* how much has arrived and was not yet received */
    bool finished;   /* the end of the stream has arrived */
    bool reset;      /* a reset has arrived and was not yet received */
    bool signalled;  /* the next receive is interrupted */
    uint64_t wakes;  /* in the eventfd of the thread */
    bool was_reset;  /* it was: what looks like an end is none from then on */
    unsigned closed; /* how often the descriptor was */
    /* What the running call was told, by what it may fail. */
    bool told_end, told_deadline, told_cancel, told_nothing;
};

/* Opens a connection whose calls go through it, from now on until fuzz_stream_close. */
void fuzz_stream_open(struct fuzz_stream *stream);
void fuzz_stream_close(struct fuzz_stream *stream);

/* A call begins: it has been told nothing. */
void fuzz_stream_call(struct fuzz_stream *stream);

/* What the script says next happens now. False: the script has ended and everything has arrived. */
bool fuzz_stream_happen(struct fuzz_stream *stream);

/* The virtual clock. */
int64_t fuzz_stream_now(void);

#endif
