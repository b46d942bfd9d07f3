/* weir ask: what its two halves share. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "dialling.h"

/* A question. */
struct ask {
    struct dialling dialling;
    bool line;
    int64_t quiet;
    char *text; /* what to send; NULL: what comes on stdin */
    size_t length;

    weir_conn *conn;
    weir_fiber *asker; /* sends the question; NULL once it was joined */
    int status;        /* the exit status */
    bool sent;         /* all of it, or what could be */
    bool answered;
    bool settled;  /* the status is known: nothing that fails now matters */
    char cut[512]; /* the reason for which our sending was cut; "": it was not */
};

/* Connects, asks, prints. A fiber, whose argument is a struct ask; returns the exit status. */
int ask_talk(void *arg);

#endif
