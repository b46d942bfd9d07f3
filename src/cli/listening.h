/* weir listen: what its parts share. */
#ifndef CLI_LISTENING_H
#define CLI_LISTENING_H

#include <stdatomic.h>

#include "session.h"

struct listening {
    struct dialling dialling; /* the endpoint, and how it is named; "to connect from" is to listen on */
    struct session_settings session;
    weir_server_options server; /* who is let in, and for how long */
    bool keep;                  /* -k */
    bool all;                   /* --all */
    int64_t ready_fd;

    struct recorder *recorder; /* of --hex; NULL: none */
    weir_server *listener;
    int64_t wait;      /* for the first client */
    atomic_bool heard; /* somebody came */
    bool timed_out;    /* nobody did */
    int status;        /* the exit status of the last session */
};

/* The exit status where a signal came and nobody else did. */
int listening_unheard(const struct listening *listening);

/* Runs the server, which has its endpoint, until a signal, until it was stopped, or until nobody came in time. 0 or -1. */
int listening_run(struct listening *listening);

#endif
