/*
 * weir tunnel: what its parts share. tunnel.c reads the command line and serves, tunnel_path.c keeps the path open
 * that the clients are sent through.
 */
#ifndef CLI_TUNNEL_H
#define CLI_TUNNEL_H

#include <pthread.h>

#include "relaying.h"

/* A path through others, which is opened again whenever it is gone. */
struct tunnel_path {
    const char *const *via;
    const char *remote; /* the endpoint at its end */
    char shown[500];    /* the both of them, for logs */
    int64_t timeout;    /* for opening it */

    weir_forward *forward; /* the keeper's; NULL: it is gone */
    pthread_mutex_t lock;  /* of the two below */
    char door[200];        /* the endpoint that leads into it; "": it is gone */
    uint64_t opened;       /* times that it was opened again */
};

struct tunnel {
    struct relay relay; /* first: its `dial` gets it. `to` is the far end */
    struct tunnel_path path;
    int64_t wait; /* how long a client waits for a path that is gone */
};

/* Opens it for the first time. Parks. 0, or -1 with the error. tunnel_path_close is due either way. */
int tunnel_path_open(struct tunnel_path *path);
void tunnel_path_close(struct tunnel_path *path);

/*
 * A fiber, whose argument is the path, of the one that has opened it: opens it again when it has gone, rarer and
 * rarer, until it is cancelled.
 */
int tunnel_path_keep(void *arg);

/* Relay's `dial`: a connection to the far end. Waits where the path is gone. Any thread; parks. NULL with an error. */
weir_conn *tunnel_enter(struct relay *relay);

/* How often it was opened again. Any thread. */
uint64_t tunnel_path_opened(struct tunnel_path *path);

#endif
